"""Files in a folder.

Each process that uses the folder has a shared lock on it, which ends with the process. One that finds no other there
knows that whatever is unfinished was begun by a process that is gone.
"""

import asyncio
import fcntl
import os
import stat
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Final, NamedTuple, ParamSpec, TypeVar

from rhythmd.folders import close_to_others, make_private
from rhythmd.ports import NotFound, StoreUnavailable
from rhythmd.store.blobs.content import check_key, finished, is_key, resized
from rhythmd.telemetry import OutageLog

__all__ = ["DirectoryBlobs"]

P = ParamSpec("P")
T = TypeVar("T")

CHUNK_BYTES: Final = 262_144
PARTIAL: Final = ".part"
"""How the name of a file ends that is being written; it begins with a dot, which no key's part does."""


class _Chunk(NamedTuple):
    """Bytes of a file, and which version of it they are from."""

    content: bytes
    version: tuple[int, int]


class DirectoryBlobs:
    """`rhythmd.ports.BlobStore` in a folder; a key is a path below it. Processes of one machine may share it.

    Args:
        folder: it and what is below are made when they are needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._outage = OutageLog(str(folder))
        self._lock: int | None = None

    async def start(self) -> bool:
        await self.close()
        self._lock, is_alone = await self._call(_join, self._folder)
        return is_alone

    async def close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def put(self, key: str, content: AsyncIterable[bytes], limit: int | None = None) -> int:
        path = self._path(key)
        partial = path.with_name(f".{path.name}.{token_hex(8)}{PARTIAL}")  # no other write of the key is in its way
        size = 0
        try:
            async for part in resized(content, CHUNK_BYTES, limit):
                await self._call(_append, partial, part)
                size += len(part)
            await self._call(_move, partial, path)
        except BaseException:
            with suppress(StoreUnavailable):
                await self._call(_delete, partial)
            raise
        return size

    async def get(self, key: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        path = self._path(key)
        return self._rest(path, start, stop, await self._call(_read, path, start, stop))

    async def size(self, key: str) -> int:
        return await self._call(_size, self._path(key))

    async def delete(self, key: str) -> bool:
        return await self._call(_delete, self._path(key))

    async def keys(self, folder: str = "") -> AsyncIterator[str]:
        folders = [self._path(folder) if folder else self._folder]
        while folders:
            for path, is_folder in await self._call(_entries, folders.pop()):
                if is_folder:
                    folders.append(path)
                elif is_key(key := path.relative_to(self._folder).as_posix()):
                    yield key

    def _path(self, key: str) -> Path:
        return self._folder / check_key(key)

    async def _rest(self, path: Path, position: int, stop: int | None, chunk: _Chunk) -> AsyncIterator[bytes]:
        """`chunk`, and what comes after it. The file is open only while it is read: a reader may never come back."""
        version = chunk.version
        while chunk.content:
            yield chunk.content
            position += len(chunk.content)
            if len(chunk.content) < CHUNK_BYTES:
                return
            try:
                chunk = await self._call(_read, path, position, stop)
            except NotFound as error:
                raise StoreUnavailable("the file was deleted while it was read") from error
            if chunk.version != version:
                raise StoreUnavailable("the file was replaced while it was read")

    async def _call(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work` returns, in a thread. Raises NotFound and StoreUnavailable in place of the system's errors.

        When it is cancelled, it waits for the thread first.
        """
        try:
            result = await finished(asyncio.to_thread(work, *args, **kwargs))
        except (FileNotFoundError, IsADirectoryError) as error:
            raise NotFound("no such file") from error
        except OSError as error:
            unavailable = StoreUnavailable(f"{self._folder}: {error.strerror}")
            self._outage.began(unavailable)
            raise unavailable from error
        self._outage.over()
        return result


def _join(folder: Path) -> tuple[int, bool]:
    """A descriptor with a shared lock on the folder, and whether nobody else has one."""
    close_to_others(folder)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        is_alone = _is_alone(descriptor)
        if is_alone:
            _remove_partial(folder)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, is_alone


def _is_alone(descriptor: int) -> bool:
    """Whether nobody has a lock; this process then has one that keeps all others out."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _append(partial: Path, part: bytes) -> None:
    make_private(partial.parent)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "ab", buffering=0) as file:
        rest = memoryview(part)
        while rest:
            rest = rest[file.write(rest) :]


def _move(partial: Path, path: Path) -> None:
    """To its place; both the file and its name are on the disk at the end."""
    _sync(partial)
    partial.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path, position: int, stop: int | None) -> _Chunk:
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        file.seek(position)
        wanted = CHUNK_BYTES if stop is None else max(0, min(CHUNK_BYTES, stop - position))
        return _Chunk(file.read(wanted), (status.st_ino, status.st_mtime_ns))


def _size(path: Path) -> int:
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError
    return status.st_size


def _delete(path: Path) -> bool:
    try:
        path.unlink()
    except (FileNotFoundError, IsADirectoryError):
        return False
    return True


def _entries(folder: Path) -> list[tuple[Path, bool]]:
    """What is in a folder, each with whether it is one itself."""
    try:
        with os.scandir(folder) as entries:
            return [(folder / entry.name, entry.is_dir()) for entry in entries if not entry.name.startswith(".")]
    except FileNotFoundError:
        return []


def _remove_partial(folder: Path) -> None:
    for path in folder.rglob(f".*{PARTIAL}"):
        path.unlink(missing_ok=True)
