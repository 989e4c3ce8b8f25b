"""Rooms of users with an account: they outlive their members, the server and the absence of the database."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final, cast

import pytest
from msgspec import UNSET

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import ChatCleared, ChatLine, RoomSettings, RoomUpdated
from rhythmd.app import Server
from rhythmd.errors import Refused
from rhythmd.fairness.shares import Shares
from rhythmd.hub.keeping.catalogue import Catalogue
from rhythmd.hub.keeping.keepers import PasswordHasher, StoredSide
from rhythmd.hub.keeping.ledger import Ledger
from rhythmd.hub.keeping.live_file import LiveFile
from rhythmd.hub.rooms.keeper import Later
from rhythmd.hub.rooms.members import Player
from rhythmd.hub.rooms.registry import Registry
from rhythmd.hub.rooms.sanctions import PER_NETWORK
from rhythmd.rows import SanctionKind
from rhythmd.store.live import NoLiveState
from rhythmd.store.sqlite import SqliteStore
from tests.client import Client, Connect, open_client
from tests.deadline import until
from tests.hub.manual import bare_hub
from tests.hub.people import Person, Register
from tests.hub.rooms import find, until_asleep
from tests.server import Serve, make_config, running_process, running_server

SECRET: Final = "open-sesame-8421"
HOME: Final = "203.0.113.7"

Run = Callable[[], Awaitable[Server]]


@pytest.fixture
async def robert(server: Server, register: Register) -> Person:
    return await register(server, "robert")


@pytest.fixture
async def salon(clara: Person) -> Client:
    """A socket of Clara's, who has made the room "Salon"."""
    client = await clara.open()
    await client.join("Salon")
    return client


@contextlib.asynccontextmanager
async def restarts(tmp_path: Path) -> AsyncIterator[Run]:
    """Starts a server on the same data, after stopping the one before."""
    async with contextlib.AsyncExitStack() as stack:

        async def run() -> Server:
            await stack.aclose()
            return await stack.enter_async_context(running_server(make_config(tmp_path / "data")))

        yield run


async def owner_of(client: Client) -> str | None:
    return (await client.expect(RoomUpdated)).room.owner


# Outliving


async def test_room_of_a_member_outlives_its_members(
    server: Server, connect: Connect, salon: Client, subprotocol: str
) -> None:
    guest = await connect(server, subprotocol)
    await salon.ask("leave-room")
    await until(lambda: server.hub.registry.get("Salon") is None, "the room sleeps")
    ack = await find(guest, "  sALON ")
    assert (ack.room.name, ack.room.owner) == ("Salon", None)
    await guest.ask("leave-room")
    assert (await find(guest, ack.room.id)).room.id == ack.room.id


async def test_room_outlives_the_server(tmp_path: Path, register: Register) -> None:
    async with restarts(tmp_path) as run:
        server = await run()
        clara, robert = await register(server, "clara"), await register(server, "robert")
        owner, banned = await clara.open(), await robert.open()
        ack = await owner.join("Salon", password=SECRET, settings={"max_players": 7, "welcome_message": "Hello"})
        await find(banned, "Salon", password=SECRET)
        await banned.ask("chat-message", {"content": "/me plays"})
        await owner.ask("ban", {"user": robert.id, "reason": "noise"})
        await owner.ask("room-update", {"settings": {"name": "Grand Salon", "stage": "cave"}})
        await owner.ask("leave-room")  # nobody may resume: the room sleeps
        clara, robert = clara._replace(server=server), robert._replace(server=server)
        server = await run()
        files = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
        assert all(SECRET.encode() not in path.read_bytes() for path in files)
        guest, banned = await clara.connect(server), await (await robert.log_in(server)).open()
        assert (await banned.refused("join-room", {"room": "grand salon", "password": SECRET})).code == "banned"
        assert (await guest.refused("join-room", {"room": "Salon", "password": SECRET})).code == "room-not-found"
        for password in (None, "wrong"):
            error = await guest.refused("join-room", {"room": ack.room.id, "password": password})
            assert (error.code, error.field) == ("wrong-password", "password")
        again = await find(guest, "grand salon", password=SECRET)
        assert (again.room.id, again.room.has_password, again.room.owner) == (ack.room.id, True, None)
        assert (again.room.settings.max_players, again.room.settings.stage) == (7, "cave")
        assert [(line.content, line.name) for line in again.chat] == [("plays", "robert"), ("Hello", None)]
        owner = await (await clara.log_in(server)).open()
        assert (await find(owner, "Grand Salon", password=SECRET)).room.owner == clara.id
        await owner.ask("unban", {"user": robert.id})
        await find(banned, "Grand Salon", password=SECRET)


async def test_chat_is_stored_when_it_is_acknowledged(tmp_path: Path, register: Register) -> None:
    async with restarts(tmp_path) as run:
        clara = await register(await run(), "clara")
        await (await clara.open()).join("Salon")
    async with running_process(tmp_path) as process, open_client(process.port) as client:
        await find(client, "Salon")
        await client.ask("chat-message", {"content": "remember this"})
        process.signal(signal.SIGKILL)
        assert (await client.closed()).code == 1006
    async with restarts(tmp_path) as run:
        client = await clara.connect(await run())
        assert [line.content for line in (await find(client, "Salon")).chat] == ["remember this"]


async def test_sleeping_room_gets_chat_ids_that_go_on(server: Server, salon: Client) -> None:
    ids: list[int] = []
    for _ in range(2):
        await salon.ask("chat-message", {"content": "hello"})
        ids.append((await salon.expect(ChatLine)).id)
        await salon.ask("leave-room")
        assert [line.id for line in (await find(salon, "Salon")).chat] == ids
    assert ids == sorted(set(ids))


# Owning


async def test_owner_owns_the_room_while_present_and_nobody_does_otherwise(
    server: Server, connect: Connect, clara: Person, salon: Client, subprotocol: str
) -> None:
    guest = await connect(server, subprotocol)
    assert (await find(guest, "Salon")).room.owner == clara.id
    await salon.ask("leave-room")
    assert await owner_of(guest) is None
    assert (await guest.refused("room-update", {"settings": {"stage": "cave"}})).code == "not-owner"
    ack = await find(salon, "Salon")
    assert (ack.room.owner, ack.quota.maximum) == (clara.id, 1_800)
    assert await owner_of(guest) == clara.id
    assert (await salon.refused("transfer-owner", {"user": guest.welcome.user.id})).code == "not-permitted"
    await salon.ask("room-update", {"settings": {"stage": "cave"}})
    assert (await guest.expect(RoomUpdated)).room.settings.stage == "cave"


async def test_owner_by_the_name_of_another_member_owns_nothing(
    server: Server, clara: Person, robert: Person, salon: Client
) -> None:
    await salon.ask("leave-room")
    other = await robert.open()
    await other.ask("user-update", {"name": "clara"})
    assert (await find(other, "Salon")).room.owner is None


# Changing


async def test_room_update_of_a_kept_room_is_stored(
    server: Server, connect: Connect, salon: Client, subprotocol: str
) -> None:
    guest = await connect(server, subprotocol)
    await salon.ask("room-update", {"settings": {"name": "Attic", "password": SECRET, "max_players": 3}})
    await salon.ask("leave-room")
    assert (await guest.refused("join-room", {"room": "Salon"})).code == "room-not-found"
    assert (await guest.refused("join-room", {"room": "Attic"})).code == "wrong-password"
    assert (await find(guest, "attic", password=SECRET)).room.settings.max_players == 3
    await find(salon, "attic", password=SECRET)
    await salon.ask("room-update", {"settings": {"password": None}})
    for client in (salon, guest):
        await client.ask("leave-room")
    assert not (await find(guest, "attic")).room.has_password


async def test_name_of_another_room_is_refused_and_changes_nothing(
    server: Server, connect: Connect, clara: Person, salon: Client
) -> None:
    second, guest, other = await clara.open(), await connect(server), await connect(server)
    await second.join("Attic")
    await second.ask("leave-room")
    await guest.join("Cellar")
    for client, name, code in (
        (salon, "ATTIC", "taken"),
        (salon, "cellar", "taken"),
        (guest, "attic", "taken"),
        (guest, "Salon", "taken"),
        (salon, "Lobby 3", "invalid-field"),
    ):
        error = await client.refused("room-update", {"settings": {"name": name, "stage": "cave"}})
        assert (error.code, error.field) == (code, "settings.name")
    await salon.ask("leave-room")
    for name in ("Salon", "Cellar"):
        ack = await find(other, name)
        assert (ack.room.name, ack.room.settings.stage) == (name, "")
    await guest.ask("room-update", {"settings": {"name": "Barn"}})
    assert (await find(guest, "salon")).room.name == "Salon"


async def test_create_with_the_name_of_a_room_joins_it(
    server: Server, connect: Connect, clara: Person, robert: Person, salon: Client
) -> None:
    guest, member = await connect(server), await robert.open()
    await salon.ask("leave-room")
    ids = {(await client.join(" Salon", settings={"stage": "cave"})).room.id for client in (guest, member, salon)}
    assert len(ids) == 1
    assert (await find(await connect(server), "Salon")).room.owner == clara.id


# At once


@pytest.mark.parametrize("password", [None, SECRET])
async def test_two_who_create_a_name_at_once_meet_in_one_room(
    server: Server, clara: Person, robert: Person, password: str | None
) -> None:
    for number in range(5):
        clients = [await clara.open(), await robert.open()]
        name = f"Salon {number}"
        acks = await asyncio.gather(*(client.join(name, password=password) for client in clients))
        assert len({ack.room.id for ack in acks}) == 1
        last = max(acks, key=lambda ack: ack.room.players)
        assert (last.room.players, last.room.owner in {clara.id, robert.id}) == (2, True)
        for client in clients:
            await client.close()


async def test_many_who_wake_a_room_at_once_meet_in_one_room(server: Server, connect: Connect, salon: Client) -> None:
    await salon.ask("room-update", {"settings": {"max_players": 50}})
    await salon.ask("leave-room")
    clients = [await connect(server) for _ in range(51)]
    await until_asleep(server)
    answers = await asyncio.gather(*(client.answer("join-room", {"room": "Salon"}) for client in clients))
    refusals = [answer.error.code for answer in answers if answer.error]
    slots = {answer.data["slot"] for answer in answers if not answer.error}
    assert (refusals, len(slots)) == (["room-full"], 50)


# Bans, limits and chat


async def done(later: Later) -> None:
    if later is not None:
        await later


@contextlib.asynccontextmanager
async def stored_rooms(tmp_path: Path) -> AsyncIterator[tuple[SqliteStore, Registry, Catalogue]]:
    """A store, the live rooms and all rooms, without sockets."""
    store = SqliteStore(tmp_path / "rooms.sqlite3")
    await store.start()
    config = make_config(tmp_path)
    registry = bare_hub(config, asyncio.get_running_loop()).registry
    ledger = Ledger(Shares(config), registry.make_way)
    side = StoredSide(store, cast(PasswordHasher, None), config.rooms)
    yield store, registry, Catalogue(registry, side, LiveFile(NoLiveState(), 100, ledger), 20)
    await store.close()


async def test_room_that_wakes_during_a_change_follows_it(tmp_path: Path) -> None:
    async with stored_rooms(tmp_path) as (_, registry, catalogue):
        room = await catalogue.open((await catalogue.store("clara", "Salon", RoomSettings(), None)).id)
        assert room is not None
        change = room.keeper.change("Attic", RoomSettings(stage="cave"), UNSET)
        registry.free(room)  # the owner is lost before the store has it
        woken = await catalogue.open("salon")
        assert woken is not None
        await done(change)
        assert (woken.name, woken.settings.stage) == ("Attic", "cave")
        assert registry.get("attic") is woken


async def test_id_of_a_room_is_no_name_for_another(tmp_path: Path) -> None:
    async with stored_rooms(tmp_path) as (_, registry, catalogue):
        row = await catalogue.store("clara", "Salon", RoomSettings(), None)
        other = await catalogue.create(None, "Attic", RoomSettings(), None)
        assert other is not None
        with pytest.raises(Refused) as caught:
            await catalogue.check_free(row.id, other.id, "settings.name")
        assert caught.value.code is ErrorCode.TAKEN
        other.change_settings(row.id, RoomSettings())  # however it got that name
        assert await catalogue.delete(row.id)
        assert registry.by_id(row.id) is None
        assert registry.by_id(other.id) is other


async def test_ban_of_a_guest_is_one_ban_again_when_the_room_wakes(tmp_path: Path) -> None:
    async with stored_rooms(tmp_path) as (store, registry, catalogue):
        room = await catalogue.open((await catalogue.store("clara", "Salon", RoomSettings(), None)).id)
        assert room is not None
        guest = Player("guest", "Guest", "#ffffff", "203.0.113.7", guest=True, bot=False)
        room.sanctions.bans.add(guest, None)
        await done(room.keeper.sanction(SanctionKind.BAN, "guest", "clara"))
        registry.free(room)
        woken = await catalogue.open("salon")
        assert woken is not None
        assert woken is not room
        assert [one.keys for one in woken.sanctions.bans.all()] == [("guest", "203.0.113.7")]
        await done(woken.keeper.pardon(SanctionKind.BAN, "guest"))
        assert await store.rooms.sanctions(room.id, 0) == []


async def test_store_keeps_no_more_bans_of_guests_of_one_network_than_a_room_has(tmp_path: Path) -> None:
    async with stored_rooms(tmp_path) as (store, registry, catalogue):
        room = await catalogue.open((await catalogue.store("clara", "Salon", RoomSettings(), None)).id)
        assert room is not None
        for number in range(PER_NETWORK + 3):
            room.sanctions.bans.add(
                Player(f"guest {number}", f"Guest {number}", "#fff", HOME, guest=True, bot=False), None
            )
            await done(room.keeper.sanction(SanctionKind.BAN, f"guest {number}", "clara"))
        kept = await store.rooms.sanctions(room.id, 0)
        assert len({row.subject.rpartition("|")[2] for row in kept}) == len(room.sanctions.bans.all()) == PER_NETWORK
        registry.free(room)
        woken = await catalogue.open("salon")
        assert woken is not None
        assert len(woken.sanctions.bans.all()) == PER_NETWORK


async def test_account_keeps_only_so_many_rooms(serve: Serve, connect: Connect, register: Register) -> None:
    server = await serve("rooms.kept_per_account=2")
    clara, robert = await register(server, "clara"), await register(server, "robert")
    for name in ("one", "two"):
        await (await clara.open()).join(name)
    socket = await clara.open()
    assert (await socket.refused("join-room", {"room": "three", "create": True})).code == "room-limit"
    assert (await socket.refused("join-room", {"room": "three"})).code == "room-not-found"
    await socket.join("one")
    await (await robert.open()).join("three")
    await (await connect(server)).join("four")


async def test_chat_that_is_cleared_is_forgotten_for_good(server: Server, salon: Client) -> None:
    await salon.ask("chat-message", {"content": "hello"})
    await salon.ask("clear-chat")
    await salon.expect(ChatCleared)
    await salon.ask("leave-room")
    assert (await find(salon, "Salon")).chat == []
