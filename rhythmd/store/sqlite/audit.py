"""The audit log."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from rhythmd.rows import AuditEntry, AuditFilter, Page
from rhythmd.store.sqlite.engine import Engine
from rhythmd.store.sqlite.table import Table

__all__ = ["SqliteAudit"]

_ENTRIES: Final = Table("audit", AuditEntry, json=("details",), time="time")


def _append(connection: sqlite3.Connection, entries: Sequence[AuditEntry]) -> None:
    for entry in entries:
        _ENTRIES.insert(connection, entry, "ON CONFLICT (id) DO NOTHING")


class SqliteAudit:
    """`rhythmd.ports.AuditStore` on SQLite."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def append(self, entries: Sequence[AuditEntry]) -> None:
        await self._engine.write(_append, entries)

    async def page(
        self, now: int, limit: int, cursor: str | None = None, where: AuditFilter | None = None
    ) -> Page[AuditEntry]:
        wanted = where or AuditFilter()
        conditions = {
            "expires > ?": now,
            "action = ?": wanted.action,
            "actor_id = ?": wanted.actor_id,
            "target = ?": wanted.target,
            "time >= ?": wanted.since,
            "time < ?": wanted.until,
        }
        return await self._engine.read(_ENTRIES.page, limit, cursor, conditions)
