"""How sheets are found: by FTS5, or by looking at the words of sheets that come in the wanted order.

A user's text reaches FTS5 only as words of letters and digits, each in quotes; all values are bound. First the numbers
of a page are found, then its sheets are read.
"""

import sqlite3
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from typing import Final, NamedTuple

import orjson
from msgspec import structs

from rhythmd.rows import FACET_LIMIT, FACET_TAGS, Page, Sheet, SheetFacets, SheetQuery, SheetSort
from rhythmd.store.search import SheetPlace, sheet_page, sheet_place
from rhythmd.store.sqlite.sheet_index import Words, filters_of
from rhythmd.store.sqlite.table import Table, Value
from rhythmd.store.words import query_words

__all__ = ["SHEETS", "count_facets", "find_page"]

SHEETS: Final = Table("sheets", Sheet, json=("tags", "remarks"))

MANY: Final = 2_000
"""If a query finds as many sheets, those that are viewed most are looked for among the most viewed sheets of all. In a
hundred thousand sheets a page is full then after a thousand; fewer than that are sorted as quickly."""

_MATCHED: Final = "FROM sheet_words WHERE sheet_words MATCH ?"
_COUNT: Final = "SELECT count(*) FROM (SELECT 1 FROM sheet_words WHERE sheet_words MATCH ? LIMIT ?)"
# CROSS JOIN: in this order. The index `sheets_found` has all that is wanted of a sheet, close together.
_MATCHED_SHEETS: Final = """
    FROM sheet_words CROSS JOIN sheets INDEXED BY sheets_found ON sheets.number = sheet_words.rowid
    WHERE sheet_words MATCH ?
"""
_FAVORITES: Final = """
    FROM favorites CROSS JOIN sheets INDEXED BY sheets_found ON sheets.number = favorites.number
    WHERE favorites.user_id = ?
"""
_MOST_VIEWED: Final = "FROM sheets INDEXED BY sheets_by_views WHERE 1"
_HAS_WORDS: Final = "AND EXISTS (SELECT 1 FROM sheet_words WHERE sheet_words.rowid = sheets.number AND {conditions})"
# One row for all: a list of JSON lists, and texts with no comma in them, are taken apart sooner than rows are fetched.
_FACETS: Final = """
    SELECT count(*), group_concat(category), group_concat(difficulty), group_concat(tags)
    FROM (SELECT category, difficulty, tags {source} LIMIT ?)
"""


class _Source(NamedTuple):
    """Where sheets come from, `FROM …` and `WHERE …` with the values, and what their number is called there."""

    sql: str
    values: tuple[Value, ...]
    number: str = "sheets.number"

    def and_(self, condition: str, *values: Value) -> "_Source":
        return _Source(f"{self.sql} {condition}", (*self.values, *values), self.number)


class _Wanted(NamedTuple):
    """The words that sheets have to have, and those that they must not have."""

    has: tuple[Words, ...]
    lacks: Words | None = None

    @property
    def expression(self) -> str:
        wanted = " AND ".join(words.expression for words in self.has)
        return wanted if self.lacks is None else f"({wanted}) NOT ({self.lacks.expression})"

    def among(self, source: _Source) -> _Source:
        """Those sheets of the source that have the words."""
        conditions = [words.condition for words in self.has]
        values = [value for words in self.has for value in words.values]
        if self.lacks is not None:
            conditions.append(f"NOT {self.lacks.condition}")
            values += self.lacks.values
        return source.and_(_HAS_WORDS.format(conditions=" AND ".join(conditions)), *values)


def _tiers(words: tuple[str, ...]) -> list[tuple[Words, Words | None]]:
    """For each tier what its sheets have, and what only the sheets of a better one have."""
    exact = Words(words, in_title=True)
    begun = Words(words, whole=False, in_title=True)
    return [(exact, None), (begun, exact), (Words(words, whole=False), begun)]


def _wanted(query: SheetQuery) -> list[_Wanted]:
    """What is wanted, one after the other: something for each tier, if the words matter for the order."""
    filters = filters_of(query)
    if not query.text.strip():
        return [_Wanted(tuple(filters))]
    words = tuple(query_words(query.text))
    if not words:
        return []
    if query.sort is SheetSort.BEST:
        return [_Wanted((has, *filters), lacks) for has, lacks in _tiers(words)]
    return [_Wanted((Words(words, whole=False), *filters))]


def _finds_many(connection: sqlite3.Connection, wanted: _Wanted) -> bool:
    (count,) = connection.execute(_COUNT, (wanted.expression, MANY)).fetchone()
    return int(count) == MANY


def _source(connection: sqlite3.Connection, query: SheetQuery, wanted: _Wanted) -> _Source:
    """The source that has the first ones of the query's order soonest."""
    if query.favorite:
        return wanted.among(_Source(_FAVORITES, (query.viewer,)))
    if query.sort is not SheetSort.VIEWED:
        return _Source(_MATCHED, (wanted.expression,), "sheet_words.rowid")
    if _finds_many(connection, wanted):
        return wanted.among(_Source(_MOST_VIEWED, ()))
    return _Source(_MATCHED_SHEETS, (wanted.expression,))


def find_page(connection: sqlite3.Connection, query: SheetQuery, limit: int, cursor: str | None) -> Page[Sheet]:
    """A page of what is found. Raises InvalidCursor."""
    place = sheet_place(query, cursor)
    found: list[tuple[int, int]] = []
    for tier, wanted in enumerate(_wanted(query)):
        if query.sort is SheetSort.BEST and place is not None and tier < place.value:
            continue
        here = place if place is not None and (query.sort is not SheetSort.BEST or tier == place.value) else None
        source = _source(connection, query, wanted)
        found += _ordered(connection, query.sort, source, here, tier, limit + 1 - len(found))
        if len(found) > limit:
            break
    return sheet_page(query, _read(connection, found), limit)


def _ordered(
    connection: sqlite3.Connection, sort: SheetSort, source: _Source, place: SheetPlace | None, tier: int, limit: int
) -> list[tuple[int, int]]:
    """The first ones of a source behind that place: the value that a place has, and the number."""
    value, number = "views" if sort is SheetSort.VIEWED else str(tier), source.number
    if sort is SheetSort.VIEWED:
        order = f"views DESC, {number} DESC"
        if place is not None:
            source = source.and_(f"AND (views, {number}) < (?, ?)", place.value, place.number)
    else:
        ascending = sort is SheetSort.OLDEST
        order = f"{number} ASC" if ascending else f"{number} DESC"
        if place is not None:
            source = source.and_(f"AND {number} {'>' if ascending else '<'} ?", place.number)
    sql = f"SELECT {value}, {number} {source.sql} ORDER BY {order} LIMIT ?"
    return connection.execute(sql, (*source.values, limit)).fetchall()


def _read(connection: sqlite3.Connection, found: Sequence[tuple[int, int]]) -> list[tuple[int, Sheet]]:
    numbers = orjson.dumps([number for _, number in found]).decode()
    sheets = SHEETS.select(connection, "WHERE number IN (SELECT value FROM json_each(?))", numbers)
    by_number = {sheet.number: sheet for sheet in sheets}
    # A word of no sheet is what a damaged file may have; it is removed with the next sweep.
    return [(value, by_number[number]) for value, number in found if number in by_number]


def count_facets(connection: sqlite3.Connection, query: SheetQuery) -> SheetFacets:
    """How many of what is found, or of the newest `FACET_LIMIT` of them, have each value."""
    total, columns = 0, ("", "", "")
    for wanted in _wanted(structs.replace(query, sort=SheetSort.NEWEST)):  # one at most
        if query.favorite:
            source = wanted.among(_Source(_FAVORITES, (query.viewer,)))
        else:
            source = _Source(_MATCHED_SHEETS, (wanted.expression,)).and_("ORDER BY sheet_words.rowid DESC")
        sql = _FACETS.format(source=source.sql)
        total, *columns = connection.execute(sql, (*source.values, FACET_LIMIT)).fetchone()
    category, difficulty, tags = columns if total else ("", "", "")
    each_tag = Counter(chain.from_iterable(orjson.loads(f"[{tags}]")))
    frequent = sorted(each_tag.items(), key=lambda item: (-item[1], item[0]))[:FACET_TAGS]
    return SheetFacets(
        total=total,
        complete=total < FACET_LIMIT,
        category=_count(category),
        difficulty=_count(difficulty),
        tags=dict(frequent),
    )


def _count(values: str) -> dict[str, int]:
    return dict(Counter(values.split(","))) if values else {}
