"""Runs the load in processes of its own, so that its work and the caller's do not share an interpreter.

A load process reads its spec, joins, says that it is ready, is told when to start, and reports.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic
from typing import Final, NoReturn

import msgspec

from bench.load.spec import LoadResult, LoadSpec
from bench.system import pinned

__all__ = ["READY", "LoadFailed", "run_load", "run_loads"]


_ROOT: Final = Path(__file__).parents[2]
_LEAD_S: Final = 0.5
READY: Final = b"ready\n"


class LoadFailed(Exception):
    """The load process gave up: the server refused it or went away."""


def _fail(process: subprocess.Popen[bytes]) -> NoReturn:
    raise LoadFailed(f"the load process ended with {process.wait()}; its reason stands above")


def _say(process: subprocess.Popen[bytes], line: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(line + b"\n")
    process.stdin.flush()


@contextmanager
def _joined(spec: LoadSpec, core: int | None) -> Iterator[subprocess.Popen[bytes]]:
    """A load process that waits for the moment to start; it is ended with the block."""
    command = [sys.executable, "-m", "bench.load"]
    with pinned(core):
        process = subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process:
        try:
            _say(process, msgspec.json.encode(spec))
            assert process.stdout is not None
            if process.stdout.readline() != READY:
                _fail(process)
            yield process
        finally:
            process.kill()


def _result(process: subprocess.Popen[bytes]) -> LoadResult:
    output, _ = process.communicate()
    if process.returncode:
        _fail(process)
    return msgspec.json.decode(output, type=LoadResult)


def run_loads(specs: Sequence[LoadSpec], core: int | None = None) -> list[LoadResult]:
    """Play all of `specs` at the same time, on `core` alone if given. Each joins when the one before it has.

    Progress goes to standard error. Raises LoadFailed.
    """
    with ExitStack() as stack:
        loads = [stack.enter_context(_joined(spec, core)) for spec in specs]
        start = monotonic() + _LEAD_S
        for load in loads:
            _say(load, msgspec.json.encode(start))
        return [_result(load) for load in loads]


def run_load(spec: LoadSpec, core: int | None = None) -> LoadResult:
    """Play `spec`, as `run_loads` does."""
    return run_loads([spec], core)[0]
