"""Addresses from before they had to be verified: whoever has only claimed one keeps it as a claim, and no more."""

import sqlite3
from pathlib import Path
from typing import Final

import pytest

from rhythmd.ports import Conflict, Store
from rhythmd.rows import fold
from rhythmd.store.documents import MongoStore
from rhythmd.store.sqlite import SqliteStore
from tests.contracts.rows import make_account
from tests.services import Mongod

DATABASE: Final = "addresses"
BEFORE: Final = 9  # version of the SQLite file
CLAIMED: Final = "Clara@example.org"
PROVED: Final = "robert@example.org"
CLAIMANT: Final = make_account("clara", email=CLAIMED)
OWNER: Final = make_account("robert", email=PROVED, email_verified=True)


async def fill(store: Store) -> None:
    await store.start()
    for account in (CLAIMANT, OWNER):
        await store.accounts.create(account)
    await store.close()


async def hold(store: Store) -> None:
    for _ in range(2):
        await store.start()
        assert await store.accounts.get(CLAIMANT.id) == CLAIMANT
        assert await store.accounts.by_email(CLAIMED) is None
        assert await store.accounts.by_email(PROVED) == OWNER
        await store.close()
    await store.start()
    try:
        await store.accounts.create(make_account(email=CLAIMED, email_verified=True))
        with pytest.raises(Conflict):
            await store.accounts.create(make_account(email=PROVED, email_verified=True))
    finally:
        await store.close()


async def test_sqlite_file_of_an_earlier_version_frees_unverified_addresses(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    await fill(SqliteStore(path))
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE accounts SET email_key = ? WHERE id = ?", (fold(CLAIMED), CLAIMANT.id))
        connection.execute(f"PRAGMA user_version = {BEFORE}")
    connection.close()
    await hold(SqliteStore(path))


async def test_mongo_documents_of_an_earlier_version_free_unverified_addresses(mongod: Mongod) -> None:
    mongod.empty(DATABASE)
    await fill(MongoStore(mongod.url, DATABASE))
    with mongod.database(DATABASE) as database:
        database["accounts"].update_one({"_id": CLAIMANT.id}, {"$set": {"email_key": fold(CLAIMED)}})
    await hold(MongoStore(mongod.url, DATABASE))
