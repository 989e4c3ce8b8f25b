"""Rows of recordings, and the users who were present at each."""

import sqlite3
from collections.abc import Collection, Mapping
from typing import Final

from rhythmd.rows import Page, Recording
from rhythmd.store.sqlite.engine import Engine
from rhythmd.store.sqlite.table import Table, Value

__all__ = ["SqliteRecordings"]

_RECORDINGS: Final = Table("recordings", Recording)

_ADD_PRESENT: Final = "INSERT INTO recording_presences (recording_id, user_id) VALUES (?, ?)"
_WAS_PRESENT: Final = "SELECT 1 FROM recording_presences WHERE recording_id = ? AND user_id = ?"
_OF_USER: Final = "id IN (SELECT recording_id FROM recording_presences WHERE user_id = ?)"


def _create(connection: sqlite3.Connection, recording: Recording, present: Collection[str]) -> None:
    _RECORDINGS.insert(connection, recording)
    connection.executemany(_ADD_PRESENT, [(recording.id, user_id) for user_id in present])


def _was_present(connection: sqlite3.Connection, recording_id: str, user_id: str) -> bool:
    return connection.execute(_WAS_PRESENT, (recording_id, user_id)).fetchone() is not None


def _count(connection: sqlite3.Connection, conditions: Mapping[str, Value]) -> int:
    given = {text: value for text, value in conditions.items() if value is not None}
    sql = " ".join(("SELECT count(*) FROM recordings WHERE", " AND ".join(given)))
    return int(connection.execute(sql, tuple(given.values())).fetchone()[0])


def _delete(connection: sqlite3.Connection, recording_id: str) -> bool:
    return connection.execute("DELETE FROM recordings WHERE id = ?", (recording_id,)).rowcount > 0


class SqliteRecordings:
    """`rhythmd.ports.RecordingStore` on SQLite."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def create(self, recording: Recording, present: Collection[str]) -> None:
        await self._engine.write(_create, recording, present)

    async def get(self, recording_id: str, now: int) -> Recording | None:
        return await self._engine.read(_RECORDINGS.find, "id = ? AND expires > ?", recording_id, now)

    async def was_present(self, recording_id: str, user_id: str) -> bool:
        return await self._engine.read(_was_present, recording_id, user_id)

    async def page(self, user_id: str, now: int, limit: int, cursor: str | None = None) -> Page[Recording]:
        where: dict[str, Value] = {_OF_USER: user_id, "expires > ?": now}
        return await self._engine.read(_RECORDINGS.page, limit, cursor, where)

    async def count(
        self,
        now: int,
        *,
        owner_id: str | None = None,
        room_id: str | None = None,
        guest_network: str | None = None,
        account_network: str | None = None,
        guests: bool = False,
    ) -> int:
        conditions: dict[str, Value] = {
            "expires > ?": now,
            "owner_id = ?": owner_id,
            "room_id = ?": room_id,
            "guest_network = ?": guest_network,
            "account_network = ?": account_network,
            "guest_network > ?": "" if guests else None,
        }
        return await self._engine.read(_count, conditions)

    async def files(self, limit: int, after: str = "") -> list[Recording]:
        return await self._engine.read(_RECORDINGS.select, "WHERE id > ? ORDER BY id LIMIT ?", after, limit)

    async def expired(self, now: int, limit: int) -> list[Recording]:
        return await self._engine.read(_RECORDINGS.select, "WHERE expires <= ? ORDER BY expires LIMIT ?", now, limit)

    async def delete(self, recording_id: str) -> bool:
        return await self._engine.write(_delete, recording_id)
