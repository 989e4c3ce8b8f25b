"""One SQLite file as a store."""

import sqlite3
from pathlib import Path
from typing import Final

from rhythmd.store.sqlite.accounts import SqliteAccounts, SqliteExternalIdentities
from rhythmd.store.sqlite.audit import SqliteAudit
from rhythmd.store.sqlite.chat import SqliteChat
from rhythmd.store.sqlite.engine import Engine
from rhythmd.store.sqlite.recordings import SqliteRecordings
from rhythmd.store.sqlite.rooms import SqliteRooms
from rhythmd.store.sqlite.sessions import SqliteSessions
from rhythmd.store.sqlite.sheets import SqliteSheets

__all__ = ["SqliteStore"]

# Few enough rows at a time that other calls get their turn in between.
EXPIRE_ROWS: Final = 1_000
_EXPIRE: Final = tuple(
    " ".join(("DELETE FROM", table, "WHERE rowid IN (SELECT rowid FROM", table, "WHERE", time, "<= ? LIMIT ?)"))
    for table, time in (
        ("spent_tokens", "expires"),
        ("sessions", "expires"),
        ("sanctions", "until"),
        ("audit", "expires"),
    )
)
_EXPIRE_UPLOADS: Final = """
    DELETE FROM sheet_uploads
    WHERE (user_id, day) IN (SELECT user_id, day FROM sheet_uploads WHERE day < ? LIMIT ?)
"""
DAY_MS: Final = 86_400_000
SEARCHES_AT_ONCE: Final = 4
"""That the thread is given: a network that asks for hundreds has others wait for no more of them."""


def _expire(connection: sqlite3.Connection, sql: str, now: int) -> int:
    return connection.execute(sql, (now, EXPIRE_ROWS)).rowcount


def _ping(connection: sqlite3.Connection) -> None:
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()


def _probe(connection: sqlite3.Connection, now: int) -> None:
    connection.execute("INSERT OR REPLACE INTO probes (id, time) VALUES (1, ?)", (now,))


def _check(connection: sqlite3.Connection) -> list[str]:
    texts = [str(text) for (text,) in connection.execute("PRAGMA integrity_check")]
    orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
    problems = [f"{table}: row {row} refers to no row of {parent}" for table, row, parent, _ in orphans]
    return [text for text in texts if text != "ok"] + problems


class SqliteStore:
    """`rhythmd.ports.Store` on a SQLite file.

    Args:
        path: of the file; it and its directory are made if need be.
        timeout_s: after which a call raises StoreUnavailable.
        high_mark: calls that may wait at once; further ones raise StoreUnavailable.
    """

    def __init__(self, path: Path, *, timeout_s: float = 5.0, high_mark: int = 10_000) -> None:
        self._engine = Engine(path, timeout_s=timeout_s, high_mark=high_mark)
        # A search may look at thousands of rows: with a thread and a connection of its own it is in nobody's way.
        self._searching = Engine(path, timeout_s=timeout_s, high_mark=high_mark, at_once=SEARCHES_AT_ONCE)
        self.accounts = SqliteAccounts(self._engine)
        self.identities = SqliteExternalIdentities(self._engine)
        self.sessions = SqliteSessions(self._engine)
        self.rooms = SqliteRooms(self._engine)
        self.chat = SqliteChat(self._engine)
        self.recordings = SqliteRecordings(self._engine)
        self.sheets = SqliteSheets(self._engine, self._searching)
        self.audit = SqliteAudit(self._engine)

    async def start(self) -> None:
        await self._engine.start()
        await self._searching.start()

    async def close(self) -> None:
        await self._searching.close()
        await self._engine.close()

    async def ping(self) -> None:
        await self._engine.read(_ping)

    async def probe(self, now: int) -> None:
        await self._engine.write(_probe, now)

    async def check(self) -> list[str]:
        return await self._engine.read_patiently(_check)

    async def expire(self, now: int) -> None:
        for sql in _EXPIRE:
            while await self._engine.write(_expire, sql, now) == EXPIRE_ROWS:
                pass
        while await self._engine.write(_expire, _EXPIRE_UPLOADS, now // DAY_MS) == EXPIRE_ROWS:
            pass
