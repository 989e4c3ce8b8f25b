"""Seats that are reserved over REST: once, for a short time, seen by the room, and given up to those who come."""

from collections.abc import Mapping
from time import monotonic
from typing import Final

import pytest

from rhythm_protocol.messages import RoomUpdated
from rhythmd.app import Server
from rhythmd.hub.rooms import admission
from tests.client import Client, Connect
from tests.deadline import until
from tests.rest.api import UNLIMITED, Answer, Api, User, open_api
from tests.server import Serve

HOME: Final = "203.0.113.7"
ELSEWHERE: Final = "198.51.100.9"


def at(address: str) -> Mapping[str, str]:
    return {"X-Forwarded-For": address}


async def guest_at(api: Api, address: str) -> str:
    """The token of a new guest."""
    answer = await api.call("POST", "/auth/guest", {}, headers=at(address))
    token: str = answer.body["access_token"]
    return token


async def reserve(api: Api, token: str, address: str = HOME, room: str = "Salon", **body: object) -> Answer:
    return await api.call("POST", f"/rooms/{room}/join", body, token=token, headers=at(address))


async def reserve_as_new_guest(api: Api, address: str) -> Answer:
    return await reserve(api, await guest_at(api, address), address)


@pytest.fixture
async def owner(patient: Server, connect: Connect) -> Client:
    """A guest in the room "Salon", which has four seats."""
    client = await connect(patient)
    await client.join("Salon", settings={"max_players": 4})
    return client


def lapse(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the reservations of this moment be over."""
    monkeypatch.setattr(admission, "monotonic", lambda: monotonic() + admission.RESERVED_S)
    server.hub.registry.sweep()
    monkeypatch.setattr(admission, "monotonic", monotonic)


async def test_asking_again_does_not_renew_a_seat(
    api: Api, owner: Client, patient: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await guest_at(api, HOME)
    assert (await reserve(api, token)).body["seconds"] == admission.RESERVED_S
    monkeypatch.setattr(admission, "monotonic", lambda: monotonic() + 20)
    assert 9 <= (await reserve(api, token)).body["seconds"] <= 10
    monkeypatch.setattr(admission, "monotonic", lambda: monotonic() + 31)
    answer = await reserve(api, token)
    assert (answer.status, answer.code) == (409, "seat-limit")


async def test_seat_that_lapsed_is_not_reserved_again_by_guests_of_its_network(
    api: Api, owner: Client, patient: Server, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await reserve_as_new_guest(api, HOME)).status == 200
    lapse(patient, monkeypatch)
    assert (await reserve_as_new_guest(api, HOME)).code == "seat-limit"
    assert (await reserve_as_new_guest(api, ELSEWHERE)).status == 200
    assert (await (await connect(patient, headers=at(HOME))).join("Salon")).slot  # over a socket


async def test_seat_of_an_account_that_lapsed_is_not_reserved_again(
    api: Api, clara: User, robert: User, owner: Client, patient: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await reserve(api, clara.access_token)).status == 200
    lapse(patient, monkeypatch)
    assert (await reserve(api, clara.access_token)).code == "seat-limit"
    assert (await reserve(api, robert.access_token)).status == 200


async def test_visit_makes_up_for_a_seat_that_lapsed(
    api: Api, owner: Client, patient: Server, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = [await guest_at(api, HOME) for _ in range(2)]
    for token in tokens:
        assert (await reserve(api, token)).status == 200
    client = await connect(patient, headers={**at(HOME), "Authorization": f"Bearer {tokens[0]}"})
    await client.join("Salon")
    lapse(patient, monkeypatch)
    assert (await reserve_as_new_guest(api, HOME)).status == 200


async def test_room_is_told_of_reserved_seats(
    api: Api, owner: Client, patient: Server, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def told(reserved: int) -> None:
        while (await owner.expect(RoomUpdated)).room.reserved != reserved:
            pass
        [room] = [room for room in (await api.call("GET", "/rooms/active")).body["rooms"] if room["name"] == "Salon"]
        assert room["reserved"] == reserved

    tokens = [await guest_at(api, ELSEWHERE) for _ in range(2)]
    for number, token in enumerate(tokens):
        assert (await reserve(api, token, ELSEWHERE)).body["room"]["reserved"] == number + 1
        await told(number + 1)
    await api.call("POST", "/rooms/Salon/leave", {}, token=tokens[0])
    await told(1)
    lapse(patient, monkeypatch)
    await told(0)


async def test_guests_seats_give_way_to_those_who_come(
    api: Api, owner: Client, patient: Server, connect: Connect
) -> None:
    """The oldest first; over REST they do not, and the seats of accounts do not at all."""
    tokens = [await guest_at(api, ELSEWHERE) for _ in range(3)]
    for token in tokens:
        assert (await reserve(api, token, ELSEWHERE)).status == 200
    assert (await reserve_as_new_guest(api, HOME)).code == "room-full"
    comers = [await connect(patient) for _ in range(2)]
    for client in comers:
        await client.join("Salon")
    room = patient.hub.registry.get("Salon")
    assert room is not None
    assert len(room.seats) == 1
    last = await connect(patient, headers={**at(ELSEWHERE), "Authorization": f"Bearer {tokens[2]}"})
    assert (await last.join("Salon")).room.players == 4


async def test_seats_of_accounts_give_way_to_nobody(
    api: Api, clara: User, robert: User, owner: Client, patient: Server, connect: Connect
) -> None:
    for user in (clara, robert, await api.register("Johannes")):
        assert (await reserve(api, user.access_token)).status == 200
    assert (await (await connect(patient)).refused("join-room", {"room": "Salon"})).code == "room-full"


async def test_seats_of_one_network_are_no_more_than_it_may_have_connections(serve: Serve, connect: Connect) -> None:
    server = await serve(*UNLIMITED, "limits.connections_per_address=2")
    owner = await connect(server)
    await owner.join("Salon")
    async with open_api(server) as api:
        answers = [await reserve_as_new_guest(api, HOME) for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 409]
        assert (answers[2].code, "your network" in answers[2].body["error"]["message"]) == ("seat-limit", True)
        assert (await reserve_as_new_guest(api, ELSEWHERE)).status == 200


async def test_class_of_thirty_behind_one_address_meets_no_refusal(api: Api, patient: Server, connect: Connect) -> None:
    """Through REST and then over sockets, with a seat of a pupil who never comes in between."""
    teacher = await connect(patient, headers=at(HOME))
    await teacher.join("Salon", settings={"max_players": 50})
    tokens = [await guest_at(api, HOME) for _ in range(30)]
    for token in tokens:
        answer = await reserve(api, token)
        assert answer.status == 200, answer.body
    pupils = [await connect(patient, headers={**at(HOME), "Authorization": f"Bearer {token}"}) for token in tokens[1:]]
    assert [(await pupil.join("Salon")).room.players for pupil in pupils] == list(range(2, 31))
    await until(lambda: len(patient.hub.sessions) == 30, "all are there")
