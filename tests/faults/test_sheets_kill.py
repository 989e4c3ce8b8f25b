"""The server, and workers before it, are killed in the middle of uploads: what was acknowledged is there and whole.

`KILLS=500` in the environment makes more rounds than the usual ones.
"""

import asyncio
import contextlib
import os
import random
import signal
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from rhythmd.app import SQLITE_FILE, open_blobs, open_store
from tests.commands.sheets import Desk
from tests.deadline import until, within
from tests.faults.victims import KILLED, Victims, running_victims
from tests.rest.api import UNLIMITED, Api, User, open_api
from tests.rest.sheets import upload
from tests.services import Mongod, running_mongod

ROUNDS: Final = int(os.environ.get("KILLS", "50"))
MONGO_ROUNDS: Final = max(4, ROUNDS // 10)
WORKER_S: Final = (0.0, 0.1)
SERVER_S: Final = (0.0, 0.15)
WAITING: Final = 0.1  # how often a server is killed at once, while its first workers load
UPLOADERS: Final = 4
LARGEST: Final = 400_000
SETTINGS: Final = (*UNLIMITED, "sheets.uploads_per_day=1000000")
HOUR_MS: Final = 3_600_000
CHILD: Final = b"rhythmd.workers.child"


def midi_with_text(size: int, random_: random.Random) -> bytes:
    """A Standard MIDI File of one note and a text of so many random letters."""
    text = random_.randbytes(size // 2).hex().encode()
    length = bytes([0x80 | len(text) >> 14, 0x80 | len(text) >> 7 & 0x7F, len(text) & 0x7F])
    track = b"\x00\xff\x01" + length + text + b"\x00\x90\x3c\x40\x60\x80\x3c\x00\x00\xff\x2f\x00"
    return b"MThd\x00\x00\x00\x06\x00\x00\x00\x01\x00\x60MTrk" + len(track).to_bytes(4) + track


def virtual_piano(random_: random.Random) -> bytes:
    """A line of notes: MIDI is made from it."""
    return " ".join(random_.choices("asdfghjkl", k=2_000)).encode()


@dataclass
class Ledger:
    """What the server has acknowledged: the contents of sheets by their ids, and the ids of deleted ones."""

    sheets: dict[str, bytes] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    uploads: int = 0
    refusals: int = 0

    def sample(self, random_: random.Random, newest: int, more: int) -> dict[str, bytes]:
        """The newest ones, and some others."""
        ids = list(self.sheets)
        chosen = {*ids[-newest:], *random_.sample(ids, min(more, len(ids)))}
        return {sheet_id: self.sheets[sheet_id] for sheet_id in chosen}


def workers_of(pid: int) -> set[int]:
    """The worker processes of a server."""
    found: set[int] = set()
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found |= {int(child) for child in (task / "children").read_text().split() if is_worker(int(child))}
    return found


def is_worker(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return CHILD in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def is_busy(pid: int) -> bool:
    """Whether a worker has the file of a job open, which has no name any more."""
    with contextlib.suppress(OSError):
        return any("(deleted)" in str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir())
    return False


class Uploads:
    """What people do until the server is gone."""

    def __init__(self, api: Api, user: User, ledger: Ledger, random_: random.Random) -> None:
        self._api = api
        self._user = user
        self._ledger = ledger
        self._random = random_
        self._same = virtual_piano(random_)
        self.is_over = self.are_answered = False

    def jobs(self) -> list[Awaitable[None]]:
        return [*(self._upload_all() for _ in range(UPLOADERS)), self._delete_some()]

    async def _upload_all(self) -> None:
        await self._upload(self._same)  # all at once
        while True:
            large = midi_with_text(self._random.randrange(100_000, LARGEST), self._random)
            await self._upload(self._random.choice([virtual_piano(self._random), self._same, large]))

    async def _upload(self, content: bytes) -> None:
        answer = await upload(self._api, self._user, content)
        self.are_answered = True
        if answer.status == 201:
            self._ledger.sheets[answer.body["id"]] = content
            self._ledger.uploads += 1
        else:
            assert answer.code == "file-too-costly", (answer.status, answer.body)  # its worker was killed
            self._ledger.refusals += 1

    async def _delete_some(self) -> None:
        while not self.is_over:
            if len(self._ledger.sheets) > 20:
                sheet_id = self._random.choice([*self._ledger.sheets][:-5])
                del self._ledger.sheets[sheet_id]  # it may be gone as soon as the server has heard of it
                answer = await self._api.call("DELETE", f"/sheet_music/{sheet_id}", token=self._user.access_token)
                assert answer.status < 300, answer.body
                self._ledger.deleted.add(sheet_id)
            await asyncio.sleep(0.02)


async def until_killed(job: Awaitable[None]) -> None:
    with contextlib.suppress(*KILLED):
        await job


async def kill_busy_worker(server: int, uploading: asyncio.Future[list[None]]) -> None:
    """As soon as one is in the middle of a job."""
    busy: set[int] = set()

    def find() -> bool:
        busy.update(pid for pid in workers_of(server) if is_busy(pid))
        return bool(busy) or uploading.done()

    await until(find, "a worker is in the middle of its job")
    for pid in list(busy)[:1]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


async def upload_and_kill(victims: Victims, uploads: Uploads, random_: random.Random) -> None:
    """Kill a worker at some moment, and the server a while later. No worker may be left."""
    jobs = asyncio.gather(*map(until_killed, uploads.jobs()))
    try:
        if random_.random() > WAITING:
            await until(lambda: jobs.done() or uploads.are_answered, "an upload is answered")
            await asyncio.sleep(random_.uniform(*WORKER_S))  # The moments are what is tried out.
            await kill_busy_worker(victims.pid, jobs)
        await asyncio.sleep(random_.uniform(*SERVER_S))
        workers = workers_of(victims.pid)
        await victims.kill()
        uploads.is_over = True
        await within(jobs)
    finally:
        jobs.cancel()
    await until(lambda: not any(map(is_worker, workers)), "no worker is left")


async def assert_kept(api: Api, user: User, wanted: dict[str, bytes], deleted: set[str]) -> None:
    """Each of these sheets is there and whole, and so is its MIDI; those are not."""
    for sheet_id, content in wanted.items():
        path = f"/api/v1/sheet_music/{sheet_id}/download"
        original = await api.download(path, token=user.access_token)
        assert (original.status, original.content) == (200, content)
        played = await api.download(f"{path}?format=mid", token=user.access_token)
        assert (played.status, played.content[:4]) == (200, b"MThd")
    for sheet_id in deleted:
        assert (await api.call("GET", f"/sheet_music/{sheet_id}", token=user.access_token)).status == 404


async def kill_often(victims: Victims, rounds: int, check: Callable[[], Awaitable[None]]) -> tuple[Ledger, User]:
    """Upload and kill, round after round; `check` comes between a kill and the next start, now and then."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    random_ = random.Random(seed)
    ledger = Ledger()
    await victims.start()
    async with open_api(victims) as api:
        user = await api.register("Clara")
    for number in range(rounds):
        async with open_api(victims) as api:
            await assert_kept(api, user, ledger.sample(random_, 8, 2), ledger.deleted)
            ledger.deleted.clear()
            await upload_and_kill(victims, Uploads(api, user, ledger, random_), random_)
        if number % 10 == 0:
            await check()
        await victims.start()
    async with open_api(victims) as api:
        await assert_kept(api, user, ledger.sheets, ledger.deleted)
    print(f"{ledger.uploads} uploads acknowledged, {ledger.refusals} refused as their workers were killed")
    assert ledger.uploads > rounds / 2
    return ledger, user


async def test_killed_in_the_middle_of_uploads_with_sqlite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    desk = Desk(tmp_path / "data")

    async def check() -> None:
        assert await asyncio.to_thread(desk.run, "check") == 0, capsys.readouterr().out

    async with running_victims(tmp_path, SETTINGS) as victims:
        ledger, _ = await kill_often(victims, ROUNDS, check)
        partial = list((desk.data / "blobs").rglob(".*"))
        assert ledger.refusals, "workers were killed in the middle of jobs"
        assert partial == [], "the start has removed what was not finished"
        await victims.kill()
        await check()
        make_old(desk.data)
        await victims.start()
        await until(lambda: not unknown_blobs(desk.data), "the server removes what nothing knows")
        await victims.kill()
    capsys.readouterr()
    assert await asyncio.to_thread(desk.run, "check", "--deep") == 0
    assert capsys.readouterr().out == "nothing is wrong\n"
    async with desk.open() as (store, _):
        assert {sheet.id for sheet in await store.sheets.sheets(100_000)} >= ledger.sheets.keys()


def make_old(data: Path) -> None:
    """Let what was left by uploads be older than any of them can be."""
    connection = sqlite3.connect(data / SQLITE_FILE, isolation_level=None)
    connection.execute("UPDATE sheet_files SET used = used - ?", (2 * HOUR_MS,))
    connection.close()
    for path in unknown_blobs(data):
        hash_, made, rest = path.name.split("-")
        path.rename(path.with_name(f"{hash_}-{int(made, 16) - 2 * HOUR_MS:x}-{rest}"))


def unknown_blobs(data: Path) -> list[Path]:
    """The blobs that no row, or only one that no sheet has, names."""
    connection = sqlite3.connect(data / SQLITE_FILE)
    used = "SELECT id FROM sheet_files WHERE hash IN (SELECT hash FROM sheets)"
    ids = {id_ for (id_,) in connection.execute(used)}
    connection.close()
    return [path for path in (data / "blobs" / "sheets").iterdir() if path.name.removesuffix(".mid") not in ids]


@pytest.fixture
def mongod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mongod]:
    with running_mongod(tmp_path_factory.mktemp("mongod")) as running:
        yield running


@pytest.fixture
def desk_on_mongo(tmp_path: Path, mongod: Mongod) -> Desk:
    made = Desk(
        tmp_path / "data",
        "store.backend=mongo",
        "blobs.backend=gridfs",
        f"mongo.url={mongod.url}",
        "mongo.database=kills",
    )
    for load in (open_store, open_blobs):  # the drivers, before there is a loop that this would block
        load(made.config)
    return made


async def test_killed_in_the_middle_of_uploads_with_mongodb(
    tmp_path: Path, desk_on_mongo: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    async def check(*options: str) -> None:
        assert await asyncio.to_thread(desk_on_mongo.run, "check", *options) == 0, capsys.readouterr().out

    async with running_victims(tmp_path, (*SETTINGS, *desk_on_mongo.settings)) as victims:
        await kill_often(victims, MONGO_ROUNDS, check)
        await victims.kill()
    await check()
    await check("--deep", "--repair")
