"""How many requests somebody may send: three kinds of them, each with a rate, and a bounded memory of who sent."""

from collections.abc import Callable
from enum import StrEnum
from math import ceil
from time import monotonic
from typing import Final, NamedTuple

from aiohttp import web

from rhythm_protocol.errors import ErrorCode
from rhythmd.bounded import BoundedDict
from rhythmd.config import LimitsConfig
from rhythmd.rest.serving.envelope import ApiError

__all__ = ["ALLOWANCE", "Allowance", "Rate", "RateLimiter", "Rates", "too_many"]

MINUTE_S: Final = 60.0


class Rate(StrEnum):
    """The kinds of requests that are counted apart."""

    GENERAL = "general"
    AUTH = "auth"
    UPLOAD = "upload"


class Allowance(NamedTuple):
    """What is left after a request. `wait_s` is 0 if it is granted, else seconds until the next one is."""

    limit: int
    remaining: int
    reset_s: int
    wait_s: int

    def headers(self) -> tuple[tuple[str, str], ...]:
        return (
            ("X-RateLimit-Limit", str(self.limit)),
            ("X-RateLimit-Remaining", str(self.remaining)),
            ("X-RateLimit-Reset", str(self.reset_s)),
        )


ALLOWANCE: Final = web.RequestKey("allowance", Allowance)
"""What is left of the rate that a request was counted by, once it has been."""


class RateLimiter:
    """The generic cell rate algorithm (ITU-T I.371): one time for each sender is all that is kept.

    Args:
        per_minute: requests, also at once after a pause.
        entries: senders that are remembered; the one not heard of for the longest is forgotten first.
        clock: seconds that only grow.
    """

    def __init__(self, per_minute: int, entries: int, clock: Callable[[], float] = monotonic) -> None:
        self._limit = per_minute
        self._clock = clock
        self._interval = MINUTE_S / per_minute
        self._full_again: BoundedDict[str, float] = BoundedDict(entries)

    def __len__(self) -> int:
        return len(self._full_again)

    def take(self, sender: str) -> Allowance:
        """Count a request. One that is refused is not counted."""
        now = self._clock()
        full = max(self._full_again.get(sender, now), now) + self._interval
        excess = full - now - MINUTE_S
        granted = excess <= self._interval * 1e-6  # what rounding leaves of a difference of zero
        if not granted:
            full -= self._interval
        self._full_again[sender] = full
        remaining = int((MINUTE_S - (full - now)) / self._interval + 1e-6) if granted else 0
        return Allowance(self._limit, remaining, ceil(full - now), 0 if granted else max(1, ceil(excess)))


class Rates:
    """One limiter for each kind."""

    def __init__(self, limits: LimitsConfig) -> None:
        self._limiters = {
            Rate.GENERAL: RateLimiter(limits.requests_per_minute, limits.rate_entries),
            Rate.AUTH: RateLimiter(limits.auth_requests_per_minute, limits.rate_entries),
            Rate.UPLOAD: RateLimiter(limits.uploads_per_minute, limits.rate_entries),
        }

    def take(self, rate: Rate, sender: str) -> Allowance:
        return self._limiters[rate].take(sender)


def too_many(allowance: Allowance) -> ApiError:
    """The refusal of a request that was one too many."""
    message = f"more than {allowance.limit} requests a minute"
    return ApiError(ErrorCode.RATE_LIMITED, message, headers={"Retry-After": str(allowance.wait_s)})
