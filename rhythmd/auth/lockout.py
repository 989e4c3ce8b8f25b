"""Slows guessing down without locking anybody out for long.

Failures are counted three ways, each with failures that are free and a longest lock of its own:

- by account and address: strict, because a person who forgets a password does so from one place;
- by address alone: one machine that tries many accounts;
- by account alone: many machines that try one account. This one is soft: an address that the account is in use from
  passes, so that attackers elsewhere cannot keep the owner out.

An attempt counts as a failure from its beginning and is forgiven when it succeeds: many at once get no further than
one after the other. An attempt during a lock does not lengthen it.
"""

from typing import Final

from msgspec import Struct

from rhythmd.addresses import customer_network
from rhythmd.auth.errors import LockedOut
from rhythmd.auth.values import Clock
from rhythmd.bounded import BoundedDict

__all__ = ["Attempt", "Lockout", "LockoutPolicy"]

FORGET_MS: Final = 15 * 60_000

Key = tuple[str, str]


class LockoutPolicy(Struct, frozen=True):
    """How many failures are free, and how long the lock is after one more.

    Args:
        failures: that are free.
        first_s: the lock after one more; it doubles with each that follows.
        max_s: the longest lock.
    """

    failures: int
    first_s: float
    max_s: float

    def lock_ms(self, failures: int) -> int:
        excess = failures - self.failures
        if excess <= 0:
            return 0
        doublings = min(excess - 1, 32)
        return int(min(self.first_s * 2**doublings, self.max_s) * 1_000)


class _Record(Struct):
    """The failures of one key: how many, when the last one was, and until when it is locked (ms)."""

    failures: int = 0
    last: int = 0
    until: int = 0


class _Counter:
    """Failures by key, the least recently touched forgotten first."""

    def __init__(self, policy: LockoutPolicy, entries: int) -> None:
        self._policy = policy
        self._records: BoundedDict[Key, _Record] = BoundedDict(entries)

    def __len__(self) -> int:
        return len(self._records)

    def locked_ms(self, key: Key, now: int) -> int:
        record = self._records.get(key)
        return max(0, record.until - now) if record else 0

    def add(self, key: Key, now: int) -> None:
        record = self._records.get(key)
        if record is None or now - record.last > FORGET_MS:
            record = _Record()
        record.failures += 1
        record.last = now
        record.until = now + self._policy.lock_ms(record.failures)
        self._records[key] = record

    def take_back(self, key: Key) -> None:
        record = self._records.get(key)
        if record is None:
            return
        record.failures -= 1
        record.until = min(record.until, record.last + self._policy.lock_ms(record.failures))
        if record.failures <= 0:
            del self._records[key]

    def forget(self, key: Key) -> None:
        self._records.pop(key, None)


class Attempt:
    """One login under way, counted as a failure until it is something else."""

    def __init__(self, lockout: "Lockout", account: str, address: str) -> None:
        self._lockout = lockout
        self._account = account
        self._address = address

    def succeed(self) -> None:
        """The password was right: forget what failed between this account and this address."""
        self.withdraw()
        self._lockout.by_pair.forget((self._account, self._address))

    def withdraw(self) -> None:
        """The password was not looked at."""
        self._lockout.by_pair.take_back((self._account, self._address))
        self._lockout.by_address.take_back(("", self._address))
        self._lockout.by_account.take_back((self._account, ""))


class Lockout:
    """Counts failed logins, and refuses further attempts for a while when there are too many.

    Args:
        pair: for one account from one address.
        address: for one address.
        account: for one account from addresses that are new to it.
        entries: that each count keeps.
        clock: ms, never backwards.
    """

    def __init__(
        self, pair: LockoutPolicy, address: LockoutPolicy, account: LockoutPolicy, entries: int, clock: Clock
    ) -> None:
        self.by_pair = _Counter(pair, entries)
        self.by_address = _Counter(address, entries)
        self.by_account = _Counter(account, entries)
        self._clock = clock

    def is_under_attack(self, account: str) -> bool:
        """Whether `begin` would want to know if the address is trusted."""
        return self.by_account.locked_ms((account, ""), self._clock()) > 0

    def begin(self, account: str, address: str, *, trusted: bool = False) -> Attempt:
        """Count an attempt.

        Args:
            account: any text that stands for it, whether it exists or not.
            address: an IP address.
            trusted: the account is in use from that address.

        Raises:
            LockedOut: not now.
        """
        now = self._clock()
        place = customer_network(address)
        pair, alone, anywhere = (account, place), ("", place), (account, "")
        locked_ms = max(self.by_pair.locked_ms(pair, now), self.by_address.locked_ms(alone, now))
        if not trusted:
            locked_ms = max(locked_ms, self.by_account.locked_ms(anywhere, now))
        if locked_ms:
            raise LockedOut(locked_ms / 1_000)
        self.by_pair.add(pair, now)
        self.by_address.add(alone, now)
        self.by_account.add(anywhere, now)
        return Attempt(self, account, place)
