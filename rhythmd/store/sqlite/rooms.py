"""Stored rooms, and the bans in them."""

import sqlite3
from typing import Final

from msgspec import structs

from rhythmd.names.looks import look
from rhythmd.ports import NotFound, TooMany
from rhythmd.rows import Sanction, SanctionKind, StoredRoom, StoredRoomChanges, changed_fields, fold
from rhythmd.store.sqlite.engine import Engine
from rhythmd.store.sqlite.table import Table

__all__ = ["SqliteRooms"]

_ROOMS: Final = Table("rooms", StoredRoom, json=("settings",), folded=("name",), looked=("name",))
_SANCTIONS: Final = Table("sanctions", Sanction, flags=("guest",))
_IN_PLACE: Final = """
    ON CONFLICT (room_id, subject, kind) DO UPDATE
    SET until = excluded.until, created = excluded.created, reason = excluded.reason, by = excluded.by,
        name = excluded.name, rank = excluded.rank, guest = excluded.guest
"""


def _create(connection: sqlite3.Connection, room: StoredRoom, most: int | None) -> None:
    _ROOMS.insert(connection, room)
    (owned,) = connection.execute("SELECT count(*) FROM rooms WHERE owner_id = ?", (room.owner_id,)).fetchone()
    if most is not None and owned > most:
        raise TooMany(f"more than {most} rooms")


def _update(connection: sqlite3.Connection, room_id: str, changes: StoredRoomChanges) -> StoredRoom:
    room = _ROOMS.find(connection, "id = ?", room_id)
    if room is None:
        raise NotFound("no such room")
    room = structs.replace(room, **changed_fields(changes))
    _ROOMS.replace(connection, room)
    return room


def _delete(connection: sqlite3.Connection, room_id: str) -> bool:
    connection.execute("DELETE FROM chat WHERE room_id = ?", (room_id,))
    return connection.execute("DELETE FROM rooms WHERE id = ?", (room_id,)).rowcount > 0


def _pardon(connection: sqlite3.Connection, room_id: str, subject: str, kind: SanctionKind) -> bool:
    sql = "DELETE FROM sanctions WHERE room_id = ? AND subject = ? AND kind = ?"
    return connection.execute(sql, (room_id, subject, kind)).rowcount > 0


class SqliteRooms:
    """`rhythmd.ports.RoomStore` on SQLite."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def create(self, room: StoredRoom, most: int | None = None) -> None:
        await self._engine.write(_create, room, most)

    async def get(self, room_id: str) -> StoredRoom | None:
        return await self._engine.read(_ROOMS.find, "id = ?", room_id)

    async def by_name(self, name: str) -> StoredRoom | None:
        return await self._engine.read(_ROOMS.find, "name_key = ?", fold(name))

    async def by_look(self, name: str) -> StoredRoom | None:
        return await self._engine.read(_ROOMS.find, "name_look = ?", look(name))

    async def update(self, room_id: str, changes: StoredRoomChanges) -> StoredRoom:
        return await self._engine.write(_update, room_id, changes)

    async def delete(self, room_id: str) -> bool:
        return await self._engine.write(_delete, room_id)

    async def sanction(self, sanction: Sanction) -> None:
        await self._engine.write(_SANCTIONS.insert, sanction, _IN_PLACE)

    async def pardon(self, room_id: str, subject: str, kind: SanctionKind) -> bool:
        return await self._engine.write(_pardon, room_id, subject, kind)

    async def sanctions(self, room_id: str, now: int) -> list[Sanction]:
        clauses = "WHERE room_id = ? AND until > ? ORDER BY created, subject, kind"
        return await self._engine.read(_SANCTIONS.select, clauses, room_id, now)
