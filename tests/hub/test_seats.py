"""Seats that are held over REST, and taken over a socket."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from rhythm_protocol.messages import Error
from rhythmd.app import Server
from rhythmd.hub.rooms import admission
from tests.client import Client, Connect
from tests.deadline import DEADLINE_S, POLL_S
from tests.hub.people import Person, Register
from tests.metrics import metrics
from tests.rest.api import Answer, Api, open_api


@pytest.fixture
async def api(server: Server) -> AsyncIterator[Api]:
    async with open_api(server) as client:
        yield client


@pytest.fixture
async def owner(server: Server, connect: Connect) -> Client:
    """A guest in the room "Salon", which has two seats."""
    client = await connect(server)
    await client.join("Salon", password="sesame", settings={"max_players": 2})
    return client


async def hold(api: Api, person: Person, room: str, password: str | None = None) -> Answer:
    """Ask for a seat."""
    answer = await api.call("POST", f"/rooms/{room}/join", {"password": password}, token=person.token)
    assert answer.status == 200, answer
    return answer


async def refused(client: Client, room: str, password: str | None = None) -> Error:
    return await client.refused("join-room", {"room": room, "password": password})


async def test_held_seat_counts_and_is_its_users_only(
    server: Server, connect: Connect, api: Api, clara: Person, owner: Client
) -> None:
    await hold(api, clara, "Salon", "sesame")
    assert (await refused(await connect(server), "Salon", "sesame")).code == "room-full"
    assert (await (await clara.open()).ask("join-room", {"room": "Salon"}))["slot"] == 2
    assert (await refused(await connect(server), "Salon", "sesame")).code == "room-full"


async def test_held_seat_lapses(
    server: Server, connect: Connect, api: Api, clara: Person, owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "RESERVED_S", 0.3)
    await hold(api, clara, "Salon", "sesame")
    guest = await connect(server)
    async with asyncio.timeout(DEADLINE_S):
        while True:
            if not (await guest.answer("join-room", {"room": "Salon", "password": "sesame"})).error:
                break
            await asyncio.sleep(POLL_S)
    assert (await refused(await clara.open(), "Salon")).code == "wrong-password"


async def test_held_seat_keeps_an_empty_room_until_it_lapses(
    server: Server, connect: Connect, api: Api, clara: Person, owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "RESERVED_S", 0.5)
    await hold(api, clara, "Salon", "sesame")
    room = server.hub.registry.get("Salon")
    assert room is not None
    room.vacancy.is_deleted = True  # so that nothing but the seat keeps it
    await owner.ask("leave-room")
    assert (await metrics(server))["rhythmd_rooms"] == 2
    async with asyncio.timeout(DEADLINE_S):
        while True:
            if (await metrics(server))["rhythmd_rooms"] == 1:
                break
            await asyncio.sleep(POLL_S)
    assert (await refused(await connect(server), "Salon")).code == "room-not-found"


async def test_lobby_overflows_when_the_seats_left_are_held(
    server: Server, connect: Connect, api: Api, register: Register
) -> None:
    clara = await register(server, "clara")
    await hold(api, clara, "lobby")
    for _ in range(15):
        assert (await (await connect(server)).join("lobby")).room.name == "Lobby"
    assert (await (await connect(server)).join("lobby")).room.name == "Lobby 2"
    assert (await (await clara.open()).join("lobby")).room.name == "Lobby"
