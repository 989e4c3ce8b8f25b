"""What only MongoDB owes: TTL indexes that remove what has expired, and an index for each query."""

import asyncio
from typing import Any

import pytest
from msgspec import structs
from pymongo.database import Database

from rhythmd.rows import AuditFilter
from rhythmd.store.documents import MongoStore
from tests.contracts.rows import (
    NOW,
    make_account,
    make_entry,
    make_identity,
    make_line,
    make_room,
    make_sanction,
    make_session,
    token,
)
from tests.deadline import until
from tests.services import Mongod

DATABASE = "mongo"
LONG_AGO = 1_000_000_000_000  # in 2001, by any clock
EXPIRING = ("sessions", "spent_tokens", "sanctions", "audit")


@pytest.fixture
async def expired(mongod: Mongod) -> None:
    """One row that is long over and one that is not in each collection where rows expire."""
    mongod.empty(DATABASE)
    store = MongoStore(mongod.url, DATABASE)
    await store.start()
    account, room = make_account(), make_room()
    await store.accounts.create(account)
    await store.rooms.create(room)
    for text, time in (("old", LONG_AGO), ("new", NOW)):
        await store.sessions.create(make_session(account, text, expires=time))
        await store.sessions.rotate(token(text), token(f"{text}2"), time - 2, time)
        await store.rooms.sanction(make_sanction(room, text, until=time))
        await store.audit.append([make_entry(expires=time)])
    await store.close()


def count_rows(database: Database[dict[str, Any]]) -> list[int]:
    return [database[name].count_documents({}) for name in EXPIRING]


@pytest.mark.usefixtures("expired")
async def test_rows_that_are_over_are_removed_and_others_stay(mongod: Mongod) -> None:
    with mongod.database(DATABASE) as database:
        await until(lambda: count_rows(database) == [1, 1, 1, 1], "what is over is gone")


async def ask_everything(store: MongoStore) -> None:
    """Each query that a store makes, on rows that are there."""
    account, room = make_account("Ada", email="ada@example.org", email_verified=True), make_room("Jazz", owner_id="u1")
    account = structs.replace(account, password_hash="x")
    identity = make_identity(account)
    await store.accounts.create(account, identity)
    await store.rooms.create(room)
    session = make_session(account, "first")
    await store.sessions.create(session)
    await store.sessions.rotate(token("first"), token("second"), NOW, NOW + 1)
    await store.rooms.sanction(make_sanction(room))
    await store.chat.append(room.id, [make_line()], 10)
    await store.audit.append([make_entry(actor_id="a", target="t")])
    await asyncio.gather(
        store.accounts.get(account.id),
        store.accounts.by_usertag("ada"),
        store.accounts.by_email("ada@example.org"),
        store.accounts.page(10),
        store.accounts.updated([account.id], NOW),
        store.identities.find(identity.provider, identity.subject),
        store.identities.of_user(account.id),
        store.sessions.get(session.id, NOW),
        store.sessions.revoked([session.id]),
        store.sessions.page(account.id, NOW, 10),
        store.sessions.rotate(token("first"), token("third"), NOW, NOW + 1),
        store.rooms.by_name("jazz"),
        store.rooms.sanctions(room.id, NOW),
        store.chat.last(room.id, 10),
        store.audit.page(NOW, 10),
        *(store.audit.page(NOW, 10, where=where) for where in (AuditFilter(actor_id="a"), AuditFilter(target="t"))),
        store.audit.page(NOW, 10, where=AuditFilter(action="login", since=NOW)),
    )
    await store.sessions.revoke_all(account.id, NOW)
    await store.identities.unlink(account.id, identity.provider)
    await store.rooms.delete(room.id)


async def test_every_query_has_an_index(mongod: Mongod) -> None:
    name = "indexes"
    store = MongoStore(mongod.url, name)
    await store.start()
    with mongod.database(name) as database:
        database.command("profile", 2)
        await ask_everything(store)
        database.command("profile", 0)
        profile = list(database["system.profile"].find({"ns": {"$ne": f"{name}.system.profile"}}))
    await store.close()
    assert len(profile) > 30
    scans = [entry["command"] for entry in profile if "COLLSCAN" in entry.get("planSummary", "")]
    sorts = [entry["command"] for entry in profile if entry.get("hasSortStage")]
    assert scans == []
    assert sorts == []
