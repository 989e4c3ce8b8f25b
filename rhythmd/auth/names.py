"""Usertags and e-mail addresses: which are allowed, and how a usertag is made from another site's name."""

import re
import secrets
import unicodedata
from typing import Final

from rhythmd.auth.errors import InvalidField

__all__ = ["check_email", "check_usertag", "derive_usertag", "is_email", "is_usertag", "with_suffix"]

MIN_LENGTH: Final = 3
MAX_LENGTH: Final = 24
MAX_EMAIL_LENGTH: Final = 254  # RFC 5321, 4.5.3.1.3, without the brackets
SUFFIX_DIGITS: Final = 5
FALLBACK: Final = "player"

_USERTAG: Final = re.compile(rf"[A-Za-z0-9_.-]{{{MIN_LENGTH},{MAX_LENGTH}}}")
_NOT_IN_USERTAG: Final = re.compile(r"[^A-Za-z0-9_.-]+")
_EMAIL: Final = re.compile(r"[^@\s\x00-\x1f\x7f\ud800-\udfff]+@(?:[\w-]+\.)+[\w-]+")


def is_usertag(text: str) -> bool:
    return _USERTAG.fullmatch(text) is not None


def is_email(text: str) -> bool:
    """Whether `text` looks like an address. Whether it is one, only a mail to it can tell."""
    return len(text) <= MAX_EMAIL_LENGTH and _EMAIL.fullmatch(text) is not None


def check_usertag(usertag: str) -> None:
    """Raise InvalidField unless `usertag` has 3 to 24 characters of a-z, 0-9, `_`, `-` and `.`, in any case."""
    if not is_usertag(usertag):
        raise InvalidField(
            f"a usertag has {MIN_LENGTH} to {MAX_LENGTH} letters a-z, digits, '_', '-' or '.'", "usertag"
        )


def check_email(email: str) -> None:
    """Raise InvalidField unless `email` looks like an address."""
    if not is_email(email):
        raise InvalidField("this is no e-mail address", "email")


def derive_usertag(name: str) -> str:
    """An allowed usertag that resembles `name`."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    usertag = _NOT_IN_USERTAG.sub("_", plain).strip("_")[:MAX_LENGTH]
    return usertag if len(usertag) >= MIN_LENGTH else FALLBACK


def with_suffix(usertag: str) -> str:
    """`usertag` with random digits at its end, still allowed."""
    digits = f"{secrets.randbelow(10**SUFFIX_DIGITS):0{SUFFIX_DIGITS}}"
    return usertag[: MAX_LENGTH - SUFFIX_DIGITS] + digits
