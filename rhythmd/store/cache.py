"""The cache of one process."""

import time
from collections.abc import Callable

from rhythmd.fairness.remembered import FairDict
from rhythmd.fairness.slots import paying_network

__all__ = ["MemoryCache"]


class MemoryCache:
    """`rhythmd.ports.Cache` in this process's memory.

    Args:
        max_entries: when there are more, the one that was not asked for the longest goes. A network that has a tenth of
            them loses one of its own instead.
        clock: seconds that only grow.
    """

    def __init__(self, max_entries: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries: FairDict[str, tuple[float, bytes]] = FairDict(max_entries)

    def __len__(self) -> int:
        return len(self._entries)

    async def get(self, key: str) -> bytes | None:
        found = self._entries.get(key)
        if found is None:
            return None
        expires, value = found
        if expires <= self._clock():
            self._entries.discard(key)
            return None
        return value

    async def set(self, key: str, value: bytes, ttl_s: float) -> None:
        self._entries.set(paying_network(), key, (self._clock() + ttl_s, value))

    async def delete(self, key: str) -> None:
        self._entries.discard(key)

    async def take(self, key: str) -> bytes | None:
        value = await self.get(key)
        await self.delete(key)
        return value

    async def close(self) -> None:
        self._entries.clear()
