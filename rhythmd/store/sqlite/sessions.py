"""Login sessions and the refresh tokens that they have used up."""

import sqlite3
from collections.abc import Sequence
from typing import Final

import orjson

from rhythmd.rows import Account, LoginSession, Page, Rotation, RotationOutcome
from rhythmd.store.sqlite.accounts import ACCOUNTS
from rhythmd.store.sqlite.engine import Engine
from rhythmd.store.sqlite.table import Table, Value

__all__ = ["SqliteSessions"]

_SESSIONS: Final = Table("sessions", LoginSession)

_ROTATE: Final = """
    UPDATE sessions SET token_hash = ?, last_used = ?, expires = ?
    WHERE token_hash = ? AND revoked IS NULL AND expires > ?
"""
_REVOKE_REPLAYED: Final = """
    UPDATE sessions SET revoked = coalesce(revoked, ?)
    WHERE id = (SELECT session_id FROM spent_tokens WHERE hash = ? AND expires > ?)
"""
_REVOKE_ALL: Final = """
    UPDATE sessions SET revoked = ?
    WHERE user_id = ? AND id IS NOT ? AND revoked IS NULL AND expires > ?
    RETURNING id
"""
_SURPLUS: Final = """
    SELECT id, revoked IS NULL AND expires > ? AS is_open FROM sessions WHERE user_id = ?
    ORDER BY is_open DESC, last_used DESC, created DESC LIMIT -1 OFFSET ?
"""
_OF_BANNED: Final = """
    WHERE revoked > ? AND user_id IN (SELECT id FROM accounts WHERE banned_until > ?)
    ORDER BY revoked DESC LIMIT 10000
"""
_OF_MUTED: Final = """
    WHERE user_id IN (SELECT value FROM json_each(?))
    ORDER BY created DESC LIMIT 10000
"""
_MUTED: Final = "SELECT id, muted_since FROM accounts WHERE muted_since > ? AND muted_until > ? LIMIT 10000"
_FIND_UNREVOKED: Final = """
    SELECT id FROM sessions WHERE id IN (SELECT value FROM json_each(?)) AND revoked IS NULL
"""


def _find(connection: sqlite3.Connection, session_id: str, now: int) -> LoginSession | None:
    return _SESSIONS.find(connection, "id = ? AND revoked IS NULL AND expires > ?", session_id, now)


def _with_account(
    connection: sqlite3.Connection, session_id: str, user_id: str, now: int
) -> tuple[LoginSession | None, Account | None]:
    return _find(connection, session_id, now), ACCOUNTS.find(connection, "id = ?", user_id)


def _of_muted(connection: sqlite3.Connection, since: int, now: int) -> list[tuple[LoginSession, int]]:
    muted: dict[str, int] = dict(connection.execute(_MUTED, (since, now)))
    if not muted:
        return []
    sessions = _SESSIONS.select(connection, _OF_MUTED, orjson.dumps(list(muted)).decode())
    return [(session, muted[session.user_id]) for session in sessions]


def _rotate(connection: sqlite3.Connection, token_hash: bytes, new_hash: bytes, now: int, expires: int) -> Rotation:
    rotated = _SESSIONS.change(connection, _ROTATE, new_hash, now, expires, token_hash, now)
    if rotated:
        spent = (token_hash, rotated[0].id, expires)
        connection.execute("INSERT INTO spent_tokens (hash, session_id, expires) VALUES (?, ?, ?)", spent)
        return Rotation(outcome=RotationOutcome.ROTATED, session=rotated[0])
    replayed = _SESSIONS.change(connection, _REVOKE_REPLAYED, now, token_hash, now)
    if replayed:
        return Rotation(outcome=RotationOutcome.REPLAYED, session=replayed[0])
    return Rotation(outcome=RotationOutcome.UNKNOWN)


def _revoke(connection: sqlite3.Connection, user_id: str, session_id: str, now: int) -> bool:
    sql = "UPDATE sessions SET revoked = ? WHERE id = ? AND user_id = ? AND revoked IS NULL AND expires > ?"
    return connection.execute(sql, (now, session_id, user_id, now)).rowcount > 0


def _revoke_all(connection: sqlite3.Connection, user_id: str, now: int, keep: str | None) -> list[str]:
    return [session_id for (session_id,) in connection.execute(_REVOKE_ALL, (now, user_id, keep, now))]


def _trim(connection: sqlite3.Connection, user_id: str, most: int, now: int) -> list[str]:
    surplus = connection.execute(_SURPLUS, (now, user_id, most)).fetchall()
    connection.executemany("DELETE FROM sessions WHERE id = ?", [(session_id,) for session_id, _ in surplus])
    return [session_id for session_id, is_open in surplus if is_open]


def _revoked(connection: sqlite3.Connection, session_ids: Sequence[str]) -> list[str]:
    alive = {session_id for (session_id,) in connection.execute(_FIND_UNREVOKED, (orjson.dumps(session_ids).decode(),))}
    return [session_id for session_id in session_ids if session_id not in alive]


class SqliteSessions:
    """`rhythmd.ports.SessionStore` on SQLite."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def create(self, session: LoginSession) -> None:
        await self._engine.write(_SESSIONS.insert, session)

    async def get(self, session_id: str, now: int) -> LoginSession | None:
        return await self._engine.read(_find, session_id, now)

    async def with_account(self, session_id: str, user_id: str, now: int) -> tuple[LoginSession | None, Account | None]:
        return await self._engine.read(_with_account, session_id, user_id, now)

    async def rotate(self, token_hash: bytes, new_hash: bytes, now: int, expires: int) -> Rotation:
        return await self._engine.write(_rotate, token_hash, new_hash, now, expires)

    async def page(self, user_id: str, now: int, limit: int, cursor: str | None = None) -> Page[LoginSession]:
        where: dict[str, Value] = {"user_id = ?": user_id, "revoked IS NULL AND expires > ?": now}
        return await self._engine.read(_SESSIONS.page, limit, cursor, where)

    async def revoke(self, user_id: str, session_id: str, now: int) -> bool:
        return await self._engine.write(_revoke, user_id, session_id, now)

    async def revoke_all(self, user_id: str, now: int, keep: str | None = None) -> list[str]:
        return await self._engine.write(_revoke_all, user_id, now, keep)

    async def trim(self, user_id: str, most: int, now: int) -> list[str]:
        return await self._engine.write(_trim, user_id, most, now)

    async def of_banned(self, since: int, now: int) -> list[LoginSession]:
        return await self._engine.read(_SESSIONS.select, _OF_BANNED, since, now)

    async def of_muted(self, since: int, now: int) -> list[tuple[LoginSession, int]]:
        return await self._engine.read(_of_muted, since, now)

    async def revoked(self, session_ids: Sequence[str]) -> list[str]:
        return await self._engine.read(_revoked, session_ids)
