"""The server while MongoDB or Redis is killed and comes back: rooms play on, and nobody restarts anything."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final

import orjson
import pytest
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import InvalidStatus

from rhythmd.store.mongo import DriverName
from tests.client import Client, Connect
from tests.deadline import POLL_S, until, within
from tests.faults.duet import duet
from tests.raw import open_raw
from tests.rest.api import PASSWORD, UNLIMITED, Api, User, open_api
from tests.server import ServerProcess, Spawn
from tests.services import Mongod, Valkey, running_mongod, running_valkey

UNAVAILABLE: Final = "unavailable"
STORE_AWAY: Final = (503, "store-away")
READY: Final = (200, "ready")
DRIVERS: Final = pytest.mark.parametrize("driver", ["motor", "pymongo"])
Write = Callable[[str], Awaitable[str | None]]


@pytest.fixture(scope="module")
def mongod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mongod]:
    """Tests that kill it start it again."""
    with running_mongod(tmp_path_factory.mktemp("mongod")) as running:
        yield running


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    with running_valkey(tmp_path) as running:
        yield running


def mongo_settings(mongod: Mongod, driver: DriverName, database: str) -> tuple[str, ...]:
    return (
        "rooms.chat_history=10000",
        *UNLIMITED,
        "limits.messages_per_s=1000",
        "rooms.kept_per_account=1000000",
        "store.backend=mongo",
        "store.timeout_s=2",
        f"mongo.url={mongod.url}",
        f"mongo.database={database}",
        f"mongo.driver={driver}",
        "mongo.find_s=0.3",
    )


def new_name() -> str:
    return uuid.uuid4().hex[:20]


async def pair(connect: Connect, server: ServerProcess, room: str) -> tuple[Client, Client]:
    """Two guests in `room`."""
    player, listener = await connect(server), await connect(server)
    await player.join(room)
    await listener.join(room)
    return player, listener


class Writer:
    """Writes one text after the other whatever happens, and notes which the server has acknowledged.

    Args:
        write: why the server refused a text; None if it did not.
    """

    def __init__(self, write: Write) -> None:
        self._write = write
        self.acknowledged: list[str] = []
        self.refused: list[str] = []
        self.over = False

    async def run(self) -> None:
        while not self.over:
            text = new_name()
            code = await self._write(text)
            if code is None:
                self.acknowledged.append(text)
            else:
                self.refused.append(code)
            await asyncio.sleep(POLL_S)

    async def acknowledge_more(self, count: int) -> None:
        goal = len(self.acknowledged) + count
        await until(lambda: len(self.acknowledged) >= goal, "writes are acknowledged")

    async def refuse_more(self, count: int) -> None:
        goal = len(self.refused) + count
        await until(lambda: len(self.refused) >= goal, "writes are refused")


@contextlib.asynccontextmanager
async def writing(*writes: Write) -> AsyncIterator[list[Writer]]:
    writers = [Writer(write) for write in writes]
    async with asyncio.TaskGroup() as tasks:
        for writer in writers:
            tasks.create_task(writer.run())
        yield writers
        for writer in writers:
            writer.over = True


def saying(client: Client) -> Write:
    async def say(text: str) -> str | None:
        answer = await client.answer("chat-message", {"content": text})
        return answer.error.code if answer.error else None

    return say


def posting(api: Api, path: str, body: Callable[[str], dict[str, str]], token: str | None = None) -> Write:
    async def post(text: str) -> str | None:
        answer = await api.call("POST", path, body(text), token=token)
        assert answer.status in (201, 503)
        return None if answer.status == 201 else answer.code

    return post


def registering(api: Api) -> Write:
    return posting(api, "/auth/register", lambda text: {"usertag": text, "password": PASSWORD})


def creating_rooms(api: Api, owner: User) -> Write:
    return posting(api, "/rooms/create", lambda text: {"name": text}, owner.access_token)


async def health(server: ServerProcess, kind: str) -> tuple[int, str]:
    """The status of `/health/…`, and what it says."""
    async with open_raw(server.port) as client:
        client.write(f"GET /health/{kind} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = await client.response()
        await client.rest()
    return answer.status, orjson.loads(answer.body)["status"]


async def until_healthy(server: ServerProcess, expected: tuple[int, str]) -> None:
    """Wait until `/health/ready` answers so."""

    async def poll() -> None:
        while True:
            if await health(server, "ready") == expected:
                return
            await asyncio.sleep(POLL_S)

    await within(poll())


async def assert_store_is_away(server: ServerProcess, api: Api, user: User) -> None:
    """What needs the database is refused with a code; what does not is there."""
    await until_healthy(server, STORE_AWAY)
    assert await health(server, "live") == (200, "live")
    rooms = (await api.call("GET", "/rooms/active")).body["rooms"]
    assert [room["players"] for room in rooms if room["id"] == "lobby"] == [2]
    for answer in (
        await api.call("GET", "/users/profile", token=user.access_token),
        await api.call("PATCH", "/users/profile", {"bio": "away"}, token=user.access_token),
        await api.call("GET", f"/users/{user.usertag}"),
        await api.call("POST", "/auth/login", {"usertag": user.usertag, "password": PASSWORD}),
    ):
        assert (answer.status, answer.code) == (503, UNAVAILABLE)


def kept(mongod: Mongod, database: str, collection: str, field: str) -> set[str]:
    """The values of a field of all documents, past the store."""
    with mongod.database(database) as documents:
        return {document[field] for document in documents[collection].find()}


@DRIVERS
async def test_mongod_killed_while_people_play_costs_no_note_and_nothing_acknowledged(
    spawn: Spawn, connect: Connect, mongod: Mongod, driver: DriverName
) -> None:
    server = await spawn(*mongo_settings(mongod, driver, f"played-{driver}"))
    async with open_api(server) as api:
        owner = await api.register("owner")
        assert await creating_rooms(api, owner)("Salon") is None
        talker = await connect(server, path=await api.socket_path(owner.access_token))
        await talker.join("Salon")
        lobby_pair, salon_pair = await pair(connect, server, "lobby"), await pair(connect, server, "Salon")
        writes = saying(talker), registering(api), creating_rooms(api, owner)
        async with duet(*lobby_pair), duet(*salon_pair), writing(*writes) as writers:
            await asyncio.gather(*(writer.acknowledge_more(5) for writer in writers))
            await asyncio.to_thread(mongod.kill)
            await asyncio.gather(*(writer.refuse_more(2) for writer in writers))
            await assert_store_is_away(server, api, owner)
            mongod.spawn()
            await asyncio.to_thread(mongod.await_primary)
            await until_healthy(server, READY)
            await asyncio.gather(*(writer.acknowledge_more(5) for writer in writers))
    lines, accounts, rooms = writers
    assert {code for writer in writers for code in writer.refused} == {UNAVAILABLE}
    assert set(lines.acknowledged) <= kept(mongod, f"played-{driver}", "chat", "content")
    assert set(accounts.acknowledged) <= kept(mongod, f"played-{driver}", "accounts", "usertag")
    assert set(rooms.acknowledged) <= kept(mongod, f"played-{driver}", "rooms", "name")
    assert "Traceback" not in server.log()


@DRIVERS
async def test_server_started_before_mongod_lets_guests_play_and_becomes_ready(
    spawn: Spawn, connect: Connect, mongod: Mongod, driver: DriverName
) -> None:
    mongod.kill()
    server = await spawn(*mongo_settings(mongod, driver, f"late-{driver}"))
    async with open_api(server) as api, duet(*await pair(connect, server, "lobby")):
        await until_healthy(server, STORE_AWAY)
        assert await registering(api)("early") == UNAVAILABLE
        refused = await (await connect(server)).refused("join-room", {"room": "Salon", "create": True})
        assert refused.code == UNAVAILABLE
        mongod.spawn()
        await asyncio.to_thread(mongod.await_primary)
        await until_healthy(server, READY)
        member = await api.register("later")
        await (await connect(server, path=await api.socket_path(member.access_token))).join("Salon")
    assert "Traceback" not in server.log()


async def socket_status(server: ServerProcess, path: str, token: str | None = None) -> int:
    """How the server answers an attempt to open a socket."""
    headers = {"Authorization": f"Bearer {token}"} if token else None
    try:
        async with open_socket(f"ws://127.0.0.1:{server.port}{path}", proxy=None, additional_headers=headers):
            return 101
    except InvalidStatus as error:
        return error.response.status_code


async def test_valkey_killed_refuses_tickets_and_nothing_else(spawn: Spawn, connect: Connect, valkey: Valkey) -> None:
    server = await spawn(*UNLIMITED, f"redis.url={valkey.url}", "redis.timeout_s=2")
    async with open_api(server) as api, duet(*await pair(connect, server, "lobby")):
        member = await api.register("member")
        path = await api.socket_path(member.access_token)
        valkey.kill()
        assert await socket_status(server, path) == 503
        sold = await api.call("POST", "/auth/ticket", token=member.access_token)
        assert sold.status == 503, "a ticket that nobody can redeem is not sold"
        assert await socket_status(server, "/ws", member.access_token) == 101
        assert (await api.call("GET", "/users/profile", token=member.access_token)).status == 200
        await api.register("another")
        valkey.start()
        assert await socket_status(server, path) == 401, "a Valkey that forgot everything has no such ticket"
        assert await socket_status(server, await api.socket_path(member.access_token)) == 101
    assert "Traceback" not in server.log()
