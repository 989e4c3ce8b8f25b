"""Files in a folder."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from secrets import token_hex
from typing import Final, ParamSpec, TypeVar

from rhythmd.ports import NotFound, StoreUnavailable
from rhythmd.telemetry import OutageLog

__all__ = ["DirectoryBlobs"]

P = ParamSpec("P")
T = TypeVar("T")

CHUNK_BYTES: Final = 262_144
KEY: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*(/[a-z0-9_-]+(\.[a-z0-9_-]+)*)*")
LONGEST_KEY: Final = 200


class DirectoryBlobs:
    """`rhythmd.ports.BlobStore` in a folder; a key is a path below it.

    Args:
        folder: it and what is below are made when they are needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._outage = OutageLog(str(folder))

    async def put(self, key: str, content: bytes) -> None:
        await self._call(_write, self._path(key), content)

    async def get(self, key: str) -> AsyncIterator[bytes]:
        path = self._path(key)
        return self._rest(path, await self._call(_read, path, 0))

    async def delete(self, key: str) -> bool:
        return await self._call(_delete, self._path(key))

    def _path(self, key: str) -> Path:
        if len(key) > LONGEST_KEY or not KEY.fullmatch(key):
            raise ValueError(f"{key[:LONGEST_KEY]!r} is no key of a blob")
        return self._folder / key

    async def _rest(self, path: Path, chunk: bytes) -> AsyncIterator[bytes]:
        """`chunk`, and what comes after it. The file is open only while it is read: a reader may never come back."""
        position = 0
        while chunk:
            yield chunk
            position += len(chunk)
            chunk = await self._call(_read, path, position) if len(chunk) == CHUNK_BYTES else b""

    async def _call(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` in a thread. Raises NotFound and StoreUnavailable in place of the system's errors."""
        try:
            result = await asyncio.to_thread(work, *args, **kwargs)
        except FileNotFoundError as error:
            raise NotFound("no such file") from error
        except OSError as error:
            unavailable = StoreUnavailable(f"{self._folder}: {error.strerror}")
            self._outage.began(unavailable)
            raise unavailable from error
        self._outage.over()
        return result


def _write(path: Path, content: bytes) -> None:
    """Beside its place, then into it; both are on the disk at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{token_hex(8)}.part")  # no other write of the same key gets in its way
    try:
        with partial.open("wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path, position: int) -> bytes:
    with path.open("rb") as file:
        file.seek(position)
        return file.read(CHUNK_BYTES)


def _delete(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True
