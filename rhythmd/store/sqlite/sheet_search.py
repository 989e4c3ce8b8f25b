"""How sheets are found: words by FTS5, everything else by conditions and indexes.

A user's text reaches FTS5 only as words of letters and digits, each in quotes; all values are bound.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from msgspec import structs

from rhythmd.rows import FACET_LIMIT, FACET_TAGS, Page, Sheet, SheetFacets, SheetQuery, SheetScope, SheetSort
from rhythmd.store.search import TIERS, SheetPlace, sheet_page, sheet_place
from rhythmd.store.sqlite.table import Table, Value
from rhythmd.store.words import query_words

__all__ = ["SHEETS", "count_facets", "find_page"]

SHEETS: Final = Table("sheets", Sheet, json=("tags", "remarks"))

_SCOPES: Final = {
    SheetScope.LISTED: "listed",
    SheetScope.PUBLIC: "privacy = 'public'",
    SheetScope.OWN: "creator_id = ?",
    SheetScope.READABLE: "(creator_id = ? OR (privacy <> 'private' AND approval <> 'rejected'))",
}
_TAGGED: Final = "number IN (SELECT number FROM sheet_tags WHERE tag = ?)"
_FAVORITE: Final = "number IN (SELECT number FROM favorites WHERE user_id = ?)"
# CROSS JOIN: words are looked up first, the newest first, and the search ends when the page is full.
_WITH_WORDS: Final = "FROM sheet_words CROSS JOIN sheets ON sheets.number = sheet_words.rowid"
_FACETS: Final = """
    WITH found AS MATERIALIZED (SELECT number, category, difficulty {source} LIMIT ?)
    SELECT 'total', '', count(*) FROM found
    UNION ALL SELECT 'category', category, count(*) FROM found GROUP BY category
    UNION ALL SELECT 'difficulty', difficulty, count(*) FROM found GROUP BY difficulty
    UNION ALL SELECT * FROM (
        SELECT 'tags', tag, count(*) AS often FROM found JOIN sheet_tags USING (number)
        GROUP BY tag ORDER BY often DESC, tag LIMIT ?
    )
"""


class _Source(NamedTuple):
    """Where rows come from: `FROM …` and `WHERE …`, with the values."""

    joined: str
    conditions: tuple[str, ...]
    values: tuple[Value, ...]

    def and_(self, condition: str, *values: Value) -> "_Source":
        return _Source(self.joined, (*self.conditions, condition), (*self.values, *values))

    @property
    def sql(self) -> str:
        return f"{self.joined} WHERE {' AND '.join(self.conditions)}"


def _filters(query: SheetQuery) -> Iterator[tuple[str, Value]]:
    if query.scope in {SheetScope.OWN, SheetScope.READABLE}:
        yield _SCOPES[query.scope], query.viewer
    wanted = {
        "category = ?": query.category,
        "difficulty = ?": query.difficulty,
        _TAGGED: query.tag,
        "creator_id = ?": query.creator,
        "approval = ?": query.approval,
        _FAVORITE: query.viewer if query.favorite else None,
    }
    yield from ((condition, value) for condition, value in wanted.items() if value is not None)


def _filtered(query: SheetQuery, joined: str) -> _Source:
    source = _Source(joined, (), ())
    if query.scope in {SheetScope.LISTED, SheetScope.PUBLIC}:
        source = source.and_(_SCOPES[query.scope])
    for condition, value in _filters(query):
        source = source.and_(condition, value)
    return source


def _all_of(words: Sequence[str], *, whole: bool) -> str:
    return " AND ".join(f'"{word}"' if whole else f'"{word}" *' for word in words)


def _tier(words: Sequence[str], tier: int) -> str:
    """FTS5's expression for the sheets of a tier, and of no better one."""
    exact, begun, anywhere = (
        f"{{title_words}} : ({_all_of(words, whole=True)})",
        f"{{title_words}} : ({_all_of(words, whole=False)})",
        f"({_all_of(words, whole=False)})",
    )
    return (exact, f"({begun}) NOT ({exact})", f"{anywhere} NOT ({begun})")[tier]


def _sources(query: SheetQuery) -> list[_Source]:
    """Where the rows come from, one after the other: a source for each tier, if the words matter for the order."""
    if not query.text.strip():
        return [_filtered(query, "FROM sheets")]
    words = query_words(query.text)
    if not words:
        return []
    if query.sort is SheetSort.BEST:
        matches = [_tier(words, tier) for tier in range(TIERS)]
    else:
        matches = [f"({_all_of(words, whole=False)})"]
    return [_filtered(query, _WITH_WORDS).and_("sheet_words MATCH ?", match) for match in matches]


def find_page(connection: sqlite3.Connection, query: SheetQuery, limit: int, cursor: str | None) -> Page[Sheet]:
    """A page of what is found. Raises InvalidCursor."""
    place = sheet_place(query, cursor)
    rows: list[tuple[int, Sheet]] = []
    for tier, source in enumerate(_sources(query)):
        if query.sort is SheetSort.BEST and place is not None and tier < place.value:
            continue
        here = place if place is not None and (query.sort is not SheetSort.BEST or tier == place.value) else None
        found = _ordered(connection, query, source, here, limit + 1 - len(rows))
        rows += [(sheet.views if query.sort is SheetSort.VIEWED else tier, sheet) for sheet in found]
        if len(rows) > limit:
            break
    return sheet_page(query, rows, limit)


def _ordered(
    connection: sqlite3.Connection, query: SheetQuery, source: _Source, place: SheetPlace | None, limit: int
) -> list[Sheet]:
    number = "sheet_words.rowid" if source.joined == _WITH_WORDS else "number"
    if query.sort is SheetSort.VIEWED:
        order = f"views DESC, {number} DESC"
        if place is not None:
            source = source.and_(f"(views, {number}) < (?, ?)", place.value, place.number)
    else:
        ascending = query.sort is SheetSort.OLDEST
        order = f"{number} ASC" if ascending else f"{number} DESC"
        if place is not None:
            source = source.and_(f"{number} {'>' if ascending else '<'} ?", place.number)
    return SHEETS.select_from(connection, f"{source.sql} ORDER BY {order} LIMIT ?", *source.values, limit)


def count_facets(connection: sqlite3.Connection, query: SheetQuery) -> SheetFacets:
    """How many of what is found have each value."""
    counts: dict[str, dict[str, int]] = {"total": {"": 0}, "category": {}, "difficulty": {}, "tags": {}}
    sources = _sources(query)
    if sources:
        source = _without_tiers(query)
        sql = _FACETS.format(source=source.sql)
        for kind, value, count in connection.execute(sql, (*source.values, FACET_LIMIT, FACET_TAGS)):
            counts[kind][value] = count
    total = counts["total"][""]
    return SheetFacets(
        total=total,
        complete=total < FACET_LIMIT,
        category=counts["category"],
        difficulty=counts["difficulty"],
        tags=counts["tags"],
    )


def _without_tiers(query: SheetQuery) -> _Source:
    (source,) = _sources(structs.replace(query, sort=SheetSort.NEWEST))
    return source
