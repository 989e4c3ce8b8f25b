"""Sheets, their files, favourites and views. `rhythmd.store.sqlite.sheet_search` searches them."""

import sqlite3
from collections.abc import Collection, Mapping
from typing import Final

import orjson
from msgspec import structs

from rhythmd.ports import NotFound, TooMany
from rhythmd.rows import Page, Sheet, SheetChanges, SheetFacets, SheetFile, SheetQuery, changed_fields
from rhythmd.store.sqlite.engine import Engine
from rhythmd.store.sqlite.sheet_index import index_sheet, unindex_sheet, words_of
from rhythmd.store.sqlite.sheet_search import SHEETS, count_facets, find_page
from rhythmd.store.sqlite.table import Table

__all__ = ["SqliteSheets"]

_FILES: Final = Table("sheet_files", SheetFile, json=("facts",))
_UNUSED: Final = "used < ? AND NOT EXISTS (SELECT 1 FROM sheets WHERE sheets.hash = sheet_files.hash)"
_HASHES: Final = "hash IN (SELECT value FROM json_each(?))"
_IDS: Final = "id IN (SELECT value FROM json_each(?))"
_STRAYS: Final = {
    "favourites": "FROM favorites WHERE number NOT IN (SELECT number FROM sheets)",
    "words": "FROM sheet_words WHERE rowid NOT IN (SELECT number FROM sheets)",
}
# The plus keeps SQLite from an index of the creator, who may have thousands of sheets.
_SAME: Final = "hash = ? AND +creator_id = ? AND file_name = ?"
_NEXT_NUMBER: Final = "SELECT coalesce(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'sheets'"


def _as_json(texts: Collection[str]) -> str:
    return orjson.dumps(list(texts)).decode()


# Files


def _claim(connection: sqlite3.Connection, hash_: str, now: int) -> SheetFile | None:
    files = _FILES.change(connection, "UPDATE sheet_files SET used = max(used, ?) WHERE hash = ?", now, hash_)
    return files[0] if files else None


def _add_file(connection: sqlite3.Connection, file: SheetFile) -> SheetFile:
    _FILES.insert(connection, file, "ON CONFLICT (hash) DO NOTHING")
    kept = _claim(connection, file.hash, file.used)
    assert kept is not None, "it was inserted or was there"  # noqa: S101
    return kept


def _remove_file(connection: sqlite3.Connection, hash_: str, before: int) -> bool:
    sql = " ".join(("DELETE FROM sheet_files WHERE hash = ? AND", _UNUSED))
    return connection.execute(sql, (hash_, before)).rowcount > 0


def _used_hashes(connection: sqlite3.Connection, hashes: Collection[str]) -> set[str]:
    sql = " ".join(("SELECT DISTINCT hash FROM sheets WHERE", _HASHES))
    return {hash_ for (hash_,) in connection.execute(sql, (_as_json(hashes),))}


def _creators(connection: sqlite3.Connection, hashes: Collection[str]) -> dict[str, str]:
    # SQLite takes the other columns from the row that has the least number.
    sql = " ".join(("SELECT hash, creator_id, min(number) FROM sheets WHERE", _HASHES, "GROUP BY hash"))
    return {hash_: creator for hash_, creator, _ in connection.execute(sql, (_as_json(hashes),))}


# Sheets


def _number(connection: sqlite3.Connection, sheet_id: str) -> int | None:
    found = connection.execute("SELECT number FROM sheets WHERE id = ?", (sheet_id,)).fetchone()
    return None if found is None else int(found[0])


def _create(connection: sqlite3.Connection, sheet: Sheet) -> Sheet:
    (number,) = connection.execute(_NEXT_NUMBER).fetchone()
    sheet = structs.replace(sheet, number=number)
    SHEETS.insert(connection, sheet)
    index_sheet(connection, sheet)
    return sheet


def _update(
    connection: sqlite3.Connection, sheet_id: str, changes: SheetChanges, having: str | None, as_of: int | None
) -> Sheet:
    before = SHEETS.find(connection, "id = ?", sheet_id)
    if before is None or having not in {None, before.hash} or as_of not in {None, before.updated}:
        raise NotFound("no such sheet")
    sheet = structs.replace(before, **changed_fields(changes))
    SHEETS.replace(connection, sheet)
    index_sheet(connection, sheet)
    return sheet


def _delete(connection: sqlite3.Connection, sheet_id: str) -> bool:
    number = _number(connection, sheet_id)
    if number is None:
        return False
    unindex_sheet(connection, number)
    return connection.execute("DELETE FROM sheets WHERE number = ?", (number,)).rowcount > 0


def _add_views(connection: sqlite3.Connection, views: Mapping[str, int]) -> None:
    counts = [(count, sheet_id) for sheet_id, count in views.items()]
    connection.executemany("UPDATE sheets SET views = views + ? WHERE id = ?", counts)


# What does not agree


def _is_indexed(connection: sqlite3.Connection, sheet: Sheet) -> bool:
    words = "SELECT title_words, other_words FROM sheet_words WHERE rowid = ?"
    return connection.execute(words, (sheet.number,)).fetchall() == [words_of(sheet)]


def _misindexed(connection: sqlite3.Connection, sheet_ids: Collection[str]) -> set[str]:
    sheets = SHEETS.select(connection, f"WHERE {_IDS}", _as_json(sheet_ids))
    return {sheet.id for sheet in sheets if not _is_indexed(connection, sheet)}


def _reindex(connection: sqlite3.Connection, sheet_ids: Collection[str]) -> set[str]:
    wrong = _misindexed(connection, sheet_ids)
    for sheet in SHEETS.select(connection, f"WHERE {_IDS}", _as_json(wrong)):
        index_sheet(connection, sheet)
    return wrong


def _count_strays(connection: sqlite3.Connection) -> dict[str, int]:
    counts = {kind: connection.execute(f"SELECT count(*) {stray}").fetchone()[0] for kind, stray in _STRAYS.items()}
    return {kind: count for kind, count in counts.items() if count}


def _remove_strays(connection: sqlite3.Connection) -> dict[str, int]:
    counts = {kind: connection.execute(f"DELETE {stray}").rowcount for kind, stray in _STRAYS.items()}
    return {kind: count for kind, count in counts.items() if count}


# Favourites and uploads


def _like(connection: sqlite3.Connection, user_id: str, sheet_id: str, now: int, most: int) -> bool:
    number = _number(connection, sheet_id)
    if number is None:
        raise NotFound("no such sheet")
    sql = "INSERT INTO favorites (user_id, number, created) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
    if not connection.execute(sql, (user_id, number, now)).rowcount:
        return False
    (count,) = connection.execute("SELECT count(*) FROM favorites WHERE user_id = ?", (user_id,)).fetchone()
    if count > most:
        raise TooMany(f"more than {most} favourites")
    return True


def _unlike(connection: sqlite3.Connection, user_id: str, sheet_id: str) -> bool:
    sql = "DELETE FROM favorites WHERE user_id = ? AND number = (SELECT number FROM sheets WHERE id = ?)"
    return connection.execute(sql, (user_id, sheet_id)).rowcount > 0


def _likes(connection: sqlite3.Connection, sheet_ids: Collection[str]) -> dict[str, int]:
    sql = " ".join(("SELECT id, count(*) FROM sheets JOIN favorites USING (number) WHERE", _IDS, "GROUP BY id"))
    return dict(connection.execute(sql, (_as_json(sheet_ids),)).fetchall())


def _liked(connection: sqlite3.Connection, user_id: str, sheet_ids: Collection[str]) -> set[str]:
    sql = " ".join(("SELECT id FROM sheets JOIN favorites USING (number) WHERE user_id = ? AND", _IDS))
    return {sheet_id for (sheet_id,) in connection.execute(sql, (user_id, _as_json(sheet_ids)))}


def _spend_upload(connection: sqlite3.Connection, user_id: str, day: int, most: int) -> bool:
    sql = """
        INSERT INTO sheet_uploads (user_id, day, count) VALUES (?, ?, 1)
        ON CONFLICT (user_id, day) DO UPDATE SET count = count + 1 WHERE count < ?
    """
    return connection.execute(sql, (user_id, day, most)).rowcount > 0


def _return_upload(connection: sqlite3.Connection, user_id: str, day: int) -> None:
    sql = "UPDATE sheet_uploads SET count = count - 1 WHERE user_id = ? AND day = ? AND count > 0"
    connection.execute(sql, (user_id, day))


class SqliteSheets:
    """`rhythmd.ports.SheetStore` on SQLite.

    Args:
        engine: for all that is quick.
        searching: for searches.
    """

    def __init__(self, engine: Engine, searching: Engine) -> None:
        self._engine = engine
        self._searching = searching

    async def claim_file(self, hash_: str, now: int) -> SheetFile | None:
        return await self._engine.write(_claim, hash_, now)

    async def add_file(self, file: SheetFile) -> SheetFile:
        return await self._engine.write(_add_file, file)

    async def remove_file(self, hash_: str, before: int) -> bool:
        return await self._engine.write(_remove_file, hash_, before)

    async def files(self, limit: int, after: str = "") -> list[SheetFile]:
        return await self._searching.read(_FILES.select, "WHERE hash > ? ORDER BY hash LIMIT ?", after, limit)

    async def files_of(self, hashes: Collection[str]) -> list[SheetFile]:
        return await self._searching.read(_FILES.select, f"WHERE {_HASHES}", _as_json(hashes))

    async def used_hashes(self, hashes: Collection[str]) -> set[str]:
        return await self._searching.read(_used_hashes, hashes)

    async def creators(self, hashes: Collection[str]) -> dict[str, str]:
        return await self._searching.read(_creators, hashes)

    async def create(self, sheet: Sheet) -> Sheet:
        return await self._engine.write(_create, sheet)

    async def get(self, sheet_id: str) -> Sheet | None:
        return await self._engine.read(SHEETS.find, "id = ?", sheet_id)

    async def find(self, creator_id: str, hash_: str, file_name: str) -> Sheet | None:
        return await self._engine.read(SHEETS.find, _SAME, hash_, creator_id, file_name)

    async def misindexed(self, sheet_ids: Collection[str], *, mend: bool = False) -> set[str]:
        if mend:
            return await self._engine.write(_reindex, sheet_ids)
        return await self._searching.read(_misindexed, sheet_ids)

    async def strays(self, *, remove: bool = False) -> dict[str, int]:
        return await (self._engine.write(_remove_strays) if remove else self._searching.read_patiently(_count_strays))

    async def sheets(self, limit: int, after: int = 0) -> list[Sheet]:
        return await self._searching.read(SHEETS.select, "WHERE number > ? ORDER BY number LIMIT ?", after, limit)

    async def update(
        self, sheet_id: str, changes: SheetChanges, having: str | None = None, as_of: int | None = None
    ) -> Sheet:
        return await self._engine.write(_update, sheet_id, changes, having, as_of)

    async def delete(self, sheet_id: str) -> bool:
        return await self._engine.write(_delete, sheet_id)

    async def search(self, query: SheetQuery, limit: int, cursor: str | None = None) -> Page[Sheet]:
        return await self._searching.read(find_page, query, limit, cursor)

    async def facets(self, query: SheetQuery) -> SheetFacets:
        return await self._searching.read(count_facets, query)

    async def like(self, user_id: str, sheet_id: str, now: int, most: int) -> bool:
        return await self._engine.write(_like, user_id, sheet_id, now, most)

    async def unlike(self, user_id: str, sheet_id: str) -> bool:
        return await self._engine.write(_unlike, user_id, sheet_id)

    async def likes(self, sheet_ids: Collection[str]) -> dict[str, int]:
        return await self._engine.read(_likes, sheet_ids)

    async def liked(self, user_id: str, sheet_ids: Collection[str]) -> set[str]:
        return await self._engine.read(_liked, user_id, sheet_ids)

    async def add_views(self, views: Mapping[str, int]) -> None:
        await self._engine.write(_add_views, views)

    async def spend_upload(self, user_id: str, day: int, most: int) -> bool:
        return await self._engine.write(_spend_upload, user_id, day, most)

    async def return_upload(self, user_id: str, day: int) -> None:
        await self._engine.write(_return_upload, user_id, day)
