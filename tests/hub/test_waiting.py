"""Messages that wait for the store: order is kept, notes are not delayed, and who is lost meanwhile leaves nothing."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from rhythm_protocol.messages import ChatLine
from rhythmd.app import SQLITE_FILE, Server
from tests.client import Answer, Client, Connect, note_off, note_on
from tests.deadline import DEADLINE_S, POLL_S, within
from tests.hub.people import Person, Register, stalled
from tests.metrics import metrics, until_connections
from tests.raw import ConnectRaw, upgrade_request
from tests.server import AT_ONCE, Serve, make_config


@pytest.fixture
async def server(serve: Serve) -> Server:
    return await serve("hub.flush_max_ms=0", "store.timeout_s=60", AT_ONCE)


async def answers(client: Client, count: int) -> list[tuple[int, str | None]]:
    """The next answers as (id, error code)."""
    found = [await client.expect(Answer) for _ in range(count)]
    return [(answer.id, answer.error.code if answer.error else None) for answer in found]


async def until_nobody_plays(server: Server) -> None:
    """Wait until no player is left, and no room but the lobby."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            values = await metrics(server)
            if (values["rhythmd_players"], values["rhythmd_rooms"], values["rhythmd_sessions"]) == (0, 1, 0):
                return
            await asyncio.sleep(POLL_S)


async def until_refused(server: Server) -> None:
    """Wait until a message was refused."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            if any("refusals_total" in name for name in await metrics(server)):
                return
            await asyncio.sleep(POLL_S)


async def until_refusing(server: Server) -> None:
    """Wait until the server takes no new connections."""
    with contextlib.suppress(ConnectionRefusedError):
        async with asyncio.timeout(DEADLINE_S):
            while True:
                _, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.close()
                await writer.wait_closed()


async def test_messages_behind_one_that_waits_keep_their_order(clara: Person, database: Path, subprotocol: str) -> None:
    client = await clara.open(subprotocol)
    async with stalled(clara, database):
        await client.send("join-room", {"room": "Salon", "create": True, "password": "sesame"}, 1)
        await client.send("chat-message", {"content": "first"}, 2)
        await client.send("user-update", {"name": ""}, 3)
        await client.send("chat-message", {"content": "second"}, 4)
        await client.send("leave-room", id_=5)
        await client.send("chat-message", {"content": "nowhere"}, 6)
        await client.clock()
        assert not client.has(Answer)
    assert await answers(client, 6) == [
        (1, None), (2, None), (3, "invalid-field"), (4, None), (5, None), (6, "not-in-room"),
    ]  # fmt: skip
    assert [(await client.expect(ChatLine)).content for _ in range(2)] == ["first", "second"]


async def test_notes_do_not_wait(
    server: Server, connect: Connect, clara: Person, database: Path, subprotocol: str
) -> None:
    client, listener = await clara.open(subprotocol), await connect(server)
    for each in (client, listener):
        await each.join("lobby")
    async with stalled(clara, database):
        await client.send("join-room", {"room": "Salon", "create": True}, 1)
        await client.play([note_on()])
        assert await listener.events(1) == [(client.slot, note_on())]
    assert await answers(client, 1) == [(1, None)]
    assert await listener.events(1) == [(client.slot, note_off())]


async def test_more_messages_than_may_wait_are_refused(clara: Person, database: Path, subprotocol: str) -> None:
    client = await clara.open(subprotocol)
    async with stalled(clara, database):
        for number in range(1, 105):
            await client.send("join-room" if number == 1 else "typing", {"room": "Salon", "typing": True}, number)
        assert await answers(client, 3) == [(number, "rate-limited") for number in (102, 103, 104)]
    others = [(number, "not-in-room") for number in range(2, 102)]
    assert await answers(client, 101) == [(1, "room-not-found"), *others]


@pytest.mark.parametrize("has_account", [True, False])
async def test_client_that_is_lost_while_its_messages_wait_leaves_nothing(
    server: Server, connect: Connect, clara: Person, database: Path, has_account: bool
) -> None:
    client = await clara.open() if has_account else await connect(server)
    async with stalled(clara, database):
        for room in ("Salon", "lobby", "Attic"):
            await client.send("join-room", {"room": room, "create": True}, 1)
        await client.send("chat-message", {"content": "hello"})
        await client.clock()
        client.abort()
        await until_connections(server, 0)
    await until_nobody_plays(server)
    other = await connect(server)
    assert (await other.refused("join-room", {"room": "Salon"})).code == "room-not-found"
    assert (await other.join("lobby")).room.players == 1


async def test_join_of_a_session_that_ends_while_it_waits_is_refused_for_that(
    serve: Serve, connect: Connect, clara: Person, database: Path
) -> None:
    server = await serve("hub.resume_s=0", "store.timeout_s=60", AT_ONCE)
    client = await connect(server)
    async with stalled(clara, database):
        await client.send("join-room", {"room": "Salon", "create": True}, 1)
        await client.clock()
        client.abort()
        await until_connections(server, 0)
    await until_refused(server)
    refused = {name: value for name, value in (await metrics(server)).items() if "refusals_total" in name}
    assert refused == {"rhythmd_refusals_total:connection-lost": 1.0}
    await until_nobody_plays(server)


async def test_name_is_not_changed_by_one_who_has_given_the_room_away_meanwhile(
    server: Server, connect: Connect, clara: Person, database: Path
) -> None:
    owner, heir = await connect(server), await connect(server)
    await owner.join("Salon")
    await heir.join("Salon")
    async with stalled(clara, database):
        await owner.send("room-update", {"settings": {"name": "Attic"}}, 7)
        await owner.clock()
        room = server.hub.registry.get("Salon")
        assert room is not None
        room.set_owner(room.members[heir.slot])
    answer = await owner.expect(Answer)
    while answer.id != 7:
        answer = await owner.expect(Answer)
    assert answer.error is not None
    assert answer.error.code == "not-owner"
    assert room.name == "Salon"


async def test_client_that_is_lost_while_its_room_wakes_leaves_it_asleep(
    server: Server, connect: Connect, clara: Person, database: Path
) -> None:
    client, guest = await clara.open(), await connect(server)
    await client.join("Salon", password="sesame")
    await client.ask("leave-room")
    async with stalled(clara, database):
        await guest.send("join-room", {"room": "Salon", "password": "sesame"}, 1)
        await guest.clock()
        for each in (client, guest):
            each.abort()
        await until_connections(server, 0)
    await until_nobody_plays(server)


async def test_line_of_a_client_that_is_lost_while_it_is_stored_is_said(
    server: Server, connect: Connect, clara: Person, database: Path
) -> None:
    client, guest = await clara.open(), await connect(server)
    await client.join("Salon")
    await guest.join("Salon")
    async with stalled(clara, database):
        await client.send("chat-message", {"content": "good bye"}, 1)
        await client.clock()
        client.abort()
        await until_connections(server, 1)
    assert (await guest.expect(ChatLine)).content == "good bye"


async def test_stop_lets_nobody_in_who_is_still_being_identified(
    tmp_path: Path, connect_raw: ConnectRaw, register: Register
) -> None:
    server = Server(make_config(tmp_path / "other", ("store.timeout_s=60",)))
    await server.start()
    clara = await register(server, "clara")
    async with stalled(clara, tmp_path / "other" / SQLITE_FILE):
        client = await connect_raw(server)
        client.write(upgrade_request("/ws", {"Authorization": f"Bearer {clara.token}"}))
        await until_connections(server, 1)
        stopping = asyncio.create_task(server.stop())
        await until_refusing(server)
    assert (await client.response()).status == 503
    await client.close()
    await within(stopping)
