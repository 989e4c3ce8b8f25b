"""Locks by what they guard, so that nobody waits for whoever works on something else."""

import asyncio
from collections.abc import Hashable
from weakref import WeakValueDictionary

__all__ = ["KeyedLocks"]


class KeyedLocks:
    """A lock for each key, as long as somebody holds it or waits for it.

    One lock for all would be held by whoever waits for a turn meanwhile, and nobody could overtake them.
    """

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._locks)

    def of(self, key: Hashable) -> asyncio.Lock:
        """To be taken in the same expression: a lock that nobody refers to is gone."""
        return self._locks.setdefault(key, asyncio.Lock())
