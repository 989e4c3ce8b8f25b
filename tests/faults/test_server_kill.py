"""The server is killed fifty times under load: what it has acknowledged is there when it runs again."""

import asyncio
import contextlib
import itertools
import random
import signal
import uuid
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from rhythmd.app import SQLITE_FILE
from rhythmd.clock import unix_ms
from rhythmd.rows import AuditFilter
from rhythmd.store.sqlite import SqliteStore
from tests.client import open_client
from tests.deadline import until, within
from tests.faults.victims import KILLED, Victims, running_victims
from tests.rest.api import UNLIMITED, Api, User, open_api
from tests.server import running_process

ROUNDS: Final = 50
LOAD_S: Final = (0.05, 0.35)
REGISTERING: Final = 3  # at once, as hashing their passwords takes a while
SETTINGS: Final = (
    *UNLIMITED,
    "limits.messages_per_s=100000",
    "limits.messages_burst=100000",
    "rooms.chat_history=10000",
    "rooms.kept_per_account=1000000",
    "limits.write_buffer_bytes=16777216",  # for all of that history
)
SALON: Final = "Salon"


@pytest.fixture
async def victims(tmp_path: Path) -> AsyncIterator[Victims]:
    async with running_victims(tmp_path, SETTINGS) as running:
        yield running


@dataclass
class Ledger:
    """What the server has acknowledged."""

    accounts: list[str] = field(default_factory=list)
    rooms: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    bios: dict[str, int] = field(default_factory=dict)

    def least(self) -> int:
        """How many there are of what there is least of, but for accounts, whose passwords take a while."""
        return min(len(self.lines), len(self.rooms), *self.bios.values())

    def later_than(self, accounts: int, rooms: int) -> "Ledger":
        """The same without the first accounts and rooms."""
        return Ledger(self.accounts[accounts:], self.rooms[rooms:], self.lines, self.bios)


def new_name() -> str:
    return uuid.uuid4().hex[:20]


async def done(api: Api, method: str, path: str, body: object = None, *, token: str | None = None) -> Any:
    """What the server answers to a request. A refusal fails the test."""
    answer = await api.call(method, path, body, token=token)
    assert answer.status < 300, answer.body
    return answer.body


class Load:
    """What people do until the server is gone. Each job waits for its answers, so one thing of each is in the air."""

    def __init__(self, port: int, api: Api, ledger: Ledger) -> None:
        self._port = port
        self._api = api
        self._ledger = ledger

    def jobs(self, members: list[User]) -> list[Awaitable[None]]:
        each = [job(member) for member in members for job in (self._talk, self._change_profile)]
        return [*(self._register() for _ in range(REGISTERING)), self._create_rooms(members[0]), *each]

    async def _register(self) -> None:
        while True:
            user = await self._api.register(new_name())
            self._ledger.accounts.append(user.usertag)

    async def _create_rooms(self, owner: User) -> None:
        while True:
            room = await done(self._api, "POST", "/rooms/create", {"name": new_name()}, token=owner.access_token)
            self._ledger.rooms.append(room["id"])

    async def _change_profile(self, member: User) -> None:
        for number in itertools.count(self._ledger.bios[member.usertag] + 1):
            await done(self._api, "PATCH", "/users/profile", {"bio": str(number)}, token=member.access_token)
            self._ledger.bios[member.usertag] = number

    async def _talk(self, member: User) -> None:
        path = await self._api.socket_path(member.access_token)
        async with open_client(self._port, path=path) as client:
            await client.ask("join-room", {"room": SALON})
            while True:
                line = new_name()
                await client.ask("chat-message", {"content": line})
                self._ledger.lines.append(line)


async def until_killed(job: Awaitable[None]) -> None:
    with contextlib.suppress(*KILLED):
        await job


async def apply_and_kill(
    victims: Victims, load: Load, members: list[User], seconds: float, ledger: Ledger, least: int
) -> None:
    jobs = [asyncio.create_task(until_killed(job)) for job in load.jobs(members)]
    await until(lambda: ledger.least() >= least, "enough has been acknowledged")
    await asyncio.sleep(seconds)  # The moment is what is tried out.
    await victims.kill()
    await within(asyncio.gather(*jobs))


async def assert_kept(port: int, api: Api, members: list[User], ledger: Ledger) -> None:
    """All of `ledger` is there, and nobody is in a room but who may resume."""
    for usertag in ledger.accounts:
        await done(api, "GET", f"/users/{usertag}")
    for room in ledger.rooms:
        assert (await done(api, "GET", f"/rooms/{room}"))["players"] == 0
    for member in members:
        profile = (await done(api, "GET", "/users/profile", token=member.access_token))["profile"]
        ahead = int(profile["bio"] or 0) - ledger.bios[member.usertag]
        assert ahead in (0, 1), "one more may have been in the air"
    async with open_client(port) as guest:
        joined = await guest.join(SALON)
        others = [user for user in joined.members if user.slot != joined.slot]
        assert all(user.reconnecting for user in others)
        assert len(others) <= len(members)
        assert set(ledger.lines) <= {line.content for line in joined.chat}


async def prepare(victims: Victims) -> list[User]:
    """Members, and the room that they talk in."""
    await victims.start()
    async with open_api(victims) as api:
        members = [await api.register(f"talker-{number}") for number in range(3)]
        await done(api, "POST", "/rooms/create", {"name": SALON}, token=members[0].access_token)
    await victims.kill()
    return members


async def test_kill_under_load_loses_nothing_acknowledged(victims: Victims, tmp_path: Path) -> None:
    moments = random.Random(1)
    members = await prepare(victims)
    ledger, seen = Ledger(bios={member.usertag: 0 for member in members}), (0, 0)
    for number in range(ROUNDS):
        await victims.start()
        async with open_api(victims) as api:
            await assert_kept(victims.port, api, members, ledger.later_than(*seen))
            seen = len(ledger.accounts), len(ledger.rooms)
            load, moment = Load(victims.port, api, ledger), moments.uniform(*LOAD_S)
            # Every other time it may be before there is any answer.
            await apply_and_kill(victims, load, members, moment, ledger, number // 2)
    async with running_process(tmp_path, SETTINGS) as server, open_api(server) as api:
        await assert_kept(server.port, api, members, ledger)
        server.signal(signal.SIGTERM)
        assert await server.wait() == 0
    assert await problems(tmp_path / "data" / SQLITE_FILE) == []
    assert {*ledger.rooms} <= await audited(tmp_path / "data" / SQLITE_FILE, "room.created")
    assert len(await audited(tmp_path / "data" / SQLITE_FILE, "account.registered")) >= len(ledger.accounts)
    assert ledger.accounts


async def problems(path: Path) -> list[str]:
    """What SQLite's integrity check and the store find wrong with the file."""
    store = SqliteStore(path)
    await store.start()
    found = await store.check()
    await store.close()
    return found


async def audited(path: Path, action: str) -> set[str | None]:
    """Targets of all audit entries of an action."""
    store = SqliteStore(path)
    await store.start()
    targets: set[str | None] = set()
    cursor: str | None = None
    while True:
        page = await store.audit.page(unix_ms(), 100, cursor, AuditFilter(action=action))
        targets |= {entry.target for entry in page.items}
        cursor = page.next
        if cursor is None:
            break
    await store.close()
    return targets
