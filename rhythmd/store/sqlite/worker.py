"""The thread's side of a SQLite file: it gathers jobs, runs them in batches and answers them.

Whatever has come while the thread was busy makes one batch. Its reads go first, in one snapshot; its writes
share one transaction, each in a savepoint of its own, and are answered after the COMMIT. One fsync then
serves many writes, and a write that fails undoes nobody else's.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final, Generic, NamedTuple, TypeVar

from rhythmd.fairness.slots import PAYER
from rhythmd.folders import make_private
from rhythmd.ports import Conflict, NotFound, SchemaTooNew, StoreError, StoreUnavailable
from rhythmd.store.sqlite.schema import Migration, migrate
from rhythmd.telemetry import OutageLog, store_log

__all__ = ["BATCH_LIMIT", "Job", "Worker"]

T = TypeVar("T")

BATCH_LIMIT: Final = 64
"""Whoever waits for them goes on in the same turn of the loop."""
RETRY_S: Final = 0.02

# NORMAL: the steps of a migration need not be on the disk one by one, only in their order.
PRAGMAS: Final = ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL", "PRAGMA foreign_keys = ON")
# FULL: from then on a commit is on the disk before it is answered, which WAL's usual NORMAL does not promise.
DURABLE: Final = "PRAGMA synchronous = FULL"


class Job(Generic[T]):
    """A function to run in the thread, and the future that gets its outcome."""

    __slots__ = ("_error", "_future", "_payer", "_result", "_took_s", "_work", "writes")

    def __init__(self, work: Callable[[sqlite3.Connection], T], future: asyncio.Future[T], *, writes: bool) -> None:
        self._work = work
        self._future = future
        self._error: Exception | None = None
        self._result: T
        self._payer = PAYER.get()
        self._took_s = 0.0
        self.writes = writes

    def wanted(self) -> bool:
        """Whether somebody still waits for it."""
        return not self._future.cancelled()

    def run(self, connection: sqlite3.Connection) -> bool:
        """Whether it went well. Raises sqlite3's error if the file, and not the job, is at fault."""
        began = time.thread_time()
        try:
            self._result = self._work(connection)
        except StoreError as error:
            self._error = error
        except sqlite3.IntegrityError as error:
            self._error = _explain(error)
        except Exception as error:
            if _is_outage(error):
                raise
            store_log.exception("A query failed")
            self._error = error
        finally:
            self._took_s = time.thread_time() - began
        return self._error is None

    def fail(self, error: StoreError) -> None:
        self._error = error

    def deliver(self) -> None:
        """In the event loop: settle the future. The thread's work is charged: the loop has less of the interpreter."""
        if self._payer is not None:
            now = time.monotonic()
            self._payer.charge_work(now - self._took_s, now)
        if not self.wanted():
            return
        if self._error is not None:
            self._future.set_exception(self._error)
        else:
            self._future.set_result(self._result)


def _explain(error: sqlite3.IntegrityError) -> Exception:
    """The store's error for a violated constraint. SQLite's text is `UNIQUE constraint failed: table.column, ...`."""
    if error.sqlite_errorname == "SQLITE_CONSTRAINT_FOREIGNKEY":
        return NotFound("what the row refers to is not there")
    if error.sqlite_errorname in {"SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"}:
        return Conflict(str(error).rpartition(".")[2].removesuffix("_key").removesuffix("_look"))
    return error


def _is_outage(error: Exception) -> bool:
    """Whether the file is at fault (locked, full, broken) rather than the SQL or its arguments."""
    if isinstance(error, sqlite3.OperationalError):
        return error.sqlite_errorcode != sqlite3.SQLITE_ERROR
    return type(error) is sqlite3.DatabaseError


def _run_among(connection: sqlite3.Connection, job: Job[Any]) -> None:
    job.run(connection)


def _run_apart(connection: sqlite3.Connection, job: Job[Any]) -> None:
    connection.execute("SAVEPOINT job")
    if not job.run(connection):
        connection.execute("ROLLBACK TO job")
    connection.execute("RELEASE job")


def _prepare(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> None:
    for pragma in PRAGMAS:
        connection.execute(pragma)
    migrate(connection, migrations)
    connection.execute(DURABLE)


def _patiently(step: Callable[[], None], patience_s: float) -> None:
    """Repeat a step that another connection's lock refuses.

    SQLite waits for most locks by itself. When two connections switch a new file to WAL at the same time it does not:
    each would wait for the other one, so it tells one of them at once that the file is locked (`sqlite3_busy_handler`).
    """
    last = time.monotonic() + patience_s
    while True:
        try:
            return step()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > last:
                raise
        time.sleep(RETRY_S)


class _Kind(NamedTuple):
    """How the reads, or the writes, of a batch are run."""

    begin: str
    run: Callable[[sqlite3.Connection, Job[Any]], None]
    outage: OutageLog


class Worker:
    """Runs in the thread that owns the connection: takes jobs from a queue and serves them in batches.

    Args:
        path: of the file; it and its directory are made if need be.
        busy_s: how long to wait for another process's lock.
        migrations: the schema.
        answer: called in the thread with jobs that are done; each job is answered once.
    """

    def __init__(
        self,
        path: Path,
        busy_s: float,
        migrations: Sequence[Migration],
        answer: Callable[[list[Job[Any]]], object],
    ) -> None:
        self.jobs: SimpleQueue[Job[Any] | None] = SimpleQueue()
        self._path = path
        self._busy_s = busy_s
        self._migrations = migrations
        self._answer = answer
        self._connection: sqlite3.Connection | None = None
        self._reading = _Kind("BEGIN", _run_among, OutageLog(f"{path} (reading)"))
        self._writing = _Kind("BEGIN IMMEDIATE", _run_apart, OutageLog(f"{path} (writing)"))
        self._last = False

    def run(self) -> None:
        """Serve until None comes in the queue. What was queued before it is done first."""
        while not self._last:
            batch = self._gather()
            self._serve(self._reading, [job for job in batch if not job.writes])
            self._serve(self._writing, [job for job in batch if job.writes])
        self._disconnect()

    def _gather(self) -> list[Job[Any]]:
        batch: list[Job[Any]] = []
        job = self.jobs.get()
        while job is not None:
            batch.append(job)
            if len(batch) == BATCH_LIMIT:
                return batch
            try:
                job = self.jobs.get_nowait()
            except Empty:
                return batch
        self._last = True
        return batch

    def _serve(self, kind: _Kind, jobs: list[Job[Any]]) -> None:
        if not jobs:
            return
        try:
            self._transact(kind, jobs)
        except SchemaTooNew as error:
            self._fail(kind, jobs, error)
        except (sqlite3.Error, OSError) as error:
            self._fail(kind, jobs, StoreUnavailable(f"SQLite: {error}"))
        else:
            kind.outage.over()
        self._answer(jobs)

    def _transact(self, kind: _Kind, jobs: list[Job[Any]]) -> None:
        connection = self._connect()
        connection.execute(kind.begin)
        for job in jobs:
            if job.wanted():
                kind.run(connection, job)
        connection.execute("COMMIT")

    def _fail(self, kind: _Kind, jobs: list[Job[Any]], error: StoreError) -> None:
        """Nothing of the batch happened. The next one gets a new connection: a broken one may stay broken."""
        kind.outage.began(error)
        self._disconnect()
        for job in jobs:
            job.fail(type(error)(str(error)))  # One each: whoever awaits it adds its traceback.

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None:
            make_private(self._path.parent)
            self._path.touch(mode=0o600)  # It holds password hashes.
            self._connection = sqlite3.connect(self._path, timeout=self._busy_s, isolation_level=None)
            _patiently(partial(_prepare, self._connection, self._migrations), self._busy_s)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
