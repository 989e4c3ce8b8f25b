"""What is to be printed, each thing at its moment."""

from collections.abc import Callable
from heapq import heappop, heappush

__all__ = ["Agenda"]


class Agenda:
    """Does what it is given in the order of the moments, and in the order given where they are the same."""

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, Callable[[], None]]] = []
        self._added = 0

    def add(self, due_ms: float, action: Callable[[], None]) -> None:
        """Do `action` at `due_ms` of any clock that only goes forward."""
        self._added += 1
        heappush(self._entries, (due_ms, self._added, action))

    @property
    def next_ms(self) -> float | None:
        """When there is something to do; None: never."""
        return self._entries[0][0] if self._entries else None

    def run(self, now_ms: float) -> None:
        """Do what is due at `now_ms`."""
        while self._entries and self._entries[0][0] <= now_ms:
            heappop(self._entries)[2]()
