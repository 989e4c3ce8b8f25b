"""SQLite with a file that is locked, full, broken or slow: the loop goes on, calls are refused, and it heals."""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rhythmd.ports import Conflict, NotFound, SchemaTooNew, StoreUnavailable
from rhythmd.store.sqlite import SqliteStore
from rhythmd.store.sqlite.engine import AT_ONCE, Engine
from tests.conftest import ErrorLog
from tests.contracts.rows import NOW, make_account, make_entry, make_identity, make_session
from tests.deadline import until, within
from tests.fairness.payers import new_account, paid_by
from tests.sqlite import locked

MIGRATIONS = (("CREATE TABLE numbers (n INTEGER PRIMARY KEY) STRICT",),)


@contextlib.asynccontextmanager
async def running_engine(
    path: Path, timeout_s: float = 20.0, high_mark: int = 10_000, at_once: int = AT_ONCE
) -> AsyncIterator[Engine]:
    engine = Engine(path, timeout_s=timeout_s, high_mark=high_mark, at_once=at_once, migrations=MIGRATIONS)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()


@contextlib.asynccontextmanager
async def running_store(path: Path, timeout_s: float = 20.0) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(path, timeout_s=timeout_s)
    await store.start()
    try:
        yield store
    finally:
        await store.close()


def insert(connection: sqlite3.Connection, n: int) -> None:
    connection.execute("INSERT INTO numbers VALUES (?)", (n,))


def insert_and_fail(connection: sqlite3.Connection, n: int) -> None:
    insert(connection, n)
    raise ValueError("after the insert")


def read_numbers(connection: sqlite3.Connection) -> list[int]:
    return [n for (n,) in connection.execute("SELECT n FROM numbers ORDER BY n")]


def read_pragma(connection: sqlite3.Connection, name: str) -> object:
    [(value,)] = connection.execute(f"PRAGMA {name}")
    return value


async def insert_as_soon_as_possible(engine: Engine, n: int) -> None:
    while True:
        with contextlib.suppress(StoreUnavailable):
            await engine.write(insert, n)
            return


class Blocker:
    """A query that takes until it is released."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.release = threading.Event()

    def __call__(self, _connection: sqlite3.Connection) -> None:
        self.began.set()
        assert self.release.wait(20.0)


# Whose turn it is


def _note(_connection: sqlite3.Connection, order: list[str], name: str) -> None:
    order.append(name)


async def test_network_that_asks_for_much_keeps_no_other_one_waiting(tmp_path: Path) -> None:
    order: list[str] = []
    blocker = Blocker()
    async with running_engine(tmp_path / "db", at_once=2) as engine:
        many, few = new_account(), new_account()
        blocked = asyncio.create_task(engine.read(blocker))
        await until(blocker.began.is_set, "the thread is at work")
        greedy = [paid_by(many, engine.read(_note, order, f"many {number}")) for number in range(50)]
        await asyncio.sleep(0)
        modest = paid_by(few, engine.read(_note, order, "few"))
        await asyncio.sleep(0)
        blocker.release.set()
        await asyncio.gather(blocked, *greedy, modest)
    assert order.index("few") <= 2
    assert [name for name in order if name != "few"] == [f"many {number}" for number in range(50)]


async def test_close_does_what_waits_for_its_turn(tmp_path: Path) -> None:
    blocker = Blocker()
    async with running_engine(tmp_path / "db", at_once=1) as engine:
        blocked = asyncio.create_task(engine.read(blocker))
        writes = [asyncio.create_task(engine.write(insert, number)) for number in range(20)]
        await until(blocker.began.is_set, "the thread is at work")
        closing = asyncio.create_task(engine.close())
        await asyncio.sleep(0)
        blocker.release.set()
        await asyncio.gather(closing, blocked, *writes)
        await engine.start()
        assert await engine.read(read_numbers) == list(range(20))


# The file


async def test_start_makes_directory_and_file_for_the_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "store.sqlite"
    async with running_store(path):
        assert path.stat().st_mode & 0o777 == 0o600


async def test_commits_are_synced_and_references_hold(tmp_path: Path) -> None:
    async with running_engine(tmp_path / "store.sqlite") as engine:
        for pragma, value in (("synchronous", 2), ("foreign_keys", 1), ("journal_mode", "wal")):
            assert await engine.read(read_pragma, pragma) == value


async def test_start_with_newer_version_is_refused_and_changes_nothing(tmp_path: Path, errors_logged: ErrorLog) -> None:
    path = tmp_path / "store.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 1000")
    before = path.read_bytes()
    store = SqliteStore(path)
    with pytest.raises(SchemaTooNew, match="version 1000"):
        await store.start()
    await store.close()
    assert path.read_bytes()[100:] == before[100:]
    errors_logged.records.clear()


async def test_start_with_a_file_that_is_no_database(tmp_path: Path, errors_logged: ErrorLog) -> None:
    path = tmp_path / "store.sqlite"
    path.write_bytes(b"no database at all" * 1000)
    store = SqliteStore(path)
    with pytest.raises(StoreUnavailable, match="not a database"):
        await store.start()
    path.unlink()
    await store.start()
    await store.ping()
    await store.close()
    errors_logged.records.clear()


async def test_start_in_a_directory_that_cannot_be_made(tmp_path: Path, errors_logged: ErrorLog) -> None:
    (tmp_path / "file").touch()
    store = SqliteStore(tmp_path / "file" / "store.sqlite")
    with pytest.raises(StoreUnavailable):
        await store.start()
    await store.close()
    errors_logged.records.clear()


async def test_stores_start_on_one_new_file_at_once(tmp_path: Path) -> None:
    for number in range(25):  # one in so many found the file locked
        path = tmp_path / str(number) / "store.sqlite"
        stores = [SqliteStore(path) for _ in range(8)]
        await asyncio.gather(*(store.start() for store in stores))
        account = make_account()
        await stores[0].accounts.create(account)
        assert await stores[7].accounts.get(account.id) == account
        for store in stores:
            await store.close()


def test_a_file_that_stays_locked_is_given_up(tmp_path: Path, errors_logged: ErrorLog) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "store.sqlite")) as other:
        other.execute("BEGIN EXCLUSIVE")
        store = SqliteStore(tmp_path / "store.sqlite", timeout_s=0.1)
        with pytest.raises(StoreUnavailable, match="locked"):
            asyncio.run(store.start())
    errors_logged.records.clear()


async def test_check_names_what_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    account = make_account()
    async with running_store(path) as store:
        await store.accounts.create(account, make_identity(account))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM accounts")
        connection.commit()
    async with running_store(path) as store:
        [problem] = await store.check()
        assert "identities" in problem


async def test_expire_removes_rows_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    account = make_account()
    async with running_store(path) as store:
        await store.accounts.create(account)
        await store.audit.append([make_entry(expires=NOW + n) for n in range(2_500)])
        for n in range(5):
            await store.sessions.create(make_session(account, expires=NOW + n))
        await store.expire(NOW + 2_450)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT min(expires), count(*) FROM audit").fetchall() == [(NOW + 2_451, 49)]
        assert connection.execute("SELECT count(*) FROM sessions").fetchall() == [(0,)]


# Batches


async def test_write_that_fails_undoes_no_neighbour(tmp_path: Path, errors_logged: ErrorLog) -> None:
    async with running_engine(tmp_path / "store.sqlite") as engine:
        blocker = Blocker()
        held = asyncio.create_task(engine.read(blocker))
        writes = [asyncio.create_task(engine.write(insert_and_fail if n % 3 == 0 else insert, n)) for n in range(9)]
        writes.append(asyncio.create_task(engine.write(insert, 4)))
        await asyncio.sleep(0)
        blocker.release.set()
        outcomes = await asyncio.gather(*writes, return_exceptions=True)
        await held
        assert [type(outcome).__name__ for outcome in outcomes] == [
            *(["ValueError", "NoneType", "NoneType"] * 3),
            "Conflict",
        ]
        assert await engine.read(read_numbers) == [1, 2, 4, 5, 7, 8]
    errors_logged.records.clear()


async def test_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    async with running_store(tmp_path / "store.sqlite") as store:
        account, other = make_account(), make_account()
        await store.accounts.create(other, make_identity(other, subject="42"))
        with pytest.raises(Conflict):
            await store.accounts.create(account, make_identity(account, subject="42"))
        with pytest.raises(NotFound):
            await store.sessions.create(make_session(account))
        assert await store.accounts.get(account.id) is None


async def test_cancelled_call_is_not_run(tmp_path: Path) -> None:
    async with running_engine(tmp_path / "store.sqlite") as engine:
        blocker = Blocker()
        held = asyncio.create_task(engine.read(blocker))
        given_up = asyncio.create_task(engine.write(insert, 1))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.sleep(0)
        blocker.release.set()
        await held
        await engine.write(insert, 2)
        assert await engine.read(read_numbers) == [2]


async def test_close_finishes_what_waits(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    async with running_engine(path) as engine:
        writes = [asyncio.create_task(engine.write(insert, n)) for n in range(2_000)]
        await asyncio.sleep(0)
    await asyncio.gather(*writes)
    async with running_engine(path) as engine:
        assert await engine.read(read_numbers) == list(range(2_000))


# Slow, locked, full


async def test_loop_goes_on_while_a_query_is_slow(tmp_path: Path) -> None:
    async with running_engine(tmp_path / "store.sqlite") as engine:
        blocker = Blocker()
        held = asyncio.create_task(engine.read(blocker))
        await until(blocker.began.is_set, "the query has begun")
        waiting = asyncio.create_task(engine.write(insert, 1))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not waiting.done()
        blocker.release.set()
        await within(asyncio.gather(held, waiting))


async def test_slow_query_times_out_and_the_next_call_works(tmp_path: Path) -> None:
    async with running_engine(tmp_path / "store.sqlite", timeout_s=0.5) as engine:
        blocker = Blocker()
        with pytest.raises(StoreUnavailable, match=r"within 0\.5 s"):
            await engine.read(blocker)
        blocker.release.set()
        await within(insert_as_soon_as_possible(engine, 1))
        assert await engine.read(read_numbers) == [1]


async def test_full_queue_refuses_until_half_of_it_is_done(tmp_path: Path) -> None:
    async with running_engine(tmp_path / "store.sqlite", high_mark=10) as engine:
        blocker = Blocker()
        held = asyncio.create_task(engine.read(blocker))
        await until(blocker.began.is_set, "the query has begun")
        waiting = [asyncio.create_task(engine.write(insert, n)) for n in range(9)]
        await asyncio.sleep(0)
        for _ in range(3):
            with pytest.raises(StoreUnavailable, match="10 calls wait"):
                await engine.read(read_numbers)
        blocker.release.set()
        await asyncio.gather(held, *waiting)
        assert await engine.read(read_numbers) == list(range(9))


async def test_locked_file_refuses_writes_lets_read_and_heals(tmp_path: Path, errors_logged: ErrorLog) -> None:
    path = tmp_path / "store.sqlite"
    account = make_account()
    async with running_store(path, timeout_s=1.0) as store:
        await store.accounts.create(account)
        with locked(path):
            with pytest.raises(StoreUnavailable):
                await store.accounts.create(make_account())
            await until(lambda: errors_logged.records, "the outage is logged")
            assert await store.accounts.get(account.id) == account
        await store.accounts.create(make_account())
    assert "locked" in errors_logged.texts()[0]
    errors_logged.records.clear()


async def test_full_disk_refuses_the_batch_and_heals(tmp_path: Path, errors_logged: ErrorLog) -> None:
    async with running_engine(tmp_path / "store.sqlite") as engine:
        await engine.write(insert, 1)
        await engine.read(lambda at: at.execute("PRAGMA max_page_count = 1").fetchall())
        with pytest.raises(StoreUnavailable, match="full"):
            await engine.write(insert_many)
        # A new connection has no such limit: the room is there again.
        await engine.write(insert_many)
        assert len(await engine.read(read_numbers)) == 5_001
    assert len(errors_logged.records) == 1
    errors_logged.records.clear()


def insert_many(connection: sqlite3.Connection) -> None:
    connection.executemany("INSERT INTO numbers VALUES (?)", [(n,) for n in range(2, 5_002)])


async def test_sql_error_is_ours_and_no_outage(tmp_path: Path, errors_logged: ErrorLog) -> None:
    async with running_engine(tmp_path / "store.sqlite") as engine:
        with pytest.raises(sqlite3.OperationalError, match="no such table"):
            await engine.read(lambda at: at.execute("SELECT * FROM absent").fetchall())
    assert [record.getMessage() for record in errors_logged.records] == ["A query failed"]
    errors_logged.records.clear()
