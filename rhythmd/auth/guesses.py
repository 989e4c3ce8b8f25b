"""Guessing the passwords of rooms, slowed down as guessing those of accounts is, and without locking a class out.

Each user is counted strictly. But guests cost nothing, so all guests of a network together have a bound, too, and all
its accounts have another one. It is so much higher that one person who mistypes, or plays with the door, does not keep
out the others behind the same address, and it is filled up so slowly that four digits are safe.

A password that somebody came in with before is no guess, nor is any by the room's owner. Neither is counted: who is
known to a room comes in whatever others behind their address do.
"""

import secrets
from hashlib import blake2b
from math import ceil
from typing import Final

from rhythm_protocol.errors import ErrorCode
from rhythmd.addresses import customer_network, is_loopback
from rhythmd.auth.errors import LockedOut
from rhythmd.auth.lockout import Attempt, Lockout, LockoutPolicy
from rhythmd.auth.values import Clock
from rhythmd.bounded import BoundedDict
from rhythmd.config import AuthConfig
from rhythmd.errors import Refused
from rhythmd.fairness.shares import Person

__all__ = ["CROWD", "Guess", "RoomGuesses"]

CROWD: Final = 20
"""How many times as much all guests, or all accounts, of a network may guess as one of them."""
ROOMS_AT_ONCE: Final = 10
"""How many times as fast as that of one room the allowance for all rooms fills up."""

Key = tuple[str, ...]


class _Allowance:
    """Failures by key: so many at once, and one more each `refill_ms`; the oldest key is forgotten first."""

    def __init__(self, failures: int, refill_ms: float, entries: int) -> None:
        self._refill_ms = refill_ms
        self._most_ms = failures * refill_ms
        self._filled_at: BoundedDict[Key, float] = BoundedDict(entries)

    def wait_ms(self, key: Key, now: int) -> float:
        """How long one more has to wait."""
        return max(self._filled_at.get(key, 0.0) + self._refill_ms - self._most_ms - now, 0.0)

    def add(self, key: Key, now: int) -> None:
        self._filled_at[key] = max(self._filled_at.get(key, 0.0), now) + self._refill_ms

    def take_back(self, key: Key) -> None:
        if key in self._filled_at:
            self._filled_at[key] -= self._refill_ms


class Guess:
    """One password under way, counted as wrong until it is something else."""

    def __init__(self, guesses: "RoomGuesses", key: Key, digest: bytes, attempt: Attempt | None, crowd: Key) -> None:
        self._guesses = guesses
        self._key = key
        self._digest = digest
        self._attempt = attempt
        self._crowd = crowd

    def succeed(self) -> None:
        """The password was right, and will be no guess the next time."""
        if self._attempt is not None:
            self._attempt.withdraw()
            self._guesses.take_back(self._crowd)
        self._guesses.forgive(self._key, self._crowd)
        self._guesses.known[self._key] = self._digest

    def withdraw(self) -> None:
        """The password was not looked at."""
        if self._attempt is not None:
            self._attempt.withdraw()
            self._guesses.take_back(self._crowd)
        else:
            self._guesses.known[self._key] = self._digest


class RoomGuesses:
    """Counts wrong passwords: of each user, by room and in all; and of each network's guests and accounts, as well.

    A room itself is never locked: whoever knows its password comes in, however many guess it elsewhere.

    Args:
        config: has the limits of logins, which hold for each user here.
        clock: ms, never backwards.

    Attributes:
        known: digests of passwords that were right, by room and user; which shows that one is said again, no more.
    """

    def __init__(self, config: AuthConfig, clock: Clock) -> None:
        pair = LockoutPolicy(config.pair_failures, config.lock_first_s, config.lock_max_s)
        alone = LockoutPolicy(config.address_failures, config.lock_first_s, config.lock_max_s)
        entries, refill_ms = config.lock_entries, config.lock_max_s * 1_000
        self._lockout = Lockout(pair, alone, alone, entries, clock)
        self._of_room = _Allowance(CROWD * config.pair_failures, refill_ms, entries)
        self._of_all = _Allowance(CROWD * config.address_failures, refill_ms / ROOMS_AT_ONCE, entries)
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        self.known: BoundedDict[Key, bytes] = BoundedDict(entries)

    def begin(self, room_id: str, guesser: Person, password: str | None, *, owns: bool) -> Guess | None:
        """Count an attempt.

        None if it is no guess: of the room's owner, without a password, or from loopback, which a whole machine shares.

        Raises Refused: `locked-out`.
        """
        if password is None or owns or is_loopback(guesser.address):
            return None
        key = (room_id, guesser.id)
        digest = self._digest(password)
        kind = "guests" if guesser.guest else "accounts"
        crowd = (room_id, kind, customer_network(guesser.address))
        if self.known.get(key) == digest:
            del self.known[key]  # one that turns out to be wrong now is a guess the next time
            return Guess(self, key, digest, None, crowd)
        return Guess(self, key, digest, self._count(room_id, guesser.id, crowd), crowd)

    def learn(self, room_id: str, user_id: str, password: str | None) -> None:
        """A user has set the password of a room."""
        if password is not None:
            self.known[room_id, user_id] = self._digest(password)

    def _digest(self, password: str) -> bytes:
        return blake2b(password.encode(errors="surrogatepass"), key=self._secret, digest_size=16).digest()

    def _count(self, room_id: str, user_id: str, crowd: Key) -> Attempt:
        now = self._clock()
        wait_ms = max(self._of_room.wait_ms(crowd, now), self._of_all.wait_ms(crowd[1:], now))
        if wait_ms:
            raise _locked(wait_ms / 1_000)
        try:
            attempt = self._lockout.begin(room_id, _place(user_id, crowd), trusted=True)
        except LockedOut as error:
            raise _locked(error.retry_after_s) from None
        self._of_room.add(crowd, now)
        self._of_all.add(crowd[1:], now)
        return attempt

    def take_back(self, crowd: Key) -> None:
        """One attempt of a crowd was no failure."""
        self._of_room.take_back(crowd)
        self._of_all.take_back(crowd[1:])

    def forgive(self, key: Key, crowd: Key) -> None:
        """Forget what this user got wrong at this room."""
        room_id, user_id = key
        self._lockout.by_pair.forget((room_id, _place(user_id, crowd)))


def _place(user_id: str, crowd: Key) -> str:
    """What stands for a user in their network where an account's lockout has an address."""
    return " ".join((user_id, *crowd[1:]))


def _locked(seconds: float) -> Refused:
    return Refused(ErrorCode.LOCKED_OUT, f"too many wrong passwords, wait {ceil(seconds)} s", "password")
