"""Pages of a list that is ordered by time and id, newest first.

A cursor is the place of the page's last row, not a count of rows: what comes and goes elsewhere does not
move it.
"""

import base64
from collections.abc import Callable
from typing import Annotated, Final, NamedTuple, TypeVar

from msgspec import Meta, MsgspecError, json

from rhythmd.ports import InvalidCursor
from rhythmd.rows import Page

__all__ = ["decode_cursor", "make_page"]

RowT = TypeVar("RowT")


class Position(NamedTuple):
    """A row's place: its time (Unix milliseconds) and, among those of one time, its id."""

    time: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    id: str


_DECODER: Final = json.Decoder(Position)


def _encode_cursor(position: tuple[int, str]) -> str:
    return base64.urlsafe_b64encode(json.encode(position)).decode()


def decode_cursor(cursor: str) -> Position:
    """The place that a page ended at. Raises InvalidCursor."""
    try:
        return _DECODER.decode(base64.b64decode(cursor, altchars=b"-_", validate=True))
    except (ValueError, MsgspecError) as error:
        raise InvalidCursor("not a cursor of this list") from error


def make_page(rows: list[RowT], limit: int, position: Callable[[RowT], tuple[int, str]]) -> Page[RowT]:
    """The first `limit` (at least 1) of `rows`, which hold one more if there is another page."""
    items = rows[:limit]
    more = len(rows) > limit
    return Page(items, _encode_cursor(position(items[-1])) if more else None)
