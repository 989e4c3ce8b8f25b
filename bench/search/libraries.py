"""Libraries to search in: a store with made-up sheets, and both ways to search it."""

import asyncio
import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from bench.search.corpus import FILE, READER
from bench.search.ways import MongoPattern, SearchWay, SqlitePattern, StoreSearch
from rhythmd.ports import SheetStore
from rhythmd.rows import Sheet
from rhythmd.store.documents import MongoStore
from rhythmd.store.documents.sheets import sheet_document
from rhythmd.store.mongo import Collection, Database
from rhythmd.store.sqlite import SqliteStore
from rhythmd.store.sqlite.engine import Engine

__all__ = ["Library", "mongo_library", "sqlite_library"]

_BATCH: Final = 1_000
_LIKED: Final = 7  # every so many sheets, READER has a favourite
_MOST_LIKED: Final = 500
_TIMEOUT_S: Final = 120.0  # what is slow is to be measured, not refused


class Library:
    """A store of sheets, and the ways to find them.

    Args:
        sheets: the store.
        add: adds many sheets.
        original: the original's way to search.
    """

    def __init__(
        self, sheets: SheetStore, add: Callable[[Sequence[Sheet]], Awaitable[object]], original: SearchWay
    ) -> None:
        self.ours: SearchWay = StoreSearch(sheets)
        self.original = original
        self._sheets = sheets
        self._add = add

    async def fill(self, sheets: Sequence[Sheet]) -> None:
        """Add these sheets, and make some of them favourites."""
        await self._sheets.add_file(FILE)
        for start in range(0, len(sheets), _BATCH):
            await self._add(sheets[start : start + _BATCH])
        for sheet in sheets[::_LIKED][:_MOST_LIKED]:
            await self._sheets.like(READER, sheet.id, sheet.created, 2 * _MOST_LIKED)


@asynccontextmanager
async def sqlite_library() -> AsyncIterator[Library]:
    """An empty library in a SQLite file that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        path = Path(folder) / "store.sqlite"
        store, engine = SqliteStore(path, timeout_s=_TIMEOUT_S), Engine(path, timeout_s=_TIMEOUT_S)
        original = SqlitePattern(engine)
        await store.start()
        await engine.start()
        await original.start()

        async def add(sheets: Sequence[Sheet]) -> None:
            await asyncio.gather(*(store.sheets.create(sheet) for sheet in sheets))

        try:
            yield Library(store.sheets, add, original)
        finally:
            await engine.close()
            await store.close()


@asynccontextmanager
async def mongo_library(url: str) -> AsyncIterator[Library]:
    """An empty library in a database of its own on that server; it is gone afterwards."""
    name = f"bench-{uuid.uuid4().hex[:12]}"
    store = MongoStore(url, name, "pymongo", timeout_s=_TIMEOUT_S)
    database = Database(url, name, "pymongo", find_s=2.0, timeout_s=_TIMEOUT_S, high_mark=10_000)
    sheets, favorites = Collection(database, "sheets"), Collection(database, "favorites")
    await store.start()
    await database.open()

    async def add(added: Sequence[Sheet]) -> None:
        await sheets.insert_new([sheet_document(sheet) for sheet in added])

    try:
        yield Library(store.sheets, add, MongoPattern(sheets, favorites))
    finally:
        await database.command("dropDatabase")
        await database.close()
        await store.close()
