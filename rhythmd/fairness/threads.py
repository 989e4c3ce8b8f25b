"""Threads for what blocks, which all networks share: files, hashes of files, recordings that are written out."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from sys import maxsize
from typing import ParamSpec, TypeVar

from rhythmd.fairness.slots import FairQueue, paying_network

__all__ = ["FairThreads"]

P = ParamSpec("P")
T = TypeVar("T")


class FairThreads(ThreadPoolExecutor):
    """A loop's default executor in which networks take turns, however much one of them has to be done.

    Each request has one thing done at a time, so the number of connections bounds what waits.
    """

    def __init__(self) -> None:
        super().__init__(thread_name_prefix="threads")
        self._lock = threading.Lock()
        self._jobs: FairQueue[Callable[[], None]] = FairQueue(maxsize)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """As any executor; called where the work is asked for, and so known for whom it is."""
        future: Future[T] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is the caller's
                future.set_exception(error)
            else:
                future.set_result(result)

        with self._lock:
            self._jobs.put(paying_network(), run)
        super().submit(self._run_next)
        return future

    def _run_next(self) -> None:
        """In a thread: there is a job for each call of this."""
        with self._lock:
            job = self._jobs.take()
        job()
