"""Jobs for worker processes that do what files of bad people make libraries do."""

import ctypes
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import BinaryIO, Final

from msgspec import Struct

from rhythmd.errors import RefusedFile

__all__ = ["JOBS", "Seen"]


class Seen(Struct, frozen=True):
    """What a job saw: its process, the length of the file, and more of its own."""

    pid: int
    size: int = 0
    found: tuple[str, ...] = ()


def copy(source: BinaryIO, output: BinaryIO) -> Seen:
    content = source.read()
    output.write(content)
    return Seen(os.getpid(), len(content))


def talk(source: BinaryIO, output: BinaryIO) -> Seen:
    """Print as a library does, from Python and past it, and read what is not there."""
    sys.stdout.write("to standard output\n")
    sys.stderr.write("to standard error\n")
    os.write(1, b"past Python")
    return Seen(os.getpid(), len(os.read(0, 100)))


def refuse(source: BinaryIO, output: BinaryIO) -> Seen:
    raise RefusedFile("line 3: no such note")


def fail(source: BinaryIO, output: BinaryIO) -> Seen:
    raise KeyError("a mistake of ours")


def loop(source: BinaryIO, output: BinaryIO) -> Seen:
    while True:
        pass


def sleep(source: BinaryIO, output: BinaryIO) -> Seen:
    """Wait for ever, in the system, with all signals blocked that a process can block."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    while True:
        time.sleep(1_000)


def linger(source: BinaryIO, output: BinaryIO) -> Seen:
    """Say who runs this, then wait."""
    os.write(output.fileno(), str(os.getpid()).encode())
    while True:
        time.sleep(1_000)


def allocate(source: BinaryIO, output: BinaryIO) -> Seen:
    taken: list[bytearray] = []
    while True:
        taken.append(bytearray(10_000_000))


def write(source: BinaryIO, output: BinaryIO) -> Seen:
    while True:
        output.write(bytes(1_000_000))


def nest(source: BinaryIO, output: BinaryIO) -> Seen:
    return nest(source, output)


def crash(source: BinaryIO, output: BinaryIO) -> Seen:
    ctypes.string_at(0)
    raise AssertionError


def leave(source: BinaryIO, output: BinaryIO) -> Seen:
    sys.exit()


def look(source: BinaryIO, output: BinaryIO) -> Seen:
    """What of the server a worker can see: its environment and the files that it has open."""
    links = [str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
    return Seen(os.getpid(), os.nice(0), (*os.environ, *links))


def limits(source: BinaryIO, output: BinaryIO) -> Seen:
    """The limits that root is exempt from, and that of memory dumps."""
    kinds = resource.RLIMIT_NPROC, resource.RLIMIT_CORE
    return Seen(os.getpid(), found=tuple(str(resource.getrlimit(kind)) for kind in kinds))


_NAMES: Final = (
    copy, talk, refuse, fail, loop, sleep, linger, allocate, write, nest, crash, leave, look, limits,
)  # fmt: skip
JOBS: Final = {job.__name__: f"{__name__}:{job.__name__}" for job in _NAMES} | {"missing": "tests.nowhere:at_all"}
"""As `WorkerPool` wants them."""
