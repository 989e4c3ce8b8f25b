"""Rooms that are kept: made, changed, deleted, and seats in them."""

import asyncio
from typing import Any

import pytest

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import ChatCleared, Playout
from rhythmd.app import Server
from rhythmd.bridges import RoomPasswords
from rhythmd.rows import Role
from tests.client import Connect
from tests.deadline import within
from tests.rest.api import Answer, Api, User, open_api
from tests.rest.conftest import Promote
from tests.server import Serve

CLIENTS = 200
SEATS = 16


async def create(api: Api, user: User, **fields: object) -> str:
    """A new room's id."""
    answer = await api.call("POST", "/rooms/create", {"name": "Salon", **fields}, token=user.access_token)
    assert answer.status == 201, answer.body
    room_id: str = answer.body["id"]
    return room_id


async def test_create_keeps_the_room_while_nobody_is_in_it(api: Api, clara: User) -> None:
    room_id = await create(api, clara, settings={"max_players": 4, "stage": "terrace"})
    room = (await api.call("GET", f"/rooms/{room_id}")).body
    assert (room["name"], room["settings"]["max_players"], room["settings"]["stage"]) == ("Salon", 4, "terrace")
    assert (room["players"], room["has_password"]) == (0, False)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"settings": {"max_players": 0}}, "settings.max_players"),
        ({"settings": {"max_players": 51}}, "settings.max_players"),
        ({"settings": {"type": "lobby"}}, "settings.type"),
        ({"settings": {"type": "private"}}, "password"),
        ({"owner": "x"}, "owner"),
        ({"password": ""}, "password"),
    ],
)
async def test_create_with_a_bad_field_names_it(api: Api, clara: User, fields: dict[str, Any], field: str) -> None:
    answer = await api.call("POST", "/rooms/create", {"name": "Salon", **fields}, token=clara.access_token)
    assert (answer.status, answer.code, answer.field) == (400, "invalid-field", field)


async def test_create_more_than_one_may_have_is_refused(serve: Serve) -> None:
    async with open_api(await serve("rooms.kept_per_account=1")) as api:
        user = await api.register()
        room_id = await create(api, user)
        create_other = ("POST", "/rooms/create", {"name": "Other"})
        answer = await api.call(*create_other, token=user.access_token)
        assert (answer.status, answer.code) == (409, "room-limit")
        await api.call("DELETE", f"/rooms/{room_id}", token=user.access_token)
        assert (await api.call(*create_other, token=user.access_token)).status == 201


async def test_create_by_a_guest_is_refused(api: Api) -> None:
    answer = await api.call("POST", "/rooms/create", {"name": "Salon"}, token=await api.guest())
    assert (answer.status, answer.code) == (403, "not-permitted")


async def test_create_a_name_that_is_taken_is_refused(api: Api, clara: User) -> None:
    await create(api, clara)
    answer = await api.call("POST", "/rooms/create", {"name": "SALON"}, token=clara.access_token)
    assert (answer.status, answer.code, answer.field) == (409, "taken", "name")
    answer = await api.call("POST", "/rooms/create", {"name": "Lobby 2"}, token=clara.access_token)
    assert (answer.status, answer.code, answer.field) == (400, "invalid-field", "name")


async def test_private_room_is_there_for_its_owner_only(api: Api, clara: User) -> None:
    room_id = await create(api, clara, password="secret", settings={"type": "private"})
    assert (await api.call("GET", f"/rooms/{room_id}", token=clara.access_token)).body["has_password"] is True
    robert = await api.register("Robert")
    for token in (None, robert.access_token):
        assert (await api.call("GET", f"/rooms/{room_id}", token=token)).code == "room-not-found"


async def test_change_by_the_owner_reaches_those_inside(
    api: Api, clara: User, patient: Server, connect: Connect
) -> None:
    room_id = await create(api, clara)
    client = await connect(patient)
    await client.join(room_id)
    change = {"name": "Attic", "only_owner_can_play": True}
    answer = await api.call("PATCH", f"/rooms/{room_id}", change, token=clara.access_token)
    assert answer.status == 200, answer.body
    assert (answer.body["name"], answer.body["settings"]["only_owner_can_play"]) == ("Attic", True)
    (listed,) = (await api.call("GET", "/rooms/active?text=attic")).body["rooms"]
    assert listed["id"] == room_id


async def test_playout_delay_is_that_of_the_owner(api: Api, clara: User, patient: Server, connect: Connect) -> None:
    room_id = await create(api, clara, settings={"playout_ms": 200})
    assert (await api.call("GET", f"/rooms/{room_id}")).body["playout_ms"] == 200
    client = await connect(patient)
    assert (await client.join(room_id)).room.playout_ms == 200
    for fixed_ms, in_force in ((80, 80), (None, 50)):
        change = {"playout_ms": fixed_ms}
        answer = await api.call("PATCH", f"/rooms/{room_id}", change, token=clara.access_token)
        assert (answer.body["settings"]["playout_ms"], answer.body["playout_ms"]) == (fixed_ms, in_force)
        assert (await client.expect(Playout)).delay_ms == in_force


async def test_change_with_a_bad_field_names_it(api: Api, clara: User) -> None:
    room_id = await create(api, clara)
    for field, value in (("max_players", 51), ("type", "lobby"), ("name", "Lobby 2"), ("playout_ms", 9)):
        answer = await api.call("PATCH", f"/rooms/{room_id}", {field: value}, token=clara.access_token)
        assert (answer.status, answer.code, answer.field) == (400, "invalid-field", field)


async def test_change_and_delete_by_others_is_refused(api: Api, clara: User) -> None:
    room_id = await create(api, clara)
    robert = await api.register("Robert")
    for method, body in (("PATCH", {"name": "Mine"}), ("DELETE", None)):
        answer = await api.call(method, f"/rooms/{room_id}", body, token=robert.access_token)
        assert (answer.status, answer.code) == (403, "not-owner")
        assert (await api.call(method, "/rooms/nowhere", body, token=robert.access_token)).code == "room-not-found"


@pytest.mark.parametrize("is_kept", [True, False])
async def test_private_room_of_others_is_told_from_a_missing_one_by_nothing(
    api: Api, clara: User, robert: User, patient: Server, connect: Connect, is_kept: bool
) -> None:
    """Live or only stored, whatever is asked but to join it, for which one needs to know its name and password."""
    settings = {"type": "private"}
    if is_kept:
        room_id = await create(api, clara, name="Hidden", password="secret", settings=settings)
    else:
        ack = await (await connect(patient)).join("Hidden", password="secret", settings=settings)
        room_id = ack.room.id
    asked: list[tuple[str, str, object]] = [
        ("GET", "", None), ("PATCH", "", {"name": "Mine"}), ("DELETE", "", None), ("POST", "/leave", None),
    ]  # fmt: skip
    for method, path, body in asked:
        for name in (room_id, "hidden"):
            there = await api.call(method, f"/rooms/{name}{path}", body, token=robert.access_token)
            missing = await api.call(method, f"/rooms/nowhere{path}", body, token=robert.access_token)
            assert (there.status, there.body["error"]["code"]) == (404, "room-not-found"), (method, path)
            assert there.body["error"]["message"] == missing.body["error"]["message"]


async def test_room_that_is_not_kept_can_be_changed_by_nobody_from_here(
    api: Api, clara: User, patient: Server, connect: Connect
) -> None:
    room_id = (await (await connect(patient)).join("Attic")).room.id
    for method, body in (("PATCH", {"name": "Mine"}), ("DELETE", None)):
        answer = await api.call(method, f"/rooms/{room_id}", body, token=clara.access_token)
        assert (answer.status, answer.code) == (403, "not-permitted")


async def test_change_to_the_name_of_another_room_is_refused_as_taken(
    api: Api, clara: User, patient: Server, connect: Connect
) -> None:
    room_id = await create(api, clara)
    await create(api, clara, name="Attic")
    await (await connect(patient)).join("Cellar")
    for name in ("ATTIC", "cellar"):
        answer = await api.call("PATCH", f"/rooms/{room_id}", {"name": name}, token=clara.access_token)
        assert (answer.status, answer.code, answer.field) == (409, "taken", "name")


async def test_delete_takes_the_room_away(api: Api, clara: User) -> None:
    room_id = await create(api, clara)
    assert (await api.call("DELETE", f"/rooms/{room_id}", token=clara.access_token)).status == 204
    assert (await api.call("GET", f"/rooms/{room_id}")).status == 404


@pytest.mark.parametrize("password", [None, "secret"])
async def test_delete_takes_reserved_seats_away(
    api: Api, clara: User, robert: User, patient: Server, connect: Connect, password: str | None
) -> None:
    room_id = await create(api, clara, name="Salon", password=password)
    body = {} if password is None else {"password": password}
    for token in (clara.access_token, robert.access_token, await api.guest()):
        assert (await api.call("POST", f"/rooms/{room_id}/join", body, token=token)).status == 200
    assert (await api.call("DELETE", f"/rooms/{room_id}", token=clara.access_token)).status == 204
    assert (await api.call("GET", f"/rooms/{room_id}")).status == 404
    assert (await api.call("POST", f"/rooms/{room_id}/join", body, token=robert.access_token)).status == 404
    listed = (await api.call("GET", "/rooms/active")).body["rooms"]
    assert [room["name"] for room in listed if room["id"] == room_id] == []
    ack = await (await connect(patient)).join("Salon")  # the name is free again
    assert ack.room.owner is not None


async def test_room_with_a_password_does_not_open_because_it_is_deleted(
    api: Api, clara: User, patient: Server, connect: Connect
) -> None:
    room_id = await create(api, clara, name="Salon", password="secret")
    guest, stranger = await connect(patient), await connect(patient)
    await guest.join(room_id, password="secret")
    await guest.ask("chat-message", {"content": "between us"})
    assert (await api.call("DELETE", f"/rooms/{room_id}", token=clara.access_token)).status == 204
    await guest.expect(ChatCleared)
    for reference in (room_id, "salon"):
        for password in ({}, {"password": "another"}, {"password": "secret"}):
            refused = await stranger.refused("join-room", {"room": reference, **password})
            assert refused.code == ErrorCode.WRONG_PASSWORD
    room = patient.hub.registry.by_id(room_id)
    assert room is not None
    assert not room.chat.history()


class SlowPasswords:
    """Checks of rooms' passwords, which wait until they are let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.let_go = asyncio.Event(), asyncio.Event()
        verify = RoomPasswords.verify

        async def later(passwords: RoomPasswords, hashed: str, password: str) -> bool:
            self.begun.set()
            await self.let_go.wait()
            return await verify(passwords, hashed, password)

        monkeypatch.setattr(RoomPasswords, "verify", later)


@pytest.mark.parametrize("is_open", [False, True], ids=["asleep", "with somebody in it"])
async def test_join_whose_password_is_checked_while_the_room_is_deleted(
    api: Api,
    clara: User,
    robert: User,
    patient: Server,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
    is_open: bool,
) -> None:
    room_id = await create(api, clara, name="Salon", password="secret")
    guest = await connect(patient)
    if is_open:
        await guest.join(room_id, password="secret")
    slow = SlowPasswords(monkeypatch)
    join = ("POST", f"/rooms/{room_id}/join", {"password": "secret"})
    joining = asyncio.create_task(api.call(*join, token=robert.access_token))
    await within(slow.begun.wait())
    assert (await api.call("DELETE", f"/rooms/{room_id}", token=clara.access_token)).status == 204
    slow.let_go.set()
    answer = await joining
    assert (answer.status, answer.code) == (404, "room-not-found")
    if is_open:  # it stays for those who are in it, and waits for nobody
        assert (await api.call("GET", f"/rooms/{room_id}")).body["owner"] == guest.welcome.user.id
        await guest.ask("leave-room")
    assert patient.hub.registry.by_id(room_id) is None
    assert (await api.call(*join, token=robert.access_token)).status == 404


@pytest.mark.parametrize(
    ("change", "code"), [({"password": "another"}, "wrong-password"), ({"allow_guests": False}, "guests-not-allowed")]
)
async def test_join_whose_password_is_checked_while_the_room_changes_is_bound_by_the_change(
    api: Api, clara: User, patient: Server, monkeypatch: pytest.MonkeyPatch, change: dict[str, object], code: str
) -> None:
    room_id = await create(api, clara, name="Salon", password="secret")
    slow = SlowPasswords(monkeypatch)
    body = {"password": "secret"}
    joining = asyncio.create_task(api.call("POST", f"/rooms/{room_id}/join", body, token=await api.guest()))
    await within(slow.begun.wait())
    assert (await api.call("PATCH", f"/rooms/{room_id}", change, token=clara.access_token)).status == 200
    slow.let_go.set()
    assert (await joining).code == code
    room = patient.hub.registry.by_id(room_id)
    assert room is None or not len(room.seats)


async def test_join_gives_up_when_the_password_is_another_one_after_each_check(
    api: Api, clara: User, patient: Server, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    room_id = await create(api, clara, name="Salon", password="secret")
    owner, guest = await connect(patient), await connect(patient)
    await owner.join(room_id, password="secret")
    checks = 0

    async def change_meanwhile(passwords: RoomPasswords, _hashed: str, _password: str) -> bool:
        nonlocal checks
        checks += 1
        room = patient.hub.registry.by_id(room_id)
        assert room is not None
        later = room.keeper.change(room.name, room.settings, f"secret {checks}")
        assert later is not None
        await later
        return True

    monkeypatch.setattr(RoomPasswords, "verify", change_meanwhile)
    refused = await guest.refused("join-room", {"room": room_id, "password": "secret"})
    assert refused.code == ErrorCode.UNAVAILABLE
    assert checks < 10


async def test_deleted_room_ends_with_its_last_member_whatever_was_reserved(
    api: Api, clara: User, robert: User, patient: Server, connect: Connect
) -> None:
    room_id = await create(api, clara, name="Salon")
    guest = await connect(patient)
    await guest.join(room_id)
    assert (await api.call("POST", f"/rooms/{room_id}/join", {}, token=robert.access_token)).status == 200
    assert (await api.call("DELETE", f"/rooms/{room_id}", token=clara.access_token)).status == 204
    room = (await api.call("GET", f"/rooms/{room_id}")).body
    assert room["owner"] == guest.welcome.user.id
    await guest.ask("leave-room")
    assert (await api.call("GET", f"/rooms/{room_id}")).status == 404


async def test_join_reserves_a_seat_and_opens_the_socket(
    api: Api, clara: User, patient: Server, connect: Connect
) -> None:
    room_id = await create(api, clara, password="secret", settings={"max_players": 1})
    answer = await api.call("POST", f"/rooms/{room_id}/join", {"password": "secret"}, token=clara.access_token)
    assert answer.status == 200, answer.body
    other = await api.call("POST", f"/rooms/{room_id}/join", {"password": "secret"}, token=await api.guest())
    assert (other.status, other.code) == (409, "room-full")
    client = await connect(patient, path=f"/ws?ticket={answer.body['ticket']}")
    ack = await client.join(room_id)
    assert ack.room.id == room_id


@pytest.mark.parametrize(
    ("settings", "password", "code"),
    [
        ({}, None, "wrong-password"),
        ({}, "wrong", "wrong-password"),
        ({"allow_guests": False}, "secret", "guests-not-allowed"),
    ],
)
async def test_join_refused_says_why(
    api: Api, clara: User, settings: dict[str, Any], password: str | None, code: str
) -> None:
    room_id = await create(api, clara, password="secret", settings=settings)
    answer = await api.call("POST", f"/rooms/{room_id}/join", {"password": password}, token=await api.guest())
    assert (answer.status, answer.code) == (403, code)


async def test_join_by_a_moderator_needs_no_password_and_is_written_down(
    api: Api, clara: User, robert: User, moderator: User, promote: Promote
) -> None:
    admin = await api.register("Ada")
    await promote(admin, Role.ADMIN)
    room_id = await create(api, clara, password="secret", settings={"max_players": 2})
    joined = await api.call("POST", f"/rooms/{room_id}/join", {}, token=moderator.access_token)
    assert joined.status == 200
    refused = await api.call("POST", f"/rooms/{room_id}/join", {}, token=robert.access_token)
    assert (refused.status, refused.code) == (403, "wrong-password")
    page = await api.call("GET", "/audit?action=room.entered-by-rank", token=admin.access_token)
    (entry,) = page.body["entries"]
    assert (entry["actor_id"], entry["target"]) == (moderator.id, room_id)
    owner = await api.call("POST", f"/rooms/{room_id}/join", {"password": "secret"}, token=clara.access_token)
    assert owner.status == 200
    full = await api.call("POST", f"/rooms/{room_id}/join", {}, token=admin.access_token)
    assert (full.status, full.code) == (409, "room-full")


async def test_join_a_room_that_is_not_there_is_refused(api: Api) -> None:
    answer = await api.call("POST", "/rooms/nowhere/join", {}, token=await api.guest())
    assert (answer.status, answer.code) == (404, "room-not-found")


async def test_join_by_two_hundred_at_once_gives_every_seat_once(api: Api, clara: User) -> None:
    room_id = await create(api, clara, settings={"max_players": SEATS})
    guests = [await api.guest() for _ in range(CLIENTS)]

    async def join(token: str) -> Answer:
        return await api.call("POST", f"/rooms/{room_id}/join", {}, token=token)

    answers = await asyncio.gather(*map(join, guests))
    seated = [answer for answer in answers if answer.status == 200]
    refused = [answer for answer in answers if answer.status != 200]
    assert len(seated) == SEATS
    assert {(answer.status, answer.code) for answer in refused} == {(409, "room-full")}


async def test_leave_gives_the_seat_back(api: Api, clara: User) -> None:
    room_id = await create(api, clara, settings={"max_players": 1})
    first, second = await api.guest(), await api.guest()
    assert (await api.call("POST", f"/rooms/{room_id}/join", {}, token=first)).status == 200
    assert (await api.call("POST", f"/rooms/{room_id}/leave", token=second)).code == "not-in-room"
    assert (await api.call("POST", f"/rooms/{room_id}/leave", token=first)).status == 204
    assert (await api.call("POST", f"/rooms/{room_id}/join", {}, token=second)).status == 200


async def test_leave_takes_the_socket_out_of_the_room(api: Api, clara: User, patient: Server, connect: Connect) -> None:
    room_id = await create(api, clara)
    answer = await api.call("POST", f"/rooms/{room_id}/join", {}, token=clara.access_token)
    client = await connect(patient, path=f"/ws?ticket={answer.body['ticket']}")
    await client.join(room_id)
    assert (await api.call("GET", f"/rooms/{room_id}")).body["players"] == 1
    assert (await api.call("POST", f"/rooms/{room_id}/leave", token=clara.access_token)).status == 204
    assert (await api.call("GET", f"/rooms/{room_id}")).body["players"] == 0


async def test_reserved_seat_is_none_after_a_new_password(
    api: Api, clara: User, robert: User, patient: Server, connect: Connect
) -> None:
    """Members who are there stay, and so do seats when anything else is changed."""
    room_id = await create(api, clara, password="secret", settings={"max_players": 2})
    member = await connect(patient)
    await member.join(room_id, password="secret")
    given = await api.call("POST", f"/rooms/{room_id}/join", {"password": "secret"}, token=robert.access_token)
    client = await connect(patient, path=f"/ws?ticket={given.body['ticket']}")
    change = {"only_owner_can_play": True}
    assert (await api.call("PATCH", f"/rooms/{room_id}", change, token=clara.access_token)).status == 200
    third = await connect(patient)
    assert (await third.refused("join-room", {"room": room_id, "password": "secret"})).code == "room-full"
    change_2 = {"password": "another"}
    assert (await api.call("PATCH", f"/rooms/{room_id}", change_2, token=clara.access_token)).status == 200
    for password in (None, "secret"):
        refused = await client.refused("join-room", {"room": room_id, "password": password})
        assert refused.code == "wrong-password"
    again = await api.call("POST", f"/rooms/{room_id}/join", {"password": "secret"}, token=robert.access_token)
    assert (again.status, again.code) == (403, "wrong-password")
    await member.ask("chat-message", {"content": "I am still here"})
    await client.join(room_id, password="another")


async def test_reserved_seat_in_a_guests_room_is_none_after_a_new_password(
    api: Api, robert: User, patient: Server, connect: Connect
) -> None:
    owner = await connect(patient)
    room_id = (await owner.join("Attic", password="secret")).room.id
    given = await api.call("POST", f"/rooms/{room_id}/join", {"password": "secret"}, token=robert.access_token)
    assert given.status == 200
    await owner.ask("room-update", {"settings": {"password": "another"}})
    client = await connect(patient, path=f"/ws?ticket={given.body['ticket']}")
    assert (await client.refused("join-room", {"room": room_id})).code == "wrong-password"
    await owner.ask("chat-message", {"content": "hello"})
