"""Names from before look-alikes were refused: they stay, and whatever else of their rows changes."""

import sqlite3
from pathlib import Path
from typing import Final

import pytest
from msgspec import structs

from rhythmd.ports import Conflict, Store
from rhythmd.rows import AccountChanges, StoredRoomChanges, fold
from rhythmd.store.documents import MongoStore
from rhythmd.store.sqlite import SqliteStore
from tests.contracts.rows import NOW, make_account, make_room
from tests.services import Mongod

DATABASE: Final = "looks"
BEFORE: Final = 4  # version of the SQLite file
USERTAGS: Final = ("clara1", "claral", "robert")
NAMES: Final = ("Salon 1", "Salon l", "Attic")
ACCOUNTS: Final = [make_account(f"somebody {usertag[-2:]}") for usertag in USERTAGS]
ROOMS: Final = [make_room(f"somewhere {name[-2:]}") for name in NAMES]
TO_BEFORE: Final = (
    "DROP INDEX accounts_by_look", "ALTER TABLE accounts DROP COLUMN usertag_look",
    "DROP INDEX rooms_by_look", "ALTER TABLE rooms DROP COLUMN name_look",
    "ALTER TABLE sanctions DROP COLUMN name", "ALTER TABLE sanctions DROP COLUMN rank",
    "ALTER TABLE sanctions DROP COLUMN guest", "ALTER TABLE sessions DROP COLUMN browser",
    "DROP INDEX sessions_by_revoked", "DROP TABLE probes",
    "ALTER TABLE accounts DROP COLUMN ban_rank", "ALTER TABLE accounts DROP COLUMN mute_rank",
    "DROP INDEX recordings_by_guest_network", "ALTER TABLE recordings DROP COLUMN guest_network",
    "DROP INDEX recordings_by_account_network", "ALTER TABLE recordings DROP COLUMN account_network",
    "DROP INDEX accounts_by_muted_since", "ALTER TABLE accounts DROP COLUMN muted_since",
    "ALTER TABLE accounts DROP COLUMN avatar_network", "ALTER TABLE sheet_files DROP COLUMN network",
    f"PRAGMA user_version = {BEFORE}",
)  # fmt: skip


async def fill(store: Store) -> None:
    await store.start()
    for number, (account, room) in enumerate(zip(ACCOUNTS, ROOMS, strict=True)):
        await store.accounts.create(structs.replace(account, usertag=f"{'xyz'[number]}-user"))
        await store.rooms.create(structs.replace(room, name=f"{'xyz'[number]}-room"))
    await store.close()


async def hold(store: Store) -> None:
    await store.start()
    try:
        for usertag, account in zip(USERTAGS, ACCOUNTS, strict=True):
            assert await store.accounts.by_usertag(usertag) == structs.replace(account, usertag=usertag)
            await store.accounts.update(account.id, AccountChanges(updated=NOW + 1, nickname="Clara"))
        for name, room in zip(NAMES, ROOMS, strict=True):
            assert await store.rooms.by_name(name) == structs.replace(room, name=name)
            await store.rooms.update(room.id, StoredRoomChanges(updated=NOW + 1, name=name))
        with pytest.raises(Conflict):
            await store.rooms.create(make_room("SaIon 1"))
        with pytest.raises(Conflict):
            await store.accounts.create(make_account("r0bert"))
    finally:
        await store.close()


async def test_sqlite_file_of_an_earlier_version_keeps_names_that_look_alike(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    await fill(SqliteStore(path))
    with sqlite3.connect(path) as connection:
        for statement in TO_BEFORE:
            connection.execute(statement)
        for usertag, account in zip(USERTAGS, ACCOUNTS, strict=True):
            values = (usertag, fold(usertag), account.id)
            connection.execute("UPDATE accounts SET usertag = ?, usertag_key = ? WHERE id = ?", values)
        for name, room in zip(NAMES, ROOMS, strict=True):
            connection.execute("UPDATE rooms SET name = ?, name_key = ? WHERE id = ?", (name, fold(name), room.id))
    connection.close()
    await hold(SqliteStore(path))


async def test_mongo_documents_of_an_earlier_version_keep_names_that_look_alike(mongod: Mongod) -> None:
    mongod.empty(DATABASE)
    await fill(MongoStore(mongod.url, DATABASE))
    with mongod.database(DATABASE) as database:
        for usertag, account in zip(USERTAGS, ACCOUNTS, strict=True):
            change = {"$set": {"usertag": usertag, "usertag_key": fold(usertag)}, "$unset": {"usertag_look": 1}}
            database["accounts"].update_one({"_id": account.id}, change)
        for name, room in zip(NAMES, ROOMS, strict=True):
            change = {"$set": {"name": name, "name_key": fold(name)}, "$unset": {"name_look": 1}}
            database["rooms"].update_one({"_id": room.id}, change)
    await hold(MongoStore(mongod.url, DATABASE))
