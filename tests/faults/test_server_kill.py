"""The server is killed fifty times under load: what it has acknowledged is there when it runs again."""

import asyncio
import contextlib
import itertools
import os
import random
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import aiohttp
import pytest
from websockets.exceptions import WebSocketException

from rhythmd.app import SQLITE_FILE
from rhythmd.store.sqlite import SqliteStore
from tests.client import open_client
from tests.deadline import within
from tests.members import UNLIMITED, Member, Rest, open_rest
from tests.server import running_process, server_environment

ROUNDS: Final = 50
LOAD_S: Final = (0.05, 0.35)
REGISTERING: Final = 3  # at once, as hashing their passwords takes a while
SETTINGS: Final = (
    *UNLIMITED,
    "rooms.chat_history=10000",
    "limits.write_buffer_bytes=16777216",  # for all of that history
)
SALON: Final = "Salon"
KILLED: Final = (aiohttp.ClientError, WebSocketException, OSError)
"""What a client notices when the server is killed."""


class Victims:
    """Servers on one data directory, one after the other."""

    def __init__(self, process: asyncio.subprocess.Process, data: Path) -> None:
        self._process = process
        self._arguments = ["serve", "--port", "0", "--data", str(data)]
        self._arguments += [part for setting in SETTINGS for part in ("--set", setting)]
        self._pid = 0

    async def start(self) -> int:
        """Start one: its port."""
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(self._arguments).encode() + b"\n")
        self._pid = int(await self._line())
        return int((await self._line()).rpartition(":")[2])

    async def kill(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        assert await self._line() == "gone"

    async def _line(self) -> str:
        assert self._process.stdout is not None
        return (await within(self._process.stdout.readline())).decode().strip()


@pytest.fixture
async def victims(tmp_path: Path) -> AsyncIterator[Victims]:
    """No traceback may be in their log."""
    log = tmp_path / "victims.log"
    command = ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "tests.faults.server_child"]
    with log.open("w") as stderr:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=stderr,
            env=server_environment(),
        )  # fmt: skip
    yield Victims(process, tmp_path / "data")
    process.kill()
    await within(process.wait())
    assert "Traceback" not in log.read_text()


@dataclass
class Ledger:
    """What the server has acknowledged."""

    accounts: list[str] = field(default_factory=list)
    rooms: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    bios: dict[str, int] = field(default_factory=dict)

    def later_than(self, accounts: int, rooms: int) -> "Ledger":
        """The same without the first accounts and rooms."""
        return Ledger(self.accounts[accounts:], self.rooms[rooms:], self.lines, self.bios)


def new_name() -> str:
    return uuid.uuid4().hex[:20]


class Load:
    """What people do until the server is gone. Each job waits for its answers, so one thing of each is in the air."""

    def __init__(self, port: int, rest: Rest, ledger: Ledger) -> None:
        self._port = port
        self._rest = rest
        self._ledger = ledger

    def jobs(self, members: list[Member]) -> list[Awaitable[None]]:
        each = [job(member) for member in members for job in (self._talk, self._change_profile)]
        return [*(self._register() for _ in range(REGISTERING)), self._create_rooms(members[0]), *each]

    async def _register(self) -> None:
        while True:
            member = await self._rest.register(new_name())
            self._ledger.accounts.append(member.usertag)

    async def _create_rooms(self, member: Member) -> None:
        while True:
            room = await self._rest.done("POST", "/rooms/create", {"name": new_name()}, token=member.token)
            self._ledger.rooms.append(room["id"])

    async def _change_profile(self, member: Member) -> None:
        for number in itertools.count(self._ledger.bios[member.usertag] + 1):
            await self._rest.done("PATCH", "/users/profile", {"bio": str(number)}, token=member.token)
            self._ledger.bios[member.usertag] = number

    async def _talk(self, member: Member) -> None:
        async with open_client(self._port, path=await self._rest.socket_path(member)) as client:
            await client.ask("join-room", {"room": SALON})
            while True:
                line = new_name()
                await client.ask("chat-message", {"content": line})
                self._ledger.lines.append(line)


async def until_killed(job: Awaitable[None]) -> None:
    with contextlib.suppress(*KILLED):
        await job


async def apply_and_kill(victims: Victims, load: Load, members: list[Member], seconds: float) -> None:
    jobs = [asyncio.create_task(until_killed(job)) for job in load.jobs(members)]
    await asyncio.sleep(seconds)  # The moment is what is tried out.
    await victims.kill()
    await within(asyncio.gather(*jobs))


async def assert_kept(port: int, rest: Rest, members: list[Member], ledger: Ledger) -> None:
    """All of `ledger` is there, and nobody is in a room."""
    for usertag in ledger.accounts:
        await rest.done("GET", f"/users/{usertag}")
    for room_id in (*ledger.rooms, SALON):
        assert (await rest.done("GET", f"/rooms/{room_id}"))["players"] == 0
    for member in members:
        profile = (await rest.done("GET", "/users/profile", token=member.token))["profile"]
        bio = int(profile["bio"] or 0)
        assert bio - ledger.bios[member.usertag] in (0, 1), "one more may have been in the air"
    async with open_client(port) as guest:
        joined = await guest.join(SALON)
        assert [user.slot for user in joined.members] == [joined.slot]
        assert set(ledger.lines) <= {line.content for line in joined.chat}


async def prepare(rest: Rest) -> list[Member]:
    """Members, and the room that they talk in."""
    members = [await rest.register(f"talker-{number}") for number in range(3)]
    await rest.done("POST", "/rooms/create", {"name": SALON}, token=members[0].token)
    return members


async def test_kill_under_load_loses_nothing_acknowledged(victims: Victims, tmp_path: Path) -> None:
    moments = random.Random(1)
    port = await victims.start()
    async with open_rest(port) as rest:
        members = await prepare(rest)
    await victims.kill()
    ledger = Ledger(bios=dict.fromkeys((member.usertag for member in members), 0))
    known = (0, 0)
    for _ in range(ROUNDS):
        port = await victims.start()
        async with open_rest(port) as rest:
            await assert_kept(port, rest, members, ledger.later_than(*known))
            known = len(ledger.accounts), len(ledger.rooms)
            await apply_and_kill(victims, Load(port, rest, ledger), members, moments.uniform(*LOAD_S))
    async with running_process(tmp_path, SETTINGS) as server, open_rest(server.port) as rest:
        await assert_kept(server.port, rest, members, ledger)
        server.signal(signal.SIGTERM)
        assert await server.wait() == 0
    assert await problems(tmp_path / "data" / SQLITE_FILE) == []
    assert min(len(ledger.lines), len(ledger.rooms), *ledger.bios.values()) > ROUNDS / 2
    assert ledger.accounts


async def problems(path: Path) -> list[str]:
    """What SQLite's integrity check and the store find wrong with the file."""
    store = SqliteStore(path)
    await store.start()
    found = await store.check()
    await store.close()
    return found
