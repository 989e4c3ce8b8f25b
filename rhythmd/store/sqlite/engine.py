"""A SQLite file with a thread of its own: the event loop hands in functions and awaits what they return."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from rhythmd.fairness.slots import FairQueue, paying_network
from rhythmd.ports import StoreUnavailable
from rhythmd.store.sqlite.schema import MIGRATIONS, Migration
from rhythmd.store.sqlite.worker import BATCH_LIMIT, Job, Worker
from rhythmd.store.waiting import WaitingCalls
from rhythmd.telemetry import store_log

__all__ = ["AT_ONCE", "Engine"]

AT_ONCE: Final = 2 * BATCH_LIMIT
"""While the thread works at a batch, the next one is there."""

P = ParamSpec("P")
T = TypeVar("T")


class Engine:
    """The event loop's side of a SQLite file: it queues jobs for the thread and awaits their outcomes.

    Args:
        path: of the file; it and its directory are made if need be.
        timeout_s: after which a call raises StoreUnavailable.
        high_mark: calls that may wait; at that, further ones are refused until half of them are done.
        at_once: calls that the thread is given; the others wait for them, and networks take turns.
        migrations: the schema.
    """

    def __init__(
        self,
        path: Path,
        *,
        timeout_s: float = 5.0,
        high_mark: int = 10_000,
        at_once: int = AT_ONCE,
        migrations: Sequence[Migration] = MIGRATIONS,
    ) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._migrations = migrations
        self._worker: Worker | None = None
        self._ended = asyncio.Event()
        self._waiting_calls = WaitingCalls(high_mark)
        self._queue: FairQueue[Job[Any]] = FairQueue(high_mark)
        self._at_once = self._free = at_once

    async def start(self) -> None:
        """Open the file and bring it up to date. Raises StoreUnavailable or SchemaTooNew; may be repeated."""
        if self._worker is None:
            loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
            self._free = self._at_once
            self._worker = Worker(
                self._path,
                self._timeout_s,
                self._migrations,
                lambda jobs: loop.call_soon_threadsafe(self._settle, jobs),
            )
            threading.Thread(target=_run, args=(self._worker, loop, self._ended), name="sqlite", daemon=True).start()
        await self._call(_ask, None, writes=True)  # A migration takes what it takes.

    async def close(self) -> None:
        """Finish what waits, within the time of a call, and close the file."""
        if self._worker is None:
            return
        self._free = len(self._queue) + 1
        self._feed(self._worker)
        self._worker.jobs.put(None)
        self._worker = None
        try:
            await asyncio.wait_for(self._ended.wait(), self._timeout_s)
        except TimeoutError:
            store_log.error("SQLite did not end within %s s", self._timeout_s)

    async def read(self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work(connection, ...)` returns; it must not write."""
        return await self._call(lambda at: work(at, *args, **kwargs), self._timeout_s, writes=False)

    async def read_patiently(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Like `read`, without a time limit."""
        return await self._call(work, None, writes=False)

    async def write(
        self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What `work(connection, ...)` returns, once it is on the disk; undone if it raises."""
        return await self._call(lambda at: work(at, *args, **kwargs), self._timeout_s, writes=True)

    async def _call(self, work: Callable[[sqlite3.Connection], T], timeout_s: float | None, *, writes: bool) -> T:
        if self._worker is None:
            raise StoreUnavailable("the store is not open")
        self._waiting_calls.enter()
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        network, job = paying_network(), Job(work, future, writes=writes)
        self._queue.put(network, job)
        self._feed(self._worker)
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        except TimeoutError:
            raise StoreUnavailable(f"no answer from SQLite within {timeout_s} s") from None

    def _feed(self, worker: Worker) -> None:
        """Give the thread what it may have."""
        while self._free and self._queue:
            self._free -= 1
            worker.jobs.put(self._queue.take())

    def _settle(self, jobs: Sequence[Job[Any]]) -> None:
        """A call that was given up counts until the thread has come to it: the queue's bound is a real one."""
        self._waiting_calls.leave(len(jobs))
        self._free += len(jobs)
        if self._worker is not None:
            self._feed(self._worker)
        for job in jobs:
            job.deliver()


def _run(worker: Worker, loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    worker.run()
    loop.call_soon_threadsafe(ended.set)


def _ask(connection: sqlite3.Connection) -> None:
    connection.execute("SELECT 1")
