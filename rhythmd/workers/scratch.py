"""Files without a name, on their way to a worker and back: nobody finds them, and they are gone with the process."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO, Final, ParamSpec, TypeVar

from rhythmd.folders import close_to_others
from rhythmd.ports import StoreUnavailable

__all__ = ["ScratchFolder", "append", "parts_of"]

P = ParamSpec("P")
T = TypeVar("T")

PART_BYTES: Final = 262_144


class ScratchFolder:
    """Where such files are.

    Args:
        folder: made when it is needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def open(self) -> BinaryIO:
        """An empty file, for reading and writing; whoever asks for it closes it. Raises StoreUnavailable."""
        return await _call(_open, self._folder)

    @asynccontextmanager
    async def filled(self, parts: AsyncIterator[bytes]) -> AsyncIterator[BinaryIO]:
        """A file with these bytes, for as long as the block lasts. Raises what `parts` raises, and StoreUnavailable."""
        file = await self.open()
        try:
            async for part in parts:
                await append(file, part)
            yield file
        finally:
            file.close()


async def append(file: BinaryIO, part: bytes) -> None:
    """Write where the file stands. Raises StoreUnavailable, for a full disk, too."""
    await _call(_write, file.fileno(), part)


async def parts_of(file: BinaryIO) -> AsyncIterator[bytes]:
    """The whole file in parts, as `BlobStore.put` wants them, wherever it stands. Raises StoreUnavailable."""
    position = 0
    while part := await _call(os.pread, file.fileno(), PART_BYTES, position):
        yield part
        position += len(part)


def _open(folder: Path) -> BinaryIO:
    close_to_others(folder)
    return tempfile.TemporaryFile(dir=folder)


def _write(file: int, part: bytes) -> None:
    rest = memoryview(part)
    while rest:
        rest = rest[os.write(file, rest) :]


async def _call(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `work` returns, in a thread. When it is cancelled, it waits for the thread: its file may be closed then."""
    running = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait({running})
        raise
    except OSError as error:
        raise StoreUnavailable(f"scratch files: {error.strerror}") from error
