"""How many bytes of the live file everybody has taken, so that guests do not fill it with rooms and chat."""

from collections.abc import Callable
from typing import Final

from rhythm_protocol.errors import ErrorCode
from rhythmd.fairness.shares import Claim, Holder, Scope, Shares
from rhythmd.hub.rooms.members import Player

__all__ = ["Ledger", "file_bytes"]

PAGE: Final = 4_096
ALONE: Final = PAGE // 2  # bytes from which on a value has pages of its own
HEAD: Final = 64  # of an entry and its key
HALF: Final = 2  # pages that entries share are half empty at worst, but for a moment


def file_bytes(size: int) -> int:
    """About what a value of `size` bytes takes of the file (LMDB's pages) at most."""
    taken = size + HEAD
    if taken > ALONE:
        return -(-taken // PAGE) * PAGE
    return PAGE // max(1, PAGE // taken // HALF)


class Ledger:
    """Counts what everybody has in it: a room is its maker's, a line of chat its author's.

    Args:
        shares: of guests and others.
        make_way: ends an empty room of those whose share is used up; whether there was one.
    """

    def __init__(self, shares: Shares, make_way: Callable[[Scope, Holder], bool]) -> None:
        self._good = shares.live_bytes
        self.holder: Callable[[Player], Holder] = shares.holder
        self._make_way = make_way
        self._rooms: dict[str, Claim] = {}
        self._lines: dict[str, dict[int, Claim]] = {}  # by room and by id

    def make_space(self, holder: Holder, size: int, code: ErrorCode, what: str) -> None:
        """Raise Refused with `code` unless a value of `size` bytes fits into this holder's share.

        An account that is within its own is served though all is taken: what guests may not have is for those.
        """
        needed = file_bytes(size)
        while (scope := self._good.used_up(holder, needed)) is not None:
            if scope is Scope.ALL and not holder.guest:
                return
            if not self._make_way(scope, holder):
                self._good.require(holder, code, what, needed)

    def room(self, room_id: str, holder: Holder | None, size: int) -> None:
        """A room's value, in place of the one before."""
        claim = self._rooms.get(room_id)
        if claim is None:
            self._rooms[room_id] = self._good.take(holder, file_bytes(size))
        else:
            claim.resize(file_bytes(size))

    def line(self, room_id: str, line_id: int, holder: Holder | None, size: int) -> None:
        """A new line of chat."""
        self._lines.setdefault(room_id, {})[line_id] = self._good.take(holder, file_bytes(size))

    def forget_line(self, room_id: str, line_id: int) -> None:
        claim = self._lines.get(room_id, {}).pop(line_id, None)
        if claim is not None:
            claim.release()

    def forget_lines(self, room_id: str) -> None:
        for claim in self._lines.pop(room_id, {}).values():
            claim.release()

    def forget_room(self, room_id: str) -> None:
        """The room with all of its lines."""
        self.forget_lines(room_id)
        claim = self._rooms.pop(room_id, None)
        if claim is not None:
            claim.release()
