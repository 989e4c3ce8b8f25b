"""How much a client may do: points for notes, and a bucket for control messages."""

from collections.abc import Sized
from typing import Final, Protocol

from rhythm_protocol.messages import QuotaState, RoomSettings, RoomType
from rhythmd.config import QuotaConfig

__all__ = ["Inbox", "NoteQuota", "Rates", "RoomBudget", "RoomQuota", "TokenBucket", "Traffic", "note_rates"]

HISTORY: Final = 3
DELIVERY_CREDIT_S: Final = 2.0
MINUTE_S: Final = 60.0

Rates = tuple[int, int]
"""Allowance and maximum."""


def note_rates(config: QuotaConfig, settings: RoomSettings, *, is_owner: bool) -> Rates:
    """The note quota of a member of a room with these settings."""
    if settings.allow_black_midi:
        return config.black_midi_allowance, config.black_midi_maximum
    if is_owner:
        return config.owner_allowance, config.owner_maximum
    if settings.type is RoomType.LOBBY:
        return config.lobby_allowance, config.lobby_maximum
    return config.room_allowance, config.room_maximum


class NoteQuota:
    """Points for note-ons, refilled by `allowance` at every period of the server's clock, up to `maximum`.

    The balances at the last three refills tell a burst from a flood: while their sum is at or below zero, a note costs
    `allowance` points instead of one (the rule players of multiplayerpiano.net know). Note-offs are never charged.

    Attributes:
        spent: notes that were paid for in this period.
    """

    __slots__ = ("_flooded", "_history", "_period", "allowance", "maximum", "points", "spent")

    def __init__(self, allowance: int, maximum: int, period: int) -> None:
        self.allowance = allowance
        self.maximum = maximum
        self.points = maximum
        self.spent = 0
        self._period = period
        self._history = [maximum] * HISTORY
        self._flooded = False

    def set_rates(self, allowance: int, maximum: int) -> None:
        """Change the rates, keeping what was spent."""
        self.points = maximum if self.points == self.maximum else min(self.points, maximum)
        self.allowance = allowance
        self.maximum = maximum

    def spend(self, notes: int, period: int) -> int:
        """Pay for `notes` note-ons in refill period number `period`; how many of them are paid for."""
        if period != self._period:
            self._refill(period - self._period)
            self._period = period
            self.spent = 0
        price = self.allowance if self._flooded else 1
        affordable = min(notes, self.points // price)
        self.points -= affordable * price
        self.spent += affordable
        return affordable

    def _refill(self, periods: int) -> None:
        # After `HISTORY` quiet periods the history is full of the present balance.
        for _ in range(min(periods, HISTORY)):
            self._history = [self.points, *self._history[:-1]]
            self.points = min(self.maximum, self.points + self.allowance)
        rest = periods - HISTORY
        if rest > 0:
            self.points = min(self.maximum, self.points + rest * self.allowance)
        self._flooded = sum(self._history) <= 0

    def state(self) -> QuotaState:
        return QuotaState(self.points, self.allowance, self.maximum)


class RoomQuota:
    """Points for all note-ons of a room. While they are used up, each member has an equal share of a refill.

    Args:
        allowance: points at a refill.
        maximum: points that are saved.
        members: of the room.
    """

    __slots__ = ("_allowance", "_maximum", "_members", "_period", "_points")

    def __init__(self, allowance: int, maximum: int, members: Sized) -> None:
        self._allowance = min(allowance, maximum)
        self._maximum = self._points = maximum
        self._members = members
        self._period = -1

    def spend(self, notes: int, of_member: int, period: int) -> int:
        """Pay for the newest of the notes that a member has played in this refill `period`; how many are paid for.

        On the hot path.
        """
        if period != self._period:
            self._points = min(self._maximum, self._points + (period - self._period) * self._allowance)
            self._period = period
        if notes > self._points:
            share = self._allowance // (len(self._members) or 1) - (of_member - notes)
            notes = max(0, self._points, min(notes, share))
        self._points -= notes
        return notes


class Traffic:
    """The events of any kind that all players of a room send in one refill. The quota charges note-ons only.

    Args:
        config: how many controllers one member may send, and note-ons all together.
        members: of the room.

    Attributes:
        others: events of a member that are no notes.
        most: of all members.
    """

    __slots__ = ("_count", "_members", "_period", "most", "others")

    def __init__(self, config: QuotaConfig, members: Sized) -> None:
        self.others = config.other_events
        self.most = 2 * config.total_maximum + config.other_events
        self._members = members
        self._count = 0
        self._period = -1

    def count(self, count: int, of_member: int, period: int) -> bool:
        """Count events of a member, who has sent so many in this refill `period`. On the hot path.

        False when all are too many, and those of the member more than an equal share.
        """
        if period != self._period:
            self._period = period
            self._count = 0
        self._count += count
        return self._count <= self.most or of_member * len(self._members) <= self.most


class TokenBucket:
    """`rate` messages a second, `burst` at once. A balance below zero, down to `-burst`, shows how far over."""

    __slots__ = ("_burst", "_rate", "_updated", "balance")

    def __init__(self, rate: float, burst: int, now_s: float) -> None:
        self._rate = rate
        self._burst = burst
        self._updated = now_s
        self.balance = float(burst)

    def take(self, now_s: float) -> bool:
        """Charge one message; False when it is over the rate."""
        balance = self.balance + (now_s - self._updated) * self._rate
        self._updated = now_s
        self.balance = max(min(balance, self._burst) - 1.0, -float(self._burst))
        return self.balance >= 0.0

    def charge(self, messages: float) -> None:
        """Charge what a message that was taken has caused, as so many more."""
        self.balance = max(self.balance - messages, -float(self._burst) + 1.0)

    def is_over(self, now_s: float) -> bool:
        """Whether a message would be over the rate now."""
        return self.balance + (now_s - self._updated) * self._rate < 1.0

    @property
    def exhausted(self) -> bool:
        """Whether the client kept on, after it was told, for another whole burst."""
        return self.balance <= -self._burst


class Inbox:
    """The whispers that one reader gets, with times of the monotonic clock: when all is paid for, and of whom.

    While there are too many, each network that whispers to the reader has an equal share.
    """

    __slots__ = ("_paid_at", "_senders")

    def __init__(self) -> None:
        self._paid_at = 0.0
        self._senders: dict[str, float] = {}  # by network; those who have paid are forgotten

    def takes(self, sender: str, whisper_s: float, now: float) -> bool:
        """Count one more whisper, of which one in `whisper_s` seconds is allowed; False when it is one too many."""
        self._senders = {other: paid_at for other, paid_at in self._senders.items() if paid_at > now}
        share_paid_at = max(self._senders.get(sender, now), now)
        share_s = whisper_s * len(self._senders.keys() | {sender})
        paid_at = max(self._paid_at, now)
        if paid_at - now > MINUTE_S - whisper_s and share_paid_at - now > MINUTE_S - share_s:
            return False
        self._paid_at = paid_at + whisper_s
        self._senders[sender] = share_paid_at + share_s
        return True


class Payer(Protocol):
    """Somebody in a room, with a time of the monotonic clock: when all is paid for that they said."""

    deliveries_paid_at: float


class Reader(Protocol):
    """Somebody in a room who may be whispered to."""

    inbox: Inbox | None


class RoomBudget:
    """What may be said in one room beside its music. While it is too much, each member has an equal share of it.

    Args:
        deliveries_per_s: of control messages, once a listener.
        whispers_per_minute: that one member may get, and as many at once; while others use up
            more than their share, a network that has not still has its own.
    """

    __slots__ = ("_delivery_s", "_paid_at", "_whisper_s")

    def __init__(self, deliveries_per_s: int, whispers_per_minute: int) -> None:
        self._delivery_s = 1.0 / deliveries_per_s
        self._whisper_s = MINUTE_S / whispers_per_minute
        self._paid_at = 0.0

    def charge(self, payer: Payer, deliveries: int, members: int, now: float) -> None:
        """A member of the room, who is one of so many, has caused so many deliveries."""
        self._paid_at = max(self._paid_at, now) + deliveries * self._delivery_s
        payer.deliveries_paid_at = max(payer.deliveries_paid_at, now) + deliveries * self._delivery_s * members

    def refuses(self, payer: Payer, now: float) -> bool:
        """Whether the room is over its budget, and this member over their share of it."""
        return self._paid_at - now > DELIVERY_CREDIT_S and payer.deliveries_paid_at - now > DELIVERY_CREDIT_S

    def takes_whisper(self, reader: Reader, sender: str, now: float) -> bool:
        """Count one more whisper to `reader` from a network; False when it is one too many."""
        if reader.inbox is None:  # most are never whispered to
            reader.inbox = Inbox()
        return reader.inbox.takes(sender, self._whisper_s, now)
