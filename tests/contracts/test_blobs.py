"""What a BlobStore owes."""

import asyncio
import os
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from rhythmd.config import BlobsConfig
from rhythmd.errors import ConfigError
from rhythmd.ports import BlobStore, NotFound, StoreUnavailable, TooLarge
from rhythmd.store.blobs.directory import DirectoryBlobs
from rhythmd.store.blobs.gridfs import GridFSBlobs
from rhythmd.store.blobs.s3 import S3Blobs
from rhythmd.store.mongo import DriverName
from tests.conftest import ErrorLog
from tests.services import S3, Mongod

DATABASE = "blobs"
KEY = "recordings/0a1b.mid"
MIB = 1_048_576
SIZES = (0, 1, 1_000, 261_120, 262_144, 262_145, 3_000_000, 5 * MIB, 5 * MIB + 1, 11 * MIB)
UNSAFE_KEYS = (
    "", "/", "/etc/passwd", "..", "../up", "a/../b", "a//b", "a/", "a/.hidden", ".hidden", "a..b", "A", "a b", "a\\b",
    "a\n", "ä", "a\x00", "a" * 201,
)  # fmt: skip


class Place(NamedTuple):
    """Where files are.

    Args:
        make: another store there, as the next process would have it.
        traces: how many things are there that belong to no file.
        take_away: lets nobody reach it.
        bring_back: the opposite; what was there may be gone.
    """

    make: Callable[[], BlobStore]
    traces: Callable[[], int]
    take_away: Callable[[], None]
    bring_back: Callable[[], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


def s3_config(s3: S3, bucket: str = S3.BUCKET) -> BlobsConfig:
    return BlobsConfig(
        "s3", s3_bucket=bucket, s3_endpoint=s3.url, s3_access_key="k", s3_secret_key="s", s3_timeout_s=5.0
    )


def in_folder(folder: Path) -> Place:
    def traces() -> int:
        return sum(path.name.startswith(".") for path in folder.rglob("*"))

    def take_away() -> None:
        folder.rename(folder.with_name("away"))
        folder.write_text("in the way")

    return Place(lambda: DirectoryBlobs(folder), traces, take_away, folder.unlink)


def in_mongo(mongod: Mongod, driver: str) -> Place:
    mongod.empty(DATABASE)

    name: DriverName = "motor" if driver == "motor" else "pymongo"

    def make() -> BlobStore:
        return GridFSBlobs(mongod.url, DATABASE, name, timeout_s=2.0, abandoned_s=0)

    def traces() -> int:
        with mongod.database(DATABASE) as database:
            ids = [file["_id"] for file in database["blobs.files"].find()]
            chunks = database["blobs.chunks"].count_documents({"files_id": {"$nin": ids}})
            return chunks + database["blobs.pending"].count_documents({})

    return Place(make, traces, mongod.pause, mongod.go_on)


def in_s3(s3: S3) -> Place:
    s3.empty()
    return Place(lambda: S3Blobs(s3_config(s3)), s3.unfinished, s3.kill, s3.start)


@pytest.fixture(params=["directory", "motor", "pymongo", "s3"])
def place(request: pytest.FixtureRequest) -> Place:
    if request.param == "directory":
        return in_folder(request.getfixturevalue("folder"))
    if request.param == "s3":
        return in_s3(request.getfixturevalue("s3"))
    return in_mongo(request.getfixturevalue("mongod"), request.param)


@pytest.fixture
async def blobs(place: Place) -> AsyncIterator[BlobStore]:
    """An empty store of files, started."""
    made = place.make()
    await made.start()
    yield made
    await made.close()


async def parts(content: bytes, size: int = 100_000) -> AsyncIterator[bytes]:
    for begin in range(0, len(content), size):
        yield content[begin : begin + size]


async def put(blobs: BlobStore, key: str, content: bytes) -> None:
    assert await blobs.put(key, parts(content)) == len(content)


async def read(blobs: BlobStore, key: str, start: int = 0, stop: int | None = None) -> bytes:
    return b"".join([part async for part in await blobs.get(key, start, stop)])


async def all_keys(blobs: BlobStore, folder: str = "") -> list[str]:
    return sorted([key async for key in blobs.keys(folder)])


@pytest.mark.parametrize("size", SIZES)
async def test_get_gives_back_what_was_put(blobs: BlobStore, size: int) -> None:
    content = os.urandom(size)
    await put(blobs, KEY, content)
    assert await read(blobs, KEY) == content
    assert await blobs.size(KEY) == size


@pytest.mark.parametrize("size", [1, 7, 300_000, 2_000_000])
async def test_put_takes_parts_of_any_size(blobs: BlobStore, size: int) -> None:
    content = os.urandom(min(1_000_000, size * 1_000))
    await blobs.put(KEY, parts(content, size))
    assert await read(blobs, KEY) == content


async def test_get_what_is_not_there_is_not_found(blobs: BlobStore) -> None:
    await put(blobs, "a/b", b"")
    for key in (KEY, "a"):
        with pytest.raises(NotFound):
            await blobs.get(key)
        with pytest.raises(NotFound):
            await blobs.size(key)
        assert not await blobs.delete(key)


async def test_put_replaces_what_was_there(blobs: BlobStore, place: Place) -> None:
    await put(blobs, KEY, b"a long first version")
    await put(blobs, KEY, b"second")
    assert await read(blobs, KEY) == b"second"
    assert await all_keys(blobs) == [KEY]
    assert place.traces() == 0


async def test_put_leaves_other_keys_alone(blobs: BlobStore) -> None:
    keys = ["a", "a.b", "recordings", "x/y", "x/z/1.mid"]
    for key in keys:
        await put(blobs, key, key.encode())
    assert [await read(blobs, key) for key in keys] == [key.encode() for key in keys]


async def test_delete_forgets_one(blobs: BlobStore, place: Place) -> None:
    await put(blobs, "a", b"a")
    await put(blobs, "b", b"b")
    assert await blobs.delete("a")
    with pytest.raises(NotFound):
        await blobs.get("a")
    assert await read(blobs, "b") == b"b"
    assert place.traces() == 0


async def test_keys_are_those_below_a_folder(blobs: BlobStore) -> None:
    keys = ["a", "b.c", "x/1", "x/y/2", "x/y/3", "xy/4"]
    assert await all_keys(blobs) == []
    for key in keys:
        await put(blobs, key, b"")
    assert await all_keys(blobs) == keys
    assert await all_keys(blobs, "x") == ["x/1", "x/y/2", "x/y/3"]
    assert await all_keys(blobs, "x/y") == ["x/y/2", "x/y/3"]
    assert await all_keys(blobs, "none") == []


@pytest.mark.parametrize(
    ("start", "stop"),
    [(0, 1), (0, 0), (5, 5), (10, 700_000), (261_119, 261_121), (262_143, 262_145), (699_999, None), (700_000, None),
     (800_000, 900_000), (600_000, 900_000), (262_144, 524_288), (0, 700_000)],
)  # fmt: skip
async def test_get_gives_a_range(blobs: BlobStore, start: int, stop: int | None) -> None:
    content = os.urandom(700_000)
    await put(blobs, KEY, content)
    assert await read(blobs, KEY, start, stop) == content[start:stop]


# Whole or not at all


@pytest.mark.parametrize("size", [0, 8, 300_000, 6 * MIB])
async def test_put_that_fails_in_the_middle_leaves_what_was_there(blobs: BlobStore, place: Place, size: int) -> None:
    async def broken() -> AsyncIterator[bytes]:
        async for part in parts(bytes(size)):
            yield part
        raise ConnectionResetError("the client is gone")

    for key in (KEY, "new"):
        await put(blobs, KEY, b"before")
        with pytest.raises(ConnectionResetError):
            await blobs.put(key, broken())
    assert await read(blobs, KEY) == b"before"
    assert await all_keys(blobs) == [KEY]
    assert place.traces() == 0


@pytest.mark.parametrize("size", [0, 8, 300_000, 6 * MIB])
async def test_put_that_is_cancelled_leaves_what_was_there(blobs: BlobStore, place: Place, size: int) -> None:
    waits = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        async for part in parts(bytes(size)):
            yield part
        waits.set()
        await asyncio.Event().wait()

    await put(blobs, KEY, b"before")
    writing = asyncio.ensure_future(blobs.put(KEY, endless()))
    await waits.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert await read(blobs, KEY) == b"before"
    assert place.traces() == 0


async def test_put_that_is_cancelled_anywhere_is_whole_or_not(blobs: BlobStore, place: Place) -> None:
    old, new = b"old" * 200_000, b"new" * 200_000
    await put(blobs, KEY, old)
    for step in range(25):
        writing = asyncio.ensure_future(blobs.put(KEY, parts(new)))
        await asyncio.sleep(step / 1_000)
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing
        assert await read(blobs, KEY) in (old, new)
    await (await fresh(place)).close()
    assert place.traces() == 0


async def fresh(place: Place) -> BlobStore:
    made = place.make()
    await made.start()
    return made


@pytest.mark.parametrize("limit", [0, 10, 100_000, 300_000, 6 * MIB])
async def test_put_of_more_than_it_may_be_is_refused(blobs: BlobStore, place: Place, limit: int) -> None:
    with pytest.raises(TooLarge):
        await blobs.put(KEY, parts(bytes(limit + 1)), limit)
    assert await all_keys(blobs) == []
    assert place.traces() == 0
    assert await blobs.put(KEY, parts(bytes(limit)), limit) == limit


async def test_put_one_key_at_once_keeps_one_of_them_whole(blobs: BlobStore, place: Place) -> None:
    versions = [bytes([number]) * 600_000 for number in range(8)]
    await asyncio.gather(*(put(blobs, KEY, version) for version in versions))
    assert await read(blobs, KEY) in versions
    assert await all_keys(blobs) == [KEY]
    assert place.traces() == 0


async def test_get_while_it_is_replaced_gives_one_version_or_fails(blobs: BlobStore) -> None:
    versions = [bytes([number]) * 600_000 for number in range(6)]
    await put(blobs, KEY, versions[0])
    replacing = asyncio.ensure_future(replace(blobs, versions))
    whole = 0
    while not replacing.done():
        with suppress(StoreUnavailable):
            assert await read(blobs, KEY) in versions
            whole += 1
    await replacing
    assert whole


async def replace(blobs: BlobStore, versions: list[bytes]) -> None:
    for version in versions:
        await put(blobs, KEY, version)


async def test_memory_stays_bounded(blobs: BlobStore) -> None:
    part = bytes(65_536)

    async def large() -> AsyncIterator[bytes]:
        for _ in range(1_600):  # 100 MiB
            yield part

    tracemalloc.start()
    try:
        await blobs.put(KEY, large())
        async for received in await blobs.get(KEY):
            assert len(received) <= 2 * MIB
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40 * MIB


@pytest.mark.parametrize("key", UNSAFE_KEYS)
async def test_key_of_another_form_is_refused(blobs: BlobStore, key: str) -> None:
    for call in (blobs.put(key, parts(b"")), blobs.get(key), blobs.size(key), blobs.delete(key)):
        with pytest.raises(ValueError, match="no key"):
            await call
    if key:
        with pytest.raises(ValueError, match="no key"):
            await all_keys(blobs, key)


# Outages


async def test_store_that_is_away_is_unavailable_and_comes_back(place: Place, errors_logged: ErrorLog) -> None:
    blobs = await fresh(place)
    place.take_away()
    try:
        calls = (blobs.put(KEY, parts(b"music")), blobs.get(KEY), blobs.size(KEY), blobs.probe())
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * len(calls)
        assert len(errors_logged.records) == 1
        errors_logged.records.clear()
    finally:
        place.bring_back()
    await blobs.probe()
    await put(blobs, KEY, b"music")
    assert await read(blobs, KEY) == b"music"
    await blobs.close()


async def test_probe_leaves_nothing(place: Place) -> None:
    blobs = await fresh(place)
    for _ in range(2):
        await blobs.probe()
    assert place.traces() == 0
    everything = blobs.keys()
    assert [key async for key in everything] == []
    await blobs.close()


async def test_bucket_that_is_not_there_stops_the_start(s3: S3, errors_logged: ErrorLog) -> None:
    blobs = S3Blobs(s3_config(s3, "another"))
    with pytest.raises(ConfigError, match=r"blobs\.s3_bucket"):
        await blobs.start()
    with pytest.raises(StoreUnavailable):
        await blobs.put(KEY, parts(b"music"))
    errors_logged.records.clear()


# What a process leaves that was killed


async def test_start_removes_what_was_not_finished_in_a_folder(folder: Path) -> None:
    await put(DirectoryBlobs(folder), KEY, b"music")
    (folder / "recordings" / ".0a1c.mid.0123456789abcdef.part").write_bytes(b"mus")
    await DirectoryBlobs(folder).start()
    assert private_files(folder) == [folder / KEY]


async def test_start_spares_what_another_process_is_writing_in_a_folder(folder: Path) -> None:
    first, second = DirectoryBlobs(folder), DirectoryBlobs(folder)
    assert await first.start()
    partial = folder / ".0a1c.mid.0123456789abcdef.part"
    partial.write_bytes(b"mus")
    assert not await second.start()
    await first.close()
    assert not await first.start()
    assert partial.exists()
    await first.close()
    await second.close()
    assert await first.start()
    assert not partial.exists()
    await first.close()


async def test_keys_are_none_of_what_others_put_into_the_folder(folder: Path) -> None:
    blobs = DirectoryBlobs(folder)
    await put(blobs, KEY, b"music")
    for name in ("README", "a~", "x" * 250, "ä.mid"):
        (folder / "recordings" / name).write_bytes(b"mine")
    assert await all_keys(blobs) == [KEY]


@pytest.mark.parametrize("driver", ["motor", "pymongo"])
async def test_start_removes_what_was_not_finished_in_mongo(mongod: Mongod, driver: str) -> None:
    place = in_mongo(mongod, driver)
    blobs = await fresh(place)
    await put(blobs, KEY, b"music")
    with mongod.database(DATABASE) as database:
        kept = database["blobs.files"].find_one({})
        assert kept is not None
        database["blobs.pending"].insert_many([{"_id": "0000"}, {"_id": kept["_id"]}])
        database["blobs.chunks"].insert_one({"files_id": "0000", "n": 0, "data": b"mus"})
    await asyncio.sleep(0.002)
    await (await fresh(place)).close()
    assert place.traces() == 0
    assert await read(blobs, KEY) == b"music"
    await blobs.close()


def private_files(folder: Path) -> list[Path]:
    """The files below `folder`; none may be read by others."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert all(path.stat().st_mode & 0o077 == 0 for path in files)
    return files


async def test_directory_holds_nothing_but_what_was_put(folder: Path) -> None:
    await put(DirectoryBlobs(folder), KEY, b"music")
    assert private_files(folder) == [folder / KEY]
