"""The last lines of each room's chat."""

import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec

from rhythm_protocol.messages import ChatLine
from rhythmd.rows import NewChatLine
from rhythmd.store.sqlite.engine import Engine

__all__ = ["SqliteChat"]

_INSERT: Final = """
    INSERT INTO chat (room_id, time, kind, content, user_id, name, colour)
    VALUES (:room_id, :time, :kind, :content, :user_id, :name, :colour)
    RETURNING id
"""
_TRIM: Final = """
    DELETE FROM chat WHERE room_id = :room_id AND id <= (
        SELECT id FROM chat WHERE room_id = :room_id ORDER BY id DESC LIMIT 1 OFFSET :keep
    )
"""
_LAST: Final = """
    SELECT id, time, kind, content, user_id, name, colour FROM chat
    WHERE room_id = ? ORDER BY id DESC LIMIT ?
"""
_COLUMNS: Final = ("id", "time", "kind", "content", "user_id", "name", "colour")


def _append(connection: sqlite3.Connection, room_id: str, lines: Sequence[NewChatLine], keep: int) -> list[ChatLine]:
    appended: list[ChatLine] = []
    for line in lines:
        values = msgspec.to_builtins(line)
        [(line_id,)] = connection.execute(_INSERT, {**values, "room_id": room_id}).fetchall()
        appended.append(msgspec.convert({**values, "id": line_id}, ChatLine))
    connection.execute(_TRIM, {"room_id": room_id, "keep": keep})
    return appended


def _last(connection: sqlite3.Connection, room_id: str, limit: int) -> list[ChatLine]:
    records = connection.execute(_LAST, (room_id, limit)).fetchall()
    return [msgspec.convert(dict(zip(_COLUMNS, record, strict=True)), ChatLine) for record in reversed(records)]


def _clear(connection: sqlite3.Connection, room_id: str) -> None:
    connection.execute("DELETE FROM chat WHERE room_id = ?", (room_id,))


class SqliteChat:
    """`rhythmd.ports.ChatStore` on SQLite."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def append(self, room_id: str, lines: Sequence[NewChatLine], keep: int) -> list[ChatLine]:
        return await self._engine.write(_append, room_id, lines, keep)

    async def last(self, room_id: str, limit: int) -> list[ChatLine]:
        return await self._engine.read(_last, room_id, limit)

    async def clear(self, room_id: str) -> None:
        await self._engine.write(_clear, room_id)
