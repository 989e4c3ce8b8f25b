"""The disk that sheets may fill: how much is kept, for whom, and what is refused so that others still find some."""

import asyncio
import os
from pathlib import Path
from typing import Final, NamedTuple

from rhythm_protocol.errors import ErrorCode
from rhythmd.addresses import customer_network, is_loopback
from rhythmd.config import Config
from rhythmd.fairness.shares import Claim, CommonGood, Holder
from rhythmd.ports import SheetStore, StoreUnavailable
from rhythmd.rows import SheetFile

__all__ = ["SheetSpace", "Uploader", "free_for_sheets"]

MIB: Final = 1 << 20
PAGE: Final = 1_000
RESERVED: Final = 0.02
"""Of a small file system is reserved at most."""


class Uploader(NamedTuple):
    """Whose content it is. `address` may be empty when it is not known, and then no network is counted."""

    user_id: str
    address: str = ""


class SheetSpace:
    """Counts the bytes of contents. A content is its first uploader's, until no sheet has it and it is removed.

    The store knows who uploaded a content, but not from where: a network's share counts what came since the start.

    Args:
        sheets: the rows, which are counted before the first upload.
        config: of the server.
    """

    def __init__(self, sheets: SheetStore, config: Config) -> None:
        total = config.sheets.total_mb * MIB
        self._sheets = sheets
        self._folder = Path(config.server.data_dir)
        self._reserve = config.sheets.reserve_mb * MIB
        self._bytes = CommonGood(config.limits, total)
        self._claims: dict[str, Claim] = {}
        self._counting = asyncio.Lock()
        self._is_counted = False
        self.total = total

    @property
    def kept(self) -> int:
        """Bytes of the contents that are kept."""
        return self._bytes.taken(None)

    async def count(self) -> None:
        """Count what the store has, once. Raises StoreUnavailable."""
        async with self._counting:
            last = ""
            while not self._is_counted:
                files = await self._sheets.files(PAGE, last)
                creators = await self._sheets.creators([file.hash for file in files])
                for file in files:
                    self.know(file, creators.get(file.hash))
                last = files[-1].hash if files else ""
                self._is_counted = len(files) < PAGE

    async def require(self, size: int, uploader: Uploader) -> None:
        """Raise Refused (`upload-limit`) unless so much is left, and StoreUnavailable if the disk is nearly full."""
        await self.count()
        free = await asyncio.to_thread(free_for_sheets, self._folder, self._reserve)
        if free < size:
            raise StoreUnavailable("the disk is nearly full")
        self._check(size, uploader)

    def take(self, file: SheetFile, uploader: Uploader) -> None:
        """Count a new content. Raises Refused (`upload-limit`) unless there is enough left for it."""
        size = _size(file)
        self._check(size, uploader)
        self._claims[file.id] = self._bytes.take(_holder(uploader), size)

    def know(self, file: SheetFile, creator_id: str | None = None) -> None:
        """Count a content that is there, unless it is counted; nobody's if no sheet has it."""
        if file.id not in self._claims:
            holder = None if creator_id is None else Holder(creator_id)
            self._claims[file.id] = self._bytes.take(holder, _size(file))

    def release(self, blob_id: str) -> None:
        """A content is gone. To say so twice does nothing."""
        claim = self._claims.pop(blob_id, None)
        if claim is not None:
            claim.release()

    def _check(self, size: int, uploader: Uploader) -> None:
        self._bytes.require(_holder(uploader), ErrorCode.UPLOAD_LIMIT, "bytes of sheets", size)


def free_for_sheets(folder: Path, reserve: int) -> int:
    """Bytes that sheets may still take of the file system, negative when its reserve is used already.

    Raises StoreUnavailable.
    """
    try:
        state = os.statvfs(folder)
    except OSError as error:
        raise StoreUnavailable("the disk cannot be asked how much is free") from error
    return state.f_bavail * state.f_frsize - min(reserve, int(state.f_blocks * state.f_frsize * RESERVED))


def _size(file: SheetFile) -> int:
    return file.size + file.midi_size


def _holder(uploader: Uploader) -> Holder:
    is_known = uploader.address and not is_loopback(uploader.address)
    return Holder(uploader.user_id, network=customer_network(uploader.address) if is_known else "")
