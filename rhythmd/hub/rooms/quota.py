"""How much a client may do: points for notes, and a bucket for control messages."""

from typing import Final

from rhythm_protocol.messages import QuotaState, RoomSettings, RoomType
from rhythmd.config import QuotaConfig

__all__ = ["NoteQuota", "Rates", "TokenBucket", "note_rates"]

HISTORY: Final = 3

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
    """

    __slots__ = ("_flooded", "_history", "_period", "allowance", "maximum", "points")

    def __init__(self, allowance: int, maximum: int, period: int) -> None:
        self.allowance = allowance
        self.maximum = maximum
        self.points = maximum
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
        price = self.allowance if self._flooded else 1
        affordable = min(notes, self.points // price)
        self.points -= affordable * price
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

    @property
    def exhausted(self) -> bool:
        """Whether the client kept on, after it was told, for another whole burst."""
        return self.balance <= -self._burst
