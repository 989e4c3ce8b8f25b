"""A worker's own program, `python -m rhythmd.workers.child BYTES NICE`: one job after the other, as they come.

The socket to the server is standard input. When the server is gone it ends, and with it a worker that waits for a job.
One in the middle of a job is killed by the system on Linux; elsewhere its timers end it, soon after.
"""

import ctypes
import errno
import importlib
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from msgspec import Struct, msgpack

from rhythmd.errors import RefusedFile
from rhythmd.workers.frames import FILES, Outcome, Reply, Request, receive_with_files, send

__all__ = ["main"]

OUTPUT_BYTES: Final = 67_108_864
"""The largest file that a job may write."""
REASON_CHARACTERS: Final = 2_000
FIRST_VICTIM: Final = "1000"
PR_SET_PDEATHSIG: Final = 1  # prctl(2)

Job = Callable[[BinaryIO, BinaryIO], Struct]


def main(memory_bytes: int, niceness: int) -> None:
    """Serve until the server is gone."""
    _die_with_server()
    connection = _take_socket()
    _limit(memory_bytes)
    os.nice(niceness)
    with suppress(OSError):  # Linux alone has it: when memory is short, a worker goes before the server
        Path("/proc/self/oom_score_adj").write_text(FIRST_VICTIM, encoding="ascii")
    with suppress(EOFError, ConnectionError):
        while True:
            _serve(connection)


def _die_with_server() -> None:
    """Be killed when the server's thread is gone that started this, which lives as long as the server."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _take_socket() -> socket.socket:
    """The socket, away from where a library could read or write."""
    connection = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nothing, standard)
    os.close(nothing)
    return connection


def _limit(memory_bytes: int) -> None:
    limits = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: OUTPUT_BYTES,
        resource.RLIMIT_NPROC: 0,  # neither processes nor threads; root is exempt
    }
    for limit, value in limits.items():
        _, highest = resource.getrlimit(limit)
        lowered = value if highest == resource.RLIM_INFINITY else min(value, highest)
        resource.setrlimit(limit, (lowered, lowered))


def _serve(connection: socket.socket) -> None:
    request, descriptors = receive_with_files(connection, Request)
    source, output = _open(descriptors)
    try:
        job = _load(request.function)
    except Exception:  # noqa: BLE001 - a library that is not there, or a name that is wrong
        reply = Reply(Outcome.FAILED, traceback.format_exc())
    else:
        send(connection, Reply(Outcome.BEGAN))
        reply = _run(job, source, output, request)
    for file in (source, output):
        with suppress(OSError):  # what a failed job has left to write
            file.close()
    send(connection, reply)


def _open(descriptors: list[int]) -> tuple[BinaryIO, BinaryIO]:
    if len(descriptors) != FILES:
        raise EOFError("a request comes with two files")
    source, output = os.fdopen(descriptors[0], "rb"), os.fdopen(descriptors[1], "wb")
    source.seek(0)
    return source, output


def _load(function: str) -> Job:
    module, _, name = function.partition(":")
    job: Job = getattr(importlib.import_module(module), name)
    return job


def _run(job: Job, source: BinaryIO, output: BinaryIO, request: Request) -> Reply:
    # Their signals end the process, also in the middle of a library's own code, which a handler in Python would wait
    # for. RLIMIT_CPU would count in whole seconds, from the start of the process.
    signal.setitimer(signal.ITIMER_PROF, request.cpu_s)
    signal.setitimer(signal.ITIMER_REAL, request.wall_s)
    try:
        result = msgpack.encode(job(source, output))
        output.flush()
    except RefusedFile as error:
        return Reply(Outcome.REFUSED, error.reason[:REASON_CHARACTERS])
    except (MemoryError, RecursionError):
        return Reply(Outcome.COSTLY)
    except Exception as error:  # noqa: BLE001 - libraries that read strangers' files raise anything
        is_large = isinstance(error, OSError) and error.errno == errno.EFBIG
        return Reply(Outcome.COSTLY) if is_large else Reply(Outcome.FAILED, traceback.format_exc())
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
    return Reply(Outcome.DONE, result=result)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
