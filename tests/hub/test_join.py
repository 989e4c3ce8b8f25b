"""Coming into rooms, and every reason for which one may not."""

import asyncio

import pytest

from rhythm_protocol.control import SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON
from rhythm_protocol.messages import RoomType, UserJoined, UserLeft
from rhythmd.app import Server
from tests.client import Client, Connect
from tests.server import AT_ONCE, Serve


@pytest.fixture
async def visitor(server: Server, connect: Connect) -> Client:
    """Somebody who sits in a room of their own."""
    client = await connect(server, SUBPROTOCOL_JSON)
    await client.join("Home")
    return client


@pytest.fixture
async def host(server: Server, connect: Connect) -> Client:
    return await connect(server)


async def refused_and_still_at_home(visitor: Client, **join: object) -> tuple[str, str | None]:
    """Code and field of the refusal."""
    error = await visitor.refused("join-room", join)
    assert (await visitor.refused("join-room", {"room": "Home"})).code == "already-in-room"
    return error.code, error.field


async def test_join_room_that_is_not_there_is_refused(visitor: Client) -> None:
    assert await refused_and_still_at_home(visitor, room="Nowhere") == ("room-not-found", "room")


async def test_join_room_full_is_refused(visitor: Client, host: Client) -> None:
    await host.join("Salon", settings={"max_players": 1})
    assert await refused_and_still_at_home(visitor, room="Salon") == ("room-full", None)


@pytest.mark.parametrize("password", [None, "wrong", "Secret"])
async def test_join_room_with_the_wrong_password_is_refused(
    visitor: Client, host: Client, password: str | None
) -> None:
    await host.join("Salon", password="secret")
    refusal = await refused_and_still_at_home(visitor, room="Salon", password=password)
    assert refusal == ("wrong-password", "password")


async def test_join_room_with_the_password_is_let_in(visitor: Client, host: Client) -> None:
    assert (await host.join("Salon", password="secret")).room.has_password
    assert (await visitor.join("Salon", password="secret")).slot == 2


async def test_join_room_banned_is_refused(visitor: Client, host: Client) -> None:
    await host.join("Salon")
    await visitor.join("Salon")
    await host.ask("ban", {"user": visitor.welcome.user.id})
    await visitor.join("Home")
    assert await refused_and_still_at_home(visitor, room="Salon") == ("banned", None)


async def test_join_room_without_guests_is_refused(visitor: Client, host: Client) -> None:
    await host.join("Salon", settings={"allow_guests": False})
    assert await refused_and_still_at_home(visitor, room="Salon") == ("guests-not-allowed", None)


async def test_join_room_without_bots_is_refused_to_bots_only(
    server: Server, connect: Connect, visitor: Client, host: Client
) -> None:
    await host.join("Salon", settings={"allow_bots": False})
    bot = await connect(server, path="/ws?bot=1")
    assert bot.welcome.user.bot
    assert (await bot.refused("join-room", {"room": "Salon"})).code == "bots-not-allowed"
    await visitor.join("Salon")


async def test_join_room_twice_is_refused(visitor: Client) -> None:
    assert await refused_and_still_at_home(visitor, room="home") == ("already-in-room", None)


async def test_join_room_of_a_full_server_is_refused(serve: Serve, connect: Connect) -> None:
    server = await serve("rooms.limit=2")
    first, second = await connect(server), await connect(server)
    await first.join("Salon")
    assert (await second.refused("join-room", {"room": "Attic", "create": True})).code == "room-limit"
    await first.ask("leave-room")
    await second.join("Attic")


@pytest.mark.parametrize(
    ("settings", "password", "field"),
    [
        ({"type": "lobby"}, None, "settings.type"),
        ({"type": "private"}, None, "password"),
        ({"max_players": 51}, None, "settings.max_players"),
    ],
)
async def test_create_against_the_rules_is_refused(
    visitor: Client, settings: dict[str, object], password: str | None, field: str
) -> None:
    refusal = await refused_and_still_at_home(visitor, room="New", create=True, settings=settings, password=password)
    assert refusal == ("invalid-field", field)
    assert (await visitor.refused("join-room", {"room": "New"})).code == "room-not-found"


async def test_create_keeps_settings_password_and_owner(visitor: Client) -> None:
    settings = {"type": "private", "max_players": 5, "mode": "orchestra", "stage": "church"}
    room = (await visitor.join("  New  ", settings=settings, password="secret")).room
    assert (room.name, room.has_password, room.players) == ("New", True, 1)
    assert room.owner == visitor.welcome.user.id
    given = room.settings
    assert (given.type, given.max_players, given.stage) == (RoomType.PRIVATE, 5, "church")


async def test_create_of_a_room_that_exists_joins_it_as_it_is(visitor: Client, host: Client) -> None:
    await host.join("Salon", settings={"max_players": 3})
    ack = await visitor.join("Salon", settings={"max_players": 9}, password="secret")
    assert (ack.room.settings.max_players, ack.room.has_password) == (3, False)
    assert ack.room.owner == host.welcome.user.id


@pytest.mark.parametrize("name", ["Salon", "sALON", " salon "])
async def test_join_room_by_name_in_any_case(visitor: Client, host: Client, name: str) -> None:
    room = (await host.join("Salon")).room
    assert (await visitor.join(name)).room.id == room.id


async def test_join_room_by_id(visitor: Client, host: Client) -> None:
    room = (await host.join("Salon")).room
    assert (await visitor.join(room.id)).room.name == "Salon"


async def test_join_room_leaves_the_one_before(visitor: Client, host: Client) -> None:
    await host.join("Home")
    await visitor.join("Salon")
    left = await host.expect(UserLeft)
    assert (left.user_id, left.reason) == (visitor.welcome.user.id, "left")


async def test_join_room_tells_the_others_and_not_the_newcomer(visitor: Client, host: Client) -> None:
    ack = await host.join("Home")
    joined = (await visitor.expect(UserJoined)).user
    assert (joined.id, joined.slot) == (host.welcome.user.id, ack.slot)
    assert [user.id for user in ack.members] == [visitor.welcome.user.id, host.welcome.user.id]
    assert await host.received() == []


async def test_leave_room_frees_an_empty_room(serve: Serve, connect: Connect) -> None:
    server = await serve("rooms.linger_s=0")
    host, visitor = await connect(server), await connect(server)
    await visitor.join("Home")
    await visitor.ask("leave-room")
    assert (await host.refused("join-room", {"room": "Home"})).code == "room-not-found"
    assert (await visitor.refused("leave-room")).code == "not-in-room"


async def test_lost_connection_leaves_the_room(serve: Serve, connect: Connect) -> None:
    server = await serve(AT_ONCE)
    host, visitor = await connect(server), await connect(server)
    for client in (host, visitor):
        await client.join("Home")
    visitor.abort()
    left = await host.expect(UserLeft)
    assert (left.user_id, left.reason) == (visitor.welcome.user.id, "lost")


async def test_slots_are_unique_and_not_given_again_at_once(server: Server, connect: Connect) -> None:
    first, second, third = [await connect(server) for _ in range(3)]
    slots = [(await client.join("Salon")).slot for client in (first, second)]
    assert slots == [1, 2]
    await second.ask("leave-room")
    assert (await third.join("Salon")).slot == 3
    assert (await second.join("Salon")).slot == 4


async def test_capacity_holds_when_two_hundred_join_at_once(server: Server, connect: Connect) -> None:
    kinds = (SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON)
    clients = await asyncio.gather(*(connect(server, kinds[number % 2]) for number in range(200)))
    answers = await asyncio.gather(*(join_or_reason(client) for client in clients))
    slots = [answer for answer in answers if isinstance(answer, int)]
    assert (len(slots), len(set(slots))) == (16, 16)
    assert answers.count("room-full") == 184


async def join_or_reason(client: Client) -> int | str:
    data = {"room": "Salon", "create": True, "settings": {"max_players": 16}}
    answer = await client.answer("join-room", data)
    return answer.data["slot"] if answer.error is None else answer.error.code
