"""Accounts, and the identities that log in to them."""

import sqlite3
from collections.abc import Sequence
from typing import Final

import orjson
from msgspec import structs

from rhythmd.ports import Conflict, LastIdentity, NotFound
from rhythmd.rows import Account, AccountChanges, ExternalIdentity, Page, changed_fields, fold
from rhythmd.store.sqlite.engine import Engine
from rhythmd.store.sqlite.table import Table

__all__ = ["ACCOUNTS", "SqliteAccounts", "SqliteExternalIdentities"]

ACCOUNTS: Final = Table(
    "accounts",
    Account,
    json=("roles", "profile", "settings"),
    flags=("email_verified",),
    folded=("usertag", "email"),
    flagged={"email": "email_verified"},
    looked=("usertag",),
)
_IDENTITIES: Final = Table("identities", ExternalIdentity)


def _create(connection: sqlite3.Connection, account: Account, identity: ExternalIdentity | None) -> None:
    ACCOUNTS.insert(connection, account)
    if identity is not None:
        _IDENTITIES.insert(connection, identity)


def _update(connection: sqlite3.Connection, user_id: str, changes: AccountChanges) -> Account:
    account = ACCOUNTS.find(connection, "id = ?", user_id)
    if account is None:
        raise NotFound("no such account")
    account = structs.replace(account, **changed_fields(changes))
    ACCOUNTS.replace(connection, account)
    return account


def _delete(connection: sqlite3.Connection, user_id: str) -> bool:
    return connection.execute("DELETE FROM accounts WHERE id = ?", (user_id,)).rowcount > 0


def _link(connection: sqlite3.Connection, identity: ExternalIdentity) -> None:
    if _IDENTITIES.find(connection, "user_id = ? AND provider = ?", identity.user_id, identity.provider):
        raise Conflict("provider")
    _IDENTITIES.insert(connection, identity)


def _identities(connection: sqlite3.Connection, user_id: str) -> list[ExternalIdentity]:
    return _IDENTITIES.select(connection, "WHERE user_id = ? ORDER BY provider", user_id)


def _unlink(connection: sqlite3.Connection, user_id: str, provider: str) -> bool:
    linked = {identity.provider for identity in _identities(connection, user_id)}
    if provider not in linked:
        return False
    if len(linked) == 1 and ACCOUNTS.find(connection, "id = ? AND password_hash IS NULL", user_id):
        raise LastIdentity("no other way to log in")
    connection.execute("DELETE FROM identities WHERE user_id = ? AND provider = ?", (user_id, provider))
    return True


def _shows_avatar(connection: sqlite3.Connection, url: str) -> bool:
    # The second condition repeats the index's own, for the planner to see that the index will do.
    avatar = "json_extract(profile, '$.avatar')"
    sql = f"SELECT 1 FROM accounts WHERE {avatar} = ? AND {avatar} != '' LIMIT 1"  # noqa: S608 - no user's text
    return connection.execute(sql, (url,)).fetchone() is not None


class SqliteAccounts:
    """`rhythmd.ports.AccountStore` on SQLite."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def create(self, account: Account, identity: ExternalIdentity | None = None) -> None:
        await self._engine.write(_create, account, identity)

    async def get(self, user_id: str) -> Account | None:
        return await self._engine.read(ACCOUNTS.find, "id = ?", user_id)

    async def by_usertag(self, usertag: str) -> Account | None:
        return await self._engine.read(ACCOUNTS.find, "usertag_key = ?", fold(usertag))

    async def by_email(self, email: str) -> Account | None:
        return await self._engine.read(ACCOUNTS.find, "email_key = ?", fold(email))

    async def update(self, user_id: str, changes: AccountChanges) -> Account:
        return await self._engine.write(_update, user_id, changes)

    async def delete(self, user_id: str) -> bool:
        return await self._engine.write(_delete, user_id)

    async def page(self, limit: int, cursor: str | None = None) -> Page[Account]:
        return await self._engine.read(ACCOUNTS.page, limit, cursor, {})

    async def updated(self, user_ids: Sequence[str], since: int) -> list[Account]:
        where = "WHERE id IN (SELECT value FROM json_each(?)) AND updated > ?"
        return await self._engine.read(ACCOUNTS.select, where, orjson.dumps(user_ids).decode(), since)

    async def shows_avatar(self, url: str) -> bool:
        return await self._engine.read(_shows_avatar, url)


class SqliteExternalIdentities:
    """`rhythmd.ports.ExternalIdentityStore` on SQLite."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def link(self, identity: ExternalIdentity) -> None:
        await self._engine.write(_link, identity)

    async def find(self, provider: str, subject: str) -> ExternalIdentity | None:
        return await self._engine.read(_IDENTITIES.find, "provider = ? AND subject = ?", provider, subject)

    async def of_user(self, user_id: str) -> list[ExternalIdentity]:
        return await self._engine.read(_identities, user_id)

    async def unlink(self, user_id: str, provider: str) -> bool:
        return await self._engine.write(_unlink, user_id, provider)
