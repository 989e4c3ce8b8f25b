"""A bound on how many calls wait for a database."""

from rhythmd.ports import StoreUnavailable

__all__ = ["WaitingCalls"]


class WaitingCalls:
    """The calls that wait for a database: at the high mark further ones are refused until half of them are done.

    Args:
        high_mark: calls that may wait at once.
    """

    def __init__(self, high_mark: int) -> None:
        self._high_mark = high_mark
        self._low_mark = high_mark // 2
        self._waiting = 0
        self._refusing = False

    def enter(self) -> None:
        """Before a call. Raises StoreUnavailable when too many wait."""
        if self._refusing:
            raise StoreUnavailable(f"{self._waiting} calls wait for the database")
        self._waiting += 1
        self._refusing = self._waiting >= self._high_mark

    def leave(self, calls: int = 1) -> None:
        """After so many calls that entered."""
        self._waiting -= calls
        self._refusing = self._refusing and self._waiting > self._low_mark
