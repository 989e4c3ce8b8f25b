"""The disk: bytes of the files that users make the server keep, whose they are, and what is refused so that others
still find some.

Sheets, avatars and recordings are in one total. Each has its own rows, which say whose a file is and from which network
it came; from them all is counted again after a restart.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from hashlib import blake2b
from pathlib import Path
from typing import Final, NamedTuple

from rhythm_protocol.errors import ErrorCode
from rhythmd.addresses import customer_network, is_loopback
from rhythmd.config import Config
from rhythmd.fairness.shares import Claim, CommonGood, Holder
from rhythmd.ports import StoreUnavailable

__all__ = ["Disk", "KeptFile", "KeptFiles", "account_holder", "free_bytes", "network_digest", "row_digest"]

MIB: Final = 1 << 20
DIGITS: Final = 5
RESERVED: Final = 0.02
"""Of a small file system is reserved at most."""


class KeptFile(NamedTuple):
    """A file that is kept: what it is called in the store of files, its bytes, and whose it is, if anybody's."""

    key: str
    size: int
    holder: Holder | None


KeptFiles = Callable[[], AsyncIterator[KeptFile]]
"""All files of one kind, as their rows say. May raise StoreUnavailable."""


class Disk:
    """Counts the bytes of files. A file is its first uploader's until it is removed.

    Args:
        config: of the server.
        folder: in which files are kept; None if they are on no disk of this machine.
    """

    def __init__(self, config: Config, folder: Path | None) -> None:
        self.total = config.blobs.total_mb * MIB
        self._folder = folder
        self._reserve = config.blobs.reserve_mb * MIB
        self._bytes = CommonGood(config.limits, self.total)
        self._claims: dict[str, Claim] = {}
        self._counting = asyncio.Lock()
        self._uncounted: list[KeptFiles] = []

    @property
    def kept(self) -> int:
        """Bytes of the files that are kept."""
        return self._bytes.taken(None)

    def add_kind(self, files: KeptFiles) -> None:
        """Count these as well, before the first file that is required."""
        self._uncounted.append(files)

    async def count(self) -> None:
        """Count what is there, once. Raises StoreUnavailable."""
        async with self._counting:
            while self._uncounted:
                async for file in self._uncounted[-1]():
                    self.know(file)
                self._uncounted.pop()

    async def require(self, size: int, holder: Holder, code: ErrorCode = ErrorCode.UPLOAD_LIMIT) -> None:
        """Raise Refused with `code` unless so much is left, and StoreUnavailable if the disk is nearly full."""
        await self.count()
        await self.require_free(size)
        self._check(size, holder, code)

    async def require_free(self, size: int) -> None:
        """Raise StoreUnavailable if the disk is nearly full, for what is counted already."""
        if self._folder is not None and await asyncio.to_thread(free_bytes, self._folder, self._reserve) < size:
            raise StoreUnavailable("the disk is nearly full")

    def take(self, key: str, size: int, holder: Holder, code: ErrorCode = ErrorCode.UPLOAD_LIMIT) -> None:
        """Count a new file, unless it is counted. Raises Refused with `code` unless there is enough left for it."""
        if key not in self._claims:
            self._check(size, holder, code)
            self._claims[key] = self._bytes.take(holder, size)

    def know(self, file: KeptFile) -> None:
        """Count a file that is there, unless it is counted."""
        if file.key not in self._claims:
            self._claims[file.key] = self._bytes.take(file.holder, file.size)

    def release(self, key: str) -> None:
        """A file is gone. To say so twice does nothing."""
        claim = self._claims.pop(key, None)
        if claim is not None:
            claim.release()

    def _check(self, size: int, holder: Holder, code: ErrorCode) -> None:
        self._bytes.require(holder, code, "bytes of files", size)


def free_bytes(folder: Path, reserve: int) -> int:
    """Bytes that files may still take of a folder's file system, negative when its reserve is used already.

    A folder that is not there yet will be on its parent's. Raises StoreUnavailable.
    """
    there = next((path for path in (folder, *folder.parents) if path.exists()), folder)
    try:
        state = os.statvfs(there)
    except OSError as error:
        raise StoreUnavailable("the disk cannot be asked how much is free") from error
    return state.f_bavail * state.f_frsize - min(reserve, int(state.f_blocks * state.f_frsize * RESERVED))


def account_holder(user_id: str, address: str = "") -> Holder:
    """Whose a file of this account is. `address` may be empty when it is not known: no network is counted then."""
    return Holder(user_id, network=network_digest(address))


def network_digest(address: str) -> str:
    """What the row of a file tells of the network that it came from; "" of loopback and of none."""
    return row_digest(customer_network(address)) if address and not is_loopback(address) else ""


def row_digest(network: str) -> str:
    """The digest of a network that a row may have.

    So few digits that thousands of addresses have the same, and two networks of a server hardly ever.
    """
    return blake2b(network.encode()).hexdigest()[:DIGITS]
