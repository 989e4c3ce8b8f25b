"""Whether a server should be sent new players: only if what they do is kept."""

import asyncio
from typing import Final

from rhythmd.clock import unix_ms
from rhythmd.ports import BlobStore, LiveState, Store, StoreError

__all__ = ["Readiness"]

PROBE_S: Final = 5.0
AGAIN_S: Final = 1.0
"""After a failure: what is over is to be noticed soon."""


class Readiness:
    """Writes something small every few seconds, so that a full disk is noticed before a player's line is lost.

    Nobody who asks waits for a disk: the answer is that of the last look.

    Args:
        store: of accounts and rooms.
        blobs: the files.
        live: what outlives the process.
    """

    def __init__(self, store: Store, blobs: BlobStore, live: LiveState) -> None:
        self._store = store
        self._blobs = blobs
        self._live = live
        self._failing: str | None = None

    @property
    def failing(self) -> str | None:
        """What cannot be written: `store-not-writable`, `files-not-writable` or `live-state-not-writable`."""
        return "live-state-not-writable" if self._live.is_failing else self._failing

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            self._failing = await self._look()
            await asyncio.sleep(AGAIN_S if self._failing else PROBE_S)

    async def _look(self) -> str | None:
        try:
            await self._store.probe(unix_ms())
        except StoreError:  # which the store has logged
            return "store-not-writable"
        try:
            await self._blobs.probe()
        except StoreError:
            return "files-not-writable"
        return None
