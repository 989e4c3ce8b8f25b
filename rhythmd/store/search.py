"""What a page of found sheets ends with, the same in every database: the place in an order, as a cursor."""

import base64
from typing import Annotated, Final, NamedTuple

from msgspec import Meta, MsgspecError, json

from rhythmd.ports import InvalidCursor
from rhythmd.rows import Page, Sheet, SheetQuery, SheetSort

__all__ = ["TIERS", "SheetPlace", "sheet_page", "sheet_place"]

TIERS: Final = 3
"""Of the best matches: the title has the words; it has words that begin so; the sheet has words that begin so."""


class SheetPlace(NamedTuple):
    """A sheet's place: the order, the sheet's tier (BEST) or views (VIEWED), and its number."""

    sort: SheetSort
    value: Annotated[int, Meta(ge=0, le=2**62)]
    number: Annotated[int, Meta(ge=0, le=2**62)]


_DECODER: Final = json.Decoder(SheetPlace)


def sheet_place(query: SheetQuery, cursor: str | None) -> SheetPlace | None:
    """The place that a cursor of this query's order names. Raises InvalidCursor."""
    if cursor is None:
        return None
    try:
        place = _DECODER.decode(base64.b64decode(cursor, altchars=b"-_", validate=True))
    except (ValueError, MsgspecError) as error:
        raise InvalidCursor("not a cursor of this list") from error
    if place.sort is not query.sort or (place.sort is SheetSort.BEST and place.value >= TIERS):
        raise InvalidCursor("a cursor of another order")
    return place


def sheet_page(query: SheetQuery, rows: list[tuple[int, Sheet]], limit: int) -> Page[Sheet]:
    """The first `limit` of `rows`, which hold one more if there is another page. Each row has its place's `value`."""
    items = [sheet for _, sheet in rows[:limit]]
    if len(rows) <= limit:
        return Page(items, None)
    value, sheet = rows[limit - 1]
    place = SheetPlace(query.sort, value, sheet.number)
    return Page(items, base64.urlsafe_b64encode(json.encode(place)).decode())
