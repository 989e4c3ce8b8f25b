"""What all rows have in common: how names are compared, pages of lists, changes."""

import unicodedata
from typing import Final, Generic, TypeVar

from msgspec import UNSET, Struct, structs

__all__ = [
    "FOREVER",
    "Page",
    "changed_fields",
    "fold",
]

FOREVER: Final = 253_402_300_799_000
"""The end of the year 9999 in Unix milliseconds: for a ban without an end."""

RowT = TypeVar("RowT")


def fold(text: str) -> str:
    """The form in which usertags, e-mail addresses and room names are compared (NFKC, caseless)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def changed_fields(changes: Struct) -> dict[str, object]:
    """The fields of a struct of changes that are set, by name."""
    return {name: value for name, value in structs.asdict(changes).items() if value is not UNSET}


class Page(Struct, Generic[RowT], frozen=True):
    """One page of a list, newest first, and the cursor of the next one if there is more.

    Rows added while a list is read do not move the others: none is missed and none is shown twice.
    """

    items: list[RowT]
    next: str | None
