"""The pool: jobs in, results out; how many processes, who waits, and what becomes of a worker after its job."""

import asyncio
import os
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import BinaryIO, Final, TypeVar

from msgspec import Struct, msgpack

from rhythm_protocol.errors import ErrorCode
from rhythmd.config import WorkersConfig
from rhythmd.errors import FileTooCostly, Refused, RefusedFile
from rhythmd.fairness.slots import Crowded, FairSlots
from rhythmd.telemetry import server_log
from rhythmd.workers.frames import Outcome, Reply
from rhythmd.workers.worker import JobTimedOut, Limits, Worker, WorkerDied, WorkerNotThere

__all__ = ["JOBS", "WorkerPool"]

JOBS: Final = {
    "avatar": "rhythmd.avatars.picture:make_avatar",
    "sheet": "rhythmd.sheets.formats.analysis:analyse",
}
"""What a worker can do, by name: functions that read one file, write another, and return a struct.

They raise RefusedFile for a file that is not what it must be.
"""
JOBS_EACH: Final = 200
"""Jobs after which a worker is replaced: libraries leak."""
ATTEMPTS: Final = 3

StructT = TypeVar("StructT", bound=Struct)


class WorkerPool:
    """A few processes, each with a thread that waits for it. They are started when they are needed, and kept.

    Networks take turns. If too many jobs wait, the newest one of the network with the most of them is refused.

    Args:
        config: how many, their limits, and how many jobs may wait.
        jobs: functions by name, as JOBS.
        jobs_each: jobs after which a worker is replaced.
    """

    def __init__(self, config: WorkersConfig, jobs: Mapping[str, str] = JOBS, *, jobs_each: int = JOBS_EACH) -> None:
        self._limits = Limits(config.time_s, config.memory_mb)
        self._jobs = jobs
        self._jobs_each = jobs_each
        self._slots = FairSlots(config.processes, config.queue)
        self._threads = ThreadPoolExecutor(config.processes, thread_name_prefix="worker")
        self._lock = threading.Lock()
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
        self._closing = False

    @property
    def running(self) -> int:
        """Jobs that a worker has."""
        return len(self._busy)

    @property
    def waiting(self) -> int:
        """Jobs that wait for a worker."""
        return self._slots.waiting

    async def run(self, job: str, source: BinaryIO, output: BinaryIO, result: type[StructT]) -> StructT:
        """What the job says of `source`; what it made of it is then in `output`.

        Nothing of a file goes through this process: the worker gets both by descriptor. It reads `source` from its
        beginning and writes where `output` stands; afterwards both stand anywhere. A caller that is cancelled may
        close them; if the job had begun, it goes on for nobody.

        Args:
            job: a name in the table.
            source: a file that can be read and sought.
            output: a file that can be written.
            result: type of what the job returns.

        Raises:
            RefusedFile: it is not what it must be.
            FileTooCostly: it takes more time or memory than it may, or the worker died at it.
            Refused: `busy`, too many jobs wait, no process can be had, or the server stops.
        """
        try:
            await self._slots.acquire()
        except Crowded:
            raise Refused(ErrorCode.BUSY, "too many files wait to be looked at, try again in a moment") from None
        reply, future = self._begin(self._jobs[job], source, output)
        return msgpack.decode(_result(await _unless_cancelled(reply, future)), type=result)

    def _begin(self, function: str, source: BinaryIO, output: BinaryIO) -> tuple[asyncio.Future[Reply], Future[Reply]]:
        """Give a job to a thread; its slot is free again when that is done with it."""
        try:
            if self._closing:
                raise _stopping()
            files = _duplicates(source, output)
        except (OSError, Refused):
            self._slots.release()
            raise
        future = self._threads.submit(self._work, function, files)
        reply = asyncio.wrap_future(future)
        reply.add_done_callback(partial(self._done, files))
        return reply, future

    async def close(self) -> None:
        """End all workers at once, in the middle of their jobs, too."""
        await asyncio.to_thread(self._end)

    def _end(self) -> None:
        with self._lock:
            self._closing = True
            for worker in (*self._idle, *self._busy):
                worker.kill()
        self._threads.shutdown(cancel_futures=True)
        for worker in self._idle:
            worker.close()

    def _done(self, files: list[int], reply: asyncio.Future[Reply]) -> None:
        self._slots.release()
        for file in files:
            os.close(file)
        if not reply.cancelled():
            reply.exception()  # marks it as seen, for callers that gave up

    # In the threads

    def _work(self, function: str, files: list[int]) -> Reply:
        """Raises FileTooCostly, Refused, and RuntimeError when no worker can do such jobs."""
        for _ in range(ATTEMPTS):
            worker = self._take()
            reply = None
            try:
                reply = worker.perform(function, files)
            except WorkerNotThere:
                continue
            except WorkerDied:
                if self._closing:
                    raise _stopping() from None
                raise FileTooCostly("the worker died at this file") from None
            except JobTimedOut:
                raise FileTooCostly(f"this file takes more than {self._limits.time_s:g} s") from None
            finally:
                self._put_back(worker, reply)
            return reply
        server_log.warning("worker processes end before they begin")
        raise Refused(ErrorCode.BUSY, "no worker can be had, try again in a moment")

    def _take(self) -> Worker:
        with self._lock:
            if self._closing:
                raise _stopping()
            worker = self._idle.pop() if self._idle else self._start()
            self._busy.add(worker)
        return worker

    def _start(self) -> Worker:
        try:
            return Worker(self._limits)
        except OSError as error:
            server_log.warning("no worker process can be started: %s", error)
            raise Refused(ErrorCode.BUSY, "no worker can be had, try again in a moment") from error

    def _put_back(self, worker: Worker, reply: Reply | None) -> None:
        """Keep a worker whose job ended well, which a refusal is, too; end any other one."""
        is_well = reply is not None and reply.outcome in {Outcome.DONE, Outcome.REFUSED}
        with self._lock:
            self._busy.discard(worker)
            if is_well and worker.jobs < self._jobs_each and not self._closing:
                self._idle.append(worker)
                return
        worker.close()


async def _unless_cancelled(reply: asyncio.Future[Reply], future: Future[Reply]) -> Reply:
    try:
        return await asyncio.shield(reply)
    except asyncio.CancelledError:
        if reply.cancelled():  # by `close`, and not its caller
            raise _stopping() from None
        future.cancel()  # if it has not begun
        raise


def _stopping() -> Refused:
    return Refused(ErrorCode.BUSY, "the server stops")


def _duplicates(*files: BinaryIO) -> list[int]:
    """Descriptors of the same files that nobody else closes. Raises OSError."""
    made: list[int] = []
    try:
        for file in files:
            made.append(os.dup(file.fileno()))  # noqa: PERF401 - what is made by then is closed
    except OSError:
        for descriptor in made:
            os.close(descriptor)
        raise
    return made


def _result(reply: Reply) -> bytes:
    """The result of a job that is done. Raises RefusedFile and FileTooCostly."""
    match reply.outcome:
        case Outcome.DONE:
            return reply.result
        case Outcome.REFUSED:
            raise RefusedFile(reply.reason)
        case Outcome.COSTLY:
            raise FileTooCostly("this file takes more memory than it may")
    server_log.error("a worker's job failed:\n%s", reply.reason)
    raise RefusedFile("this file cannot be read")
