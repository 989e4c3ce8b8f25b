"""Real parts with a gauge on them, and the helpers that the tests of one service share with others."""

from collections.abc import Sequence
from typing import Final

from rhythmd.auth.notices import Mail
from rhythmd.auth.passwords import Argon2Hasher
from rhythmd.auth.values import Client
from rhythmd.rows import Account

__all__ = ["CLIENT", "ELSEWHERE", "PASSWORD", "CountingHasher", "Mailbox", "ManualClock", "Record"]

PASSWORD: Final = "correct horse"
CLIENT: Final = Client("192.0.2.1", "browser")
ELSEWHERE: Final = Client("198.51.100.7", "other browser")
START_MS: Final = 1_800_000_000_000


class ManualClock:
    """A clock that the test moves, as Unix ms."""

    def __init__(self) -> None:
        self.now = START_MS

    def __call__(self) -> int:
        return self.now

    def seconds(self) -> float:
        return self.now / 1_000

    def advance(self, seconds: float) -> None:
        self.now += int(seconds * 1_000)


class CountingHasher(Argon2Hasher):
    """argon2id that counts its work; over less memory than in production, so that the tests are quick."""

    def __init__(self) -> None:
        super().__init__(memory_kib=1_024)
        self.hashed = 0
        self.verified = 0

    def hash(self, password: bytes) -> str:
        self.hashed += 1
        return super().hash(password)

    def verify(self, encoded: str, password: bytes) -> bool:
        self.verified += 1
        return super().verify(encoded, password)


class Mailbox:
    """A Mailer that keeps what it is given."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []

    def send(self, mail: Mail) -> None:
        self.mails.append(mail)


class Record:
    """A ChangeWatcher that remembers."""

    def __init__(self) -> None:
        self.ended: list[str] = []
        self.changed: list[Account] = []

    def sessions_ended(self, user_id: str, session_ids: Sequence[str]) -> None:
        self.ended += session_ids

    def account_changed(self, account: Account) -> None:
        self.changed.append(account)
