"""A memory of bounded size that all networks share, and of which none has more than a part."""

from collections import OrderedDict
from typing import Final, Generic, TypeVar

__all__ = ["PART", "FairDict"]

PART: Final = 10
"""One network has at most the tenth of what all of them may have together."""

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")


class FairDict(Generic[KeyT, ValueT]):
    """At most `limit` entries. A network that has its part of them evicts one of its own with each further one.

    Beyond `limit` the entry that was set or read longest ago goes.

    Args:
        limit: entries of all networks, and of the server itself.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._part = max(1, limit // PART)
        self._entries: OrderedDict[KeyT, tuple[object, ValueT]] = OrderedDict()
        self._of_network: dict[object, OrderedDict[KeyT, None]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: KeyT) -> ValueT | None:
        """The value, which is the youngest from now on."""
        found = self._entries.get(key)
        if found is None:
            return None
        self._entries.move_to_end(key)
        self._of_network[found[0]].move_to_end(key)
        return found[1]

    def set(self, network: object, key: KeyT, value: ValueT) -> None:
        """Remember a value for a network; None is the server itself, which has no limit but that of all."""
        self.discard(key)
        self._entries[key] = (network, value)
        own = self._of_network.setdefault(network, OrderedDict())
        own[key] = None
        if network is not None and len(own) > self._part:
            self.discard(next(iter(own)))
        elif len(self._entries) > self._limit:
            self.discard(next(iter(self._entries)))

    def discard(self, key: KeyT) -> None:
        found = self._entries.pop(key, None)
        if found is None:
            return
        own = self._of_network[found[0]]
        del own[key]
        if not own:
            del self._of_network[found[0]]

    def clear(self) -> None:
        self._entries.clear()
        self._of_network.clear()
