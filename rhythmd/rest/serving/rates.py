"""How many requests somebody may send: some kinds of them, each with a rate, and a bounded memory of who sent."""

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
HOUR_S: Final = 3_600.0


class Rate(StrEnum):
    """The kinds of requests that are counted apart."""

    GENERAL = "general"
    AUTH = "auth"
    UPLOAD = "upload"
    REGISTRATION = "registration"


class Allowance(NamedTuple):
    """What is left of `limit` in `period_s`. `wait_s` is 0 for what is granted, else until another request is."""

    limit: int
    period_s: float
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
        limit: requests in `period_s`, also at once after a pause.
        entries: senders that are remembered; the one not heard of for the longest is forgotten first.
        clock: seconds that only grow.
        period_s: seconds.
    """

    def __init__(
        self, limit: int, entries: int, clock: Callable[[], float] = monotonic, period_s: float = MINUTE_S
    ) -> None:
        self._limit = limit
        self._clock = clock
        self._period_s = period_s
        self._interval = period_s / limit
        self._full_again: BoundedDict[str, float] = BoundedDict(entries)

    def __len__(self) -> int:
        return len(self._full_again)

    def take(self, sender: str) -> Allowance:
        """Count a request. One that is refused is not counted."""
        now = self._clock()
        full = max(self._full_again.get(sender, now), now) + self._interval
        excess = full - now - self._period_s
        granted = excess <= self._interval * 1e-6  # what rounding leaves of a difference of zero
        if not granted:
            full -= self._interval
        self._full_again[sender] = full
        remaining = int((self._period_s - (full - now)) / self._interval + 1e-6) if granted else 0
        wait_s = 0 if granted else max(1, ceil(excess))
        return Allowance(self._limit, self._period_s, remaining, ceil(full - now), wait_s)


class Rates:
    """Two limiters for each kind: one of accounts, and one of addresses, which may be those of many people."""

    def __init__(self, limits: LimitsConfig) -> None:
        entries, people = limits.rate_entries, limits.people_per_address
        self._of_accounts = {
            Rate.GENERAL: RateLimiter(limits.requests_per_minute, entries),
            Rate.AUTH: RateLimiter(limits.auth_requests_per_minute, entries),
            Rate.UPLOAD: RateLimiter(limits.uploads_per_minute, entries),
        }
        self._of_addresses = {
            Rate.GENERAL: RateLimiter(limits.requests_per_minute * people, entries),
            Rate.AUTH: RateLimiter(limits.auth_requests_per_minute * people, entries),
            Rate.UPLOAD: RateLimiter(limits.uploads_per_minute * people, entries),
            Rate.REGISTRATION: RateLimiter(limits.accounts_per_hour, entries, period_s=HOUR_S),
        }

    def of_account(self, rate: Rate, user_id: str) -> Allowance:
        """Count a request of this user."""
        return self._of_accounts[rate].take(user_id)

    def of_address(self, rate: Rate, network: str) -> Allowance:
        """Count a request of somebody without an account."""
        return self._of_addresses[rate].take(network)


def too_many(allowance: Allowance) -> ApiError:
    """The refusal of a request that was one too many."""
    period = "a minute" if allowance.period_s == MINUTE_S else "an hour"
    message = f"more than {allowance.limit} requests {period}"
    return ApiError(ErrorCode.RATE_LIMITED, message, headers={"Retry-After": str(allowance.wait_s)})
