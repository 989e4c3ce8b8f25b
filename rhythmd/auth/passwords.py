"""Passwords: which are allowed, and argon2id in a few threads of its own.

The costs are those of OWASP's Password Storage Cheat Sheet: two passes over 19 MiB with one lane.
"""

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol, TypeVar

import argon2
from msgspec import Struct

from rhythmd.auth.errors import Busy, InvalidField
from rhythmd.auth.secret import new_secret
from rhythmd.fairness.slots import Crowded, FairSlots

__all__ = ["Argon2Hasher", "Hasher", "Passwords", "Verdict", "check_password"]

MIN_LENGTH: Final = 8
MAX_LENGTH: Final = 128
_COMMON_TEXT: Final = """
00000000 11111111 11223344 12341234 12345678 123123123 123456789 1234567890 12345678910 1q2w3e4r 1q2w3e4r5t 1qaz2wsx
66666666 87654321 88888888 987654321 a1b2c3d4 aa123456 aaaaaaaa abc12345 abcd1234 abcdefgh admin123 asdfasdf asdfghjk
asdfghjkl baseball changeme computer football iloveyou internet jennifer letmein1 michelle mypassword p@ssw0rd p@ssword
passw0rd password password1 password12 password123 pianoman princess q1w2e3r4 qwer1234 qwerty12 qwerty123 qwertyui
qwertyuiop starwars sunshine superman test1234 trustno1 welcome1 whatever zaq12wsx zxcvbnm1 zxcvbnm123
"""
COMMON: Final = frozenset(_COMMON_TEXT.split())

T = TypeVar("T")


def check_password(password: str, field: str = "password") -> None:
    """Raise InvalidField unless `password` may be chosen: 8 to 128 characters, and not what everybody tries first."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise InvalidField(f"a password has {MIN_LENGTH} to {MAX_LENGTH} characters", field)
    if _normal(password).casefold() in COMMON:
        raise InvalidField("this password is one of the most common ones", field)


def _normal(password: str) -> str:
    """The same for every keyboard that can write it (NIST SP 800-63B, 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


class Hasher(Protocol):
    """One way of hashing. Slow; called in threads."""

    def hash(self, password: bytes) -> str: ...

    def verify(self, encoded: str, password: bytes) -> bool: ...

    def is_outdated(self, encoded: str) -> bool:
        """Whether `encoded` was made with other parameters than those of today."""


class Argon2Hasher:
    """argon2id (RFC 9106).

    Args:
        passes: over the memory.
        memory_kib: KiB a hash.
    """

    def __init__(self, passes: int = 2, memory_kib: int = 19 * 1024) -> None:
        self._hasher = argon2.PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=1)

    def hash(self, password: bytes) -> str:
        return self._hasher.hash(password)

    def verify(self, encoded: str, password: bytes) -> bool:
        try:
            return self._hasher.verify(encoded, password)
        except argon2.exceptions.VerifyMismatchError:
            return False

    def is_outdated(self, encoded: str) -> bool:
        return self._hasher.check_needs_rehash(encoded)


class Verdict(Struct, frozen=True):
    """`renewed` is a hash with today's parameters, when the one that was checked is older."""

    matches: bool
    renewed: str | None = None


class Passwords:
    """Hashes in threads, at most so many at once. Networks take turns.

    Args:
        hasher: the way of hashing.
        threads: that hash.
        queue: passwords that may wait for a thread; if one more comes, the network with the most of them gets Busy.
    """

    def __init__(self, hasher: Hasher, threads: int, queue: int) -> None:
        self._hasher = hasher
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="password")
        self._slots = FairSlots(threads, queue)
        self._nobodys = hasher.hash(new_secret().encode())

    @property
    def pending(self) -> int:
        """Passwords that are hashed now or wait for it."""
        return self._slots.taken + self._slots.waiting

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def hash(self, password: str) -> str:
        """Raises Busy."""
        return await self._run(lambda: self._hasher.hash(_material(password)))

    async def verify(self, encoded: str | None, password: str) -> Verdict:
        """Whether `password` is the one of `encoded`. With None it is not, after the same work. Raises Busy."""
        return await self._run(lambda: self._verify(encoded, _material(password)))

    def _verify(self, encoded: str | None, material: bytes) -> Verdict:
        matches = self._hasher.verify(encoded or self._nobodys, material)
        if encoded is None or not matches:
            return Verdict(False)
        return Verdict(True, self._hasher.hash(material) if self._hasher.is_outdated(encoded) else None)

    async def _run(self, work: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        try:
            return await self._slots.run(lambda: loop.run_in_executor(self._pool, work))
        except Crowded:
            raise Busy from None


def _material(password: str) -> bytes:
    return _normal(password).encode("utf-8", "surrogatepass")
