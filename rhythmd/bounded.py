"""A memory of bounded size: what is remembered about clients must not grow with how many of them there are."""

from collections import OrderedDict
from typing import TypeVar

__all__ = ["BoundedDict"]

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")


class BoundedDict(OrderedDict[KeyT, ValueT]):
    """A dict of at most `limit` entries: one more evicts the entry that was set, or moved to the end, longest ago.

    Setting a key again renews it. Reading one does not: where the least recently used entry shall be evicted, the
    reader calls `move_to_end`. It is an OrderedDict because a plain dict slows down when its first entry is deleted
    over and over: each look for the first one passes by all that were deleted before.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def __setitem__(self, key: KeyT, value: ValueT) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        if len(self) > self._limit:
            self.popitem(last=False)
