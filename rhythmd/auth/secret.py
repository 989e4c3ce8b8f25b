"""Random values that nobody can guess, and the form in which they are kept."""

import hashlib
import secrets
from typing import Final

__all__ = ["digest", "new_id", "new_secret"]

ID_BYTES: Final = 12
SECRET_BYTES: Final = 32


def new_id() -> str:
    """96 random bits as 24 hexadecimal digits: the id of a row."""
    return secrets.token_hex(ID_BYTES)


def new_secret() -> str:
    """256 random bits as 43 characters of base64url: a bearer of rights."""
    return secrets.token_urlsafe(SECRET_BYTES)


def digest(secret: str) -> bytes:
    """SHA-256. No salt: what has 256 random bits cannot be guessed from a table."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
