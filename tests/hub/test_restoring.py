"""What the next server makes of what the one before left, be it readable or not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import monotonic

import msgspec
import pytest

from rhythm_protocol.messages import ChatLine, JoinAck, ResumeAck
from rhythmd.app import LIVE_FOLDER, Server
from rhythmd.hub.keeping.live_file import SavedRoom
from rhythmd.rows import SanctionKind
from rhythmd.store.live import MappedLiveState
from tests.client import Client, open_client
from tests.conftest import ErrorLog
from tests.hub.people import ORIGIN, PASSWORD, socket_path
from tests.rest.api import open_api
from tests.server import make_config, running_server

Clients = Callable[[Server, int], Awaitable[list[Client]]]


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    """Opens clients that stay when their server stops."""
    async with AsyncExitStack() as stack:

        async def start(server: Server, count: int) -> list[Client]:
            return [await stack.enter_async_context(open_client(server.port)) for _ in range(count)]

        yield start


@asynccontextmanager
async def left(folder: Path) -> AsyncIterator[MappedLiveState]:
    """What a server that has stopped left."""
    state = MappedLiveState(folder / LIVE_FOLDER, 1)
    await asyncio.to_thread(state.open)
    yield state
    state.close()


async def resume(client: Client, lost: Client) -> ResumeAck:
    data = await client.ask("resume", {"session": lost.welcome.session, "received": 1})
    return msgspec.convert(data, ResumeAck)


async def joined(client: Client, lost: Client) -> JoinAck:
    join = (await resume(client, lost)).join
    assert join is not None
    return join


async def test_value_that_cannot_be_read_costs_itself_alone(
    tmp_path: Path, clients: Clients, errors_logged: ErrorLog
) -> None:
    config = make_config(tmp_path)
    async with running_server(config) as server:
        clara, robert = await clients(server, 2)
        for client in (clara, robert):
            await client.join("Salon")
        await clara.ask("chat-message", {"content": "good evening"})
    async with left(tmp_path) as state:
        ((line, _),) = state.items("chat/")
        state.apply({f"seat/{robert.welcome.session}": b"\xc1", line: b"\x93", "room/none": b"\x80", "login/x": b"x"})
    async with running_server(config) as server:
        again, other = await clients(server, 2)
        join = await joined(again, clara)
        assert (join.room.players, join.chat) == (1, [])
        refusal = await other.refused("resume", {"session": robert.welcome.session, "received": 1})
        assert refusal.code == "session-not-found"
    assert errors_logged.records
    assert robert.welcome.session not in "".join(errors_logged.texts())
    errors_logged.records.clear()


async def test_another_format_is_not_read(tmp_path: Path, clients: Clients) -> None:
    config = make_config(tmp_path)
    async with running_server(config) as server:
        (clara,) = await clients(server, 1)
        await clara.join("Salon")
    async with left(tmp_path) as state:
        state.apply({"format": b"0", "beat": b"junk"})
    async with running_server(config) as server:
        (again,) = await clients(server, 1)
        refusal = await again.refused("resume", {"session": clara.welcome.session, "received": 1})
        assert refusal.code == "session-not-found"


async def test_what_cannot_be_restored_is_forgotten(tmp_path: Path, clients: Clients) -> None:
    config = make_config(tmp_path)
    async with running_server(config) as server:
        for client in await clients(server, 3):
            await client.join(f"Salon {client.welcome.user.id}")
            await client.ask("chat-message", {"content": "good evening"})
    async with running_server(make_config(tmp_path, ["rooms.limit=2"])):
        pass
    async with left(tmp_path) as state:
        counts = [len(state.items(prefix)) for prefix in ("room/", "chat/", "seat/", "last/")]
    assert counts == [1, 1, 1, 1]  # the other is the lobby, where nobody is


async def test_ban_that_is_given_another_end_stays_so(tmp_path: Path, clients: Clients) -> None:
    config = make_config(tmp_path)
    async with running_server(config) as server:
        owner, guest = await clients(server, 2)
        for client in (owner, guest):
            await client.join("Salon")
        ban = {"user": guest.welcome.user.id, "seconds": 1}
        await owner.ask("ban", ban)
        await owner.ask("ban", ban | {"seconds": 3_600})
    async with left(tmp_path) as state:
        ((_, value),) = state.items("room/")
    (imposed,) = msgspec.msgpack.decode(value, type=SavedRoom).sanctions[SanctionKind.BAN]
    assert imposed.until > monotonic() + 1_800


async def test_line_after_a_cleared_chat_has_a_new_id(tmp_path: Path, clients: Clients) -> None:
    config = make_config(tmp_path)
    async with running_server(config) as server:
        (owner,) = await clients(server, 1)
        await owner.join("Salon")
        for line in ("one", "two"):
            await owner.ask("chat-message", {"content": line})
        await owner.ask("clear-chat")
    async with running_server(config) as server:
        (again,) = await clients(server, 1)
        assert (await joined(again, owner)).chat == []
        await again.ask("chat-message", {"content": "three"})
        assert (await again.expect(ChatLine)).id == 3


async def test_owner_who_was_announced_late_is_known_to_those_who_come_back(tmp_path: Path, clients: Clients) -> None:
    config = make_config(tmp_path, ["hub.presence_limit=1"])
    async with running_server(config) as server:
        owner, heir = await clients(server, 2)
        for client in (owner, heir):
            await client.join("Salon")
        await owner.ask("transfer-owner", {"user": heir.welcome.user.id})
    async with running_server(config) as server:
        (again,) = await clients(server, 1)
        join = await joined(again, owner)
        assert join.room.owner in {user.id for user in join.members}


async def test_room_that_is_deleted_stays_for_those_in_it(tmp_path: Path, clients: Clients) -> None:
    config = make_config(tmp_path)
    async with AsyncExitStack() as stack:
        async with running_server(config) as server, open_api(server) as api:
            account = await server.auth.accounts.register("clara", PASSWORD, None, ORIGIN)
            token = account.grant.access_token
            path = await socket_path(server, await server.auth.authenticator.by_token(token))
            owner = await stack.enter_async_context(open_client(server.port, path=path))
            room = (await owner.join("Salon")).room
            (guest,) = await clients(server, 1)
            await guest.join("Salon")
            await api.call("DELETE", f"/rooms/{room.id}", token=token)
        async with running_server(config) as server:
            (again,) = await clients(server, 1)
            assert (await joined(again, guest)).room.id == room.id
