"""One worker process, as the server sees it. Everything here blocks: it is for the threads of the pool."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from typing import Final

from msgspec import Struct

from rhythmd.workers.frames import Outcome, Reply, Request, receive, send_with_files

__all__ = ["JobTimedOut", "Limits", "Worker", "WorkerDied", "WorkerNotThere"]

NICENESS: Final = 10
LOAD_S: Final = 60.0
"""Seconds that a process and the libraries of its job may take to load: no file has anything to do with that."""
CLOCK_RATIO: Final = 4
"""Seconds by the clock for one of processor time: playing comes first, and nobody's file is refused for that."""
MIB: Final = 1_048_576
KEPT: Final = ("LD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR")
TIMERS: Final = (-signal.SIGPROF, -signal.SIGALRM)


class WorkerNotThere(Exception):
    """The process ended before it had begun with the job: another one can do it."""


class WorkerDied(Exception):
    """The process ended in the middle of the job, or said what none says."""


class JobTimedOut(Exception):
    """The job took longer than it may; the process is gone."""


class Limits(Struct, frozen=True):
    """What one job may take: seconds of processor time, and MiB of address space."""

    time_s: float
    memory_mb: int


class Worker:
    """A process that waits for jobs. Making one blocks for some milliseconds; it loads while its first job waits."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._socket, theirs = socket.socketpair()
        command = [sys.executable, "-P", "-X", "utf8", "-m", "rhythmd.workers.child"]
        command += [str(limits.memory_mb * MIB), str(NICENESS)]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                command,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=_environment(),
                start_new_session=True,  # Ctrl-C in the server's terminal is not for it
            )
        except OSError:
            self._socket.close()
            raise
        finally:
            theirs.close()
        self.jobs = 0

    @property
    def pid(self) -> int:
        return self._process.pid

    def perform(self, function: str, files: list[int]) -> Reply:
        """What comes of a job.

        Args:
            function: `package.module:name`.
            files: descriptors of the file to read and of the one to write.

        Raises:
            WorkerNotThere, WorkerDied, JobTimedOut: the worker is of no more use; `close` it.
            RuntimeError: the function cannot be loaded.
        """
        wall_s = self._limits.time_s * CLOCK_RATIO
        request = Request(function, self._limits.time_s, wall_s + 1)
        self.jobs += 1
        try:
            send_with_files(self._socket, request, files)
            reply = self._receive(LOAD_S)
        except (OSError, EOFError, ValueError) as error:
            raise WorkerNotThere from error
        if reply.outcome is not Outcome.BEGAN:
            raise RuntimeError(f"{function} cannot be loaded:\n{reply.reason}")
        try:
            return self._receive(wall_s)
        except TimeoutError as error:
            raise JobTimedOut from error
        except (OSError, EOFError, ValueError) as error:
            raise (JobTimedOut if self.kill() in TIMERS else WorkerDied) from error

    def kill(self) -> int:
        """End the process at once, if it has not ended; its exit status. May be called by several threads."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes a thread that waits for it
        self._process.kill()
        return self._process.wait()

    def close(self) -> None:
        """Let go of the socket, once no thread waits for it."""
        self.kill()
        self._socket.close()

    def _receive(self, seconds: float) -> Reply:
        """The next reply. Raises TimeoutError, and as `receive`."""
        last = time.monotonic() + seconds
        self._socket.settimeout(seconds)
        reply = receive(self._socket, Reply)
        if time.monotonic() > last:
            raise TimeoutError
        return reply


def _environment() -> dict[str, str]:
    """What Python needs, and nothing that the operator keeps there, such as passwords."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")  # each would reserve memory
    return {**kept, **threads, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
