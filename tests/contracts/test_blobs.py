"""What a BlobStore owes."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from rhythmd.ports import BlobStore, NotFound, StoreUnavailable
from rhythmd.store.blobs import DirectoryBlobs
from tests.conftest import ErrorLog

KEY = "recordings/0a1b.mid"
SIZES = (0, 1, 1_000, 262_144, 262_145, 3_000_000)
UNSAFE_KEYS = (
    "", "/", "/etc/passwd", "..", "../up", "a/../b", "a//b", "a/", "a/.hidden", ".hidden", "a..b", "A", "a b", "a\\b",
    "a\n", "ä", "a\x00", "a" * 201,
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@pytest.fixture(params=["directory"])
def blobs(folder: Path) -> BlobStore:
    """An empty store of files."""
    return DirectoryBlobs(folder)


async def read(blobs: BlobStore, key: str) -> bytes:
    return b"".join([part async for part in await blobs.get(key)])


@pytest.mark.parametrize("size", SIZES)
async def test_get_gives_back_what_was_put(blobs: BlobStore, size: int) -> None:
    content = os.urandom(size)
    await blobs.put(KEY, content)
    assert await read(blobs, KEY) == content


async def test_get_what_is_not_there_is_not_found(blobs: BlobStore) -> None:
    with pytest.raises(NotFound):
        await blobs.get(KEY)
    assert not await blobs.delete(KEY)


async def test_put_replaces_what_was_there(blobs: BlobStore) -> None:
    await blobs.put(KEY, b"a long first version")
    await blobs.put(KEY, b"second")
    assert await read(blobs, KEY) == b"second"


async def test_put_leaves_other_keys_alone(blobs: BlobStore) -> None:
    keys = ["a", "a.b", "recordings", "x/y", "x/z/1.mid"]
    for key in keys:
        await blobs.put(key, key.encode())
    assert [await read(blobs, key) for key in keys] == [key.encode() for key in keys]


async def test_delete_forgets_one(blobs: BlobStore) -> None:
    await blobs.put("a", b"a")
    await blobs.put("b", b"b")
    assert await blobs.delete("a")
    with pytest.raises(NotFound):
        await blobs.get("a")
    assert await read(blobs, "b") == b"b"


async def test_put_one_key_at_once_keeps_one_of_them_whole(blobs: BlobStore) -> None:
    versions = [bytes([number]) * 100_000 for number in range(8)]
    await asyncio.gather(*(blobs.put(KEY, version) for version in versions))
    assert await read(blobs, KEY) in versions


@pytest.mark.parametrize("key", UNSAFE_KEYS)
async def test_key_of_another_form_is_refused(blobs: BlobStore, key: str) -> None:
    with pytest.raises(ValueError, match="no key"):
        await blobs.put(key, b"")
    with pytest.raises(ValueError, match="no key"):
        await blobs.get(key)


# The folder


@pytest.fixture
def blocked(folder: Path) -> Iterator[Path]:
    """A file is where the folder should be: nothing can be written, whoever runs the test."""
    folder.write_text("in the way")
    yield folder
    folder.unlink()


async def test_directory_that_cannot_be_written_is_unavailable(blocked: Path, errors_logged: ErrorLog) -> None:
    blobs = DirectoryBlobs(blocked)
    with pytest.raises(StoreUnavailable):
        await blobs.put(KEY, b"music")
    assert len(errors_logged.records) == 1
    errors_logged.records.clear()


def private_files(folder: Path) -> list[Path]:
    """The files below `folder`; none may be read by others."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert all(path.stat().st_mode & 0o077 == 0 for path in files)
    return files


async def test_directory_holds_nothing_but_what_was_put(folder: Path) -> None:
    await DirectoryBlobs(folder).put(KEY, b"music")
    assert private_files(folder) == [folder / KEY]
