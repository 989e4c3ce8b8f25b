"""A room's password, as long as the room lives in memory only: salted, never in clear."""

import hashlib
import hmac
import secrets

__all__ = ["PasswordHash"]


class PasswordHash:
    """Equal to a password without holding it."""

    __slots__ = ("_digest", "_salt")

    def __init__(self, password: str) -> None:
        self._salt = secrets.token_bytes(16)
        self._digest = self._hash(password)

    @property
    def parts(self) -> tuple[bytes, bytes]:
        """Salt and digest."""
        return self._salt, self._digest

    @classmethod
    def of_parts(cls, parts: tuple[bytes, bytes]) -> "PasswordHash":
        """The hash that had these `parts`."""
        hashed = cls.__new__(cls)
        hashed._salt, hashed._digest = parts
        return hashed

    def _hash(self, password: str) -> bytes:
        return hashlib.blake2b(password.encode(), salt=self._salt).digest()

    def matches(self, password: str | None) -> bool:
        return password is not None and hmac.compare_digest(self._hash(password), self._digest)
