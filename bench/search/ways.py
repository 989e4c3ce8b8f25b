"""The ways to find sheets that are compared: the store's own, and the original's regular expression.

The original looks for the text anywhere in title, artist, album, tags and creator, whatever its case, newest first, and
skips the pages before; it counts what it finds as well. MongoDB has an operator for that. SQLite has LIKE, which is
faster than a regular expression in Python and knows the case of ASCII letters only: both to the original's advantage.
"""

import re
import sqlite3
from typing import Final, Protocol

from rhythmd.ports import SheetStore
from rhythmd.rows import Page, Sheet, SheetQuery, SheetScope
from rhythmd.store.documents.mapping import equal, from_document
from rhythmd.store.mongo import Collection, Document
from rhythmd.store.sqlite.engine import Engine
from rhythmd.store.sqlite.sheet_search import SHEETS
from rhythmd.store.sqlite.table import Value

__all__ = ["LIMIT", "MongoPattern", "SearchWay", "SqlitePattern", "StoreSearch"]

LIMIT: Final = 18
"""Sheets on a page."""

_FIELDS: Final = ("title", "artist", "album", "tags", "creator")
_LIKE: Final = "(" + " OR ".join(f"{field} LIKE ? ESCAPE '!'" for field in _FIELDS) + ")"


class SearchWay(Protocol):
    """One way to answer a query."""

    async def page(self, query: SheetQuery, cursor: str | None) -> Page[Sheet]:
        """A page of what is found, and whatever a first page or each page has beside its sheets."""


class StoreSearch:
    """The store's search, as REST asks for it: a page, and facets with the first one."""

    def __init__(self, sheets: SheetStore) -> None:
        self._sheets = sheets

    async def page(self, query: SheetQuery, cursor: str | None) -> Page[Sheet]:
        page = await self._sheets.search(query, LIMIT, cursor)
        if cursor is None:
            await self._sheets.facets(query)
        return page


def _next_page(sheets: list[Sheet], skip: int, total: int) -> Page[Sheet]:
    behind = skip + len(sheets)
    return Page(sheets, str(behind) if behind < total else None)


def _like_pattern(text: str) -> str:
    return "%" + re.sub("([%_!])", r"!\1", text) + "%"


def _conditions(query: SheetQuery) -> tuple[str, list[Value]]:
    """SQL for what a query asks for, and its values."""
    assert query.scope is SheetScope.LISTED
    conditions, values = ["privacy = 'public' AND approval = 'approved'"], list[Value]()
    if query.text:
        conditions.append(_LIKE)
        values += [_like_pattern(query.text)] * len(_FIELDS)
    wanted = {
        "category = ?": query.category,
        "difficulty = ?": query.difficulty,
        "creator_id = ?": query.creator,
        "EXISTS (SELECT 1 FROM json_each(tags) WHERE value = ?)": query.tag,
        "number IN (SELECT number FROM favorites WHERE user_id = ?)": query.viewer if query.favorite else None,
    }
    given = {condition: str(value) for condition, value in wanted.items() if value is not None}
    return " AND ".join([*conditions, *given]), [*values, *given.values()]


def _find_anywhere(connection: sqlite3.Connection, query: SheetQuery, skip: int) -> Page[Sheet]:
    where, values = _conditions(query)
    (total,) = connection.execute(f"SELECT count(*) FROM sheets WHERE {where}", values).fetchone()
    clauses = f"WHERE {where} ORDER BY created DESC LIMIT ? OFFSET ?"
    return _next_page(SHEETS.select(connection, clauses, *values, LIMIT, skip), skip, total)


def _index(connection: sqlite3.Connection) -> None:
    for columns in ("created", "creator_id, created", "category, difficulty, created"):
        name = columns.replace(", ", "_")
        connection.execute(f"CREATE INDEX original_{name} ON sheets ({columns})")


class SqlitePattern:
    """The original's way, on the tables of the SQLite store, with indexes for its order and its filters.

    Args:
        engine: on the store's file, with a thread and a connection of its own, as the store's search has.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def start(self) -> None:
        await self._engine.write(_index)

    async def page(self, query: SheetQuery, cursor: str | None) -> Page[Sheet]:
        return await self._engine.read(_find_anywhere, query, int(cursor or 0))


class MongoPattern:
    """The original's way, on the collections of the MongoDB store.

    Args:
        sheets, favorites: the store's collections.
    """

    def __init__(self, sheets: Collection, favorites: Collection) -> None:
        self._sheets = sheets
        self._favorites = favorites

    async def page(self, query: SheetQuery, cursor: str | None) -> Page[Sheet]:
        where, skip = await self._conditions(query), int(cursor or 0)
        total = await self._sheets.count(where)
        found = await self._sheets.find(where, [("created", -1)], limit=LIMIT, skip=skip)
        return _next_page([from_document(document, Sheet) for document in found], skip, total)

    async def _conditions(self, query: SheetQuery) -> Document:
        assert query.scope is SheetScope.LISTED
        wanted = {
            "category": query.category,
            "difficulty": query.difficulty,
            "creator_id": query.creator,
            "tags": query.tag,
        }
        conditions: list[Document] = [{"listed": True}]
        conditions.append(equal(**{field: str(value) for field, value in wanted.items() if value is not None}))
        if query.text:
            pattern = {"$regex": re.escape(query.text), "$options": "i"}
            conditions.append({"$or": [{field: pattern} for field in _FIELDS]})
        if query.favorite:
            liked = await self._favorites.find(equal(user_id=query.viewer), [("created", 1)])
            conditions.append({"_id": {"$in": [favorite["sheet_id"] for favorite in liked]}})
        return {"$and": conditions}
