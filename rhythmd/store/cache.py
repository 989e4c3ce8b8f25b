"""The cache of one process."""

import time
from collections.abc import Callable

from rhythmd.bounded import BoundedDict

__all__ = ["MemoryCache"]


class MemoryCache:
    """`rhythmd.ports.Cache` in this process's memory.

    Args:
        max_entries: when there are more, the one that was not asked for the longest goes.
        clock: seconds that only grow.
    """

    def __init__(self, max_entries: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries: BoundedDict[str, tuple[float, bytes]] = BoundedDict(max_entries)

    def __len__(self) -> int:
        return len(self._entries)

    async def get(self, key: str) -> bytes | None:
        expires, value = self._entries.get(key, (0.0, None))
        if value is None:
            return None
        if expires <= self._clock():
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return value

    async def set(self, key: str, value: bytes, ttl_s: float) -> None:
        self._entries[key] = (self._clock() + ttl_s, value)

    async def delete(self, key: str) -> None:
        self._entries.pop(key, None)

    async def take(self, key: str) -> bytes | None:
        value = await self.get(key)
        await self.delete(key)
        return value

    async def close(self) -> None:
        self._entries.clear()
