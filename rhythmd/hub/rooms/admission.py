"""Reserved seats: whom a room lets in before all others.

A seat that nobody comes to is taken from those who would. So it is reserved once, for a short time; whoever lets it
lapse comes over a socket from then on, as do guests of the same network. And a guest's gives way to who is there.
"""

from time import monotonic
from typing import Final, NamedTuple

from rhythm_protocol.errors import ErrorCode
from rhythmd.bounded import BoundedDict
from rhythmd.errors import Refused
from rhythmd.fairness.shares import Claim, CommonGood, Holder

__all__ = ["Reservations"]

RESERVED_S: Final = 30.0
LAPSES_S: Final = 300.0
LAPSES: Final = 1_000
"""Networks and users that are remembered for seats that they did not take."""


class _Seat(NamedTuple):
    until: float
    claim: Claim


class _Record(NamedTuple):
    """How many more seats somebody let lapse than they took, and until when that counts."""

    lapsed: int
    until: float


class Reservations:
    """Users with a reserved seat, and until when, the oldest first. What is over is forgotten at the next look.

    Args:
        good: all seats that are reserved on this server.
    """

    __slots__ = ("_good", "_records", "_seats")

    def __init__(self, good: CommonGood) -> None:
        self._good = good
        self._seats: dict[str, _Seat] = {}
        self._records: BoundedDict[str, _Record] | None = None

    def reserve(self, user_id: str, holder: Holder) -> float:
        """A seat for somebody who has no socket yet; the seconds that it is theirs. A seat is not renewed.

        Raises Refused (`seat-limit`).
        """
        if user_id not in self:
            if self._lapsed(holder.key) > 0:
                raise Refused(ErrorCode.SEAT_LIMIT, "a seat that was reserved was not taken: join over a socket")
            self._good.require(holder, ErrorCode.SEAT_LIMIT, "reserved seats")
            self._seats[user_id] = _Seat(monotonic() + RESERVED_S, self._good.take(holder))
        return self._seats[user_id].until - monotonic()

    def take_up(self, user_id: str, free: int) -> bool:
        """This user is here; whether a seat was reserved for them. `free`: seats that the room has beside its members.

        If more than that are reserved, those of guests give way.
        """
        seat = self._seats.pop(user_id, None)
        for other in [other for other, absent in self._seats.items() if _is_guests(absent)]:
            if len(self._seats) <= free:
                break
            self.release(other)
        if seat is None:
            return False
        self._count_lapse(seat.claim.holder, -1)
        seat.claim.release()
        return True

    def release(self, user_id: str) -> None:
        """The seat is given back, or somebody else needs it."""
        seat = self._seats.pop(user_id, None)
        if seat is not None:
            seat.claim.release()

    def clear(self) -> None:
        for user_id in list(self._seats):
            self.release(user_id)

    def sweep(self) -> bool:
        """Forget what is over; whether there was anything."""
        now, before = monotonic(), len(self._seats)
        while self._seats:
            user_id, seat = next(iter(self._seats.items()))
            if seat.until > now:
                break
            self._count_lapse(seat.claim.holder, 1)
            self.release(user_id)
        return len(self._seats) < before

    @property
    def firm(self) -> int:
        """Seats that give way to nobody."""
        return len(self) - sum(map(_is_guests, self._seats.values()))

    def __contains__(self, user_id: str) -> bool:
        self.sweep()
        return user_id in self._seats

    def __len__(self) -> int:
        if self._seats:
            self.sweep()
        return len(self._seats)

    def _lapsed(self, key: str) -> int:
        record = None if self._records is None else self._records.get(key)
        return 0 if record is None or record.until <= monotonic() else record.lapsed

    def _count_lapse(self, holder: Holder | None, number: int) -> None:
        if holder is None:
            return
        if self._records is None:  # nearly no room has any
            self._records = BoundedDict(LAPSES)
        self._records[holder.key] = _Record(self._lapsed(holder.key) + number, monotonic() + LAPSES_S)


def _is_guests(seat: _Seat) -> bool:
    return seat.claim.holder is not None and seat.claim.holder.guest
