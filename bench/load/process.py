"""Runs the load in processes of its own, so that its work and the caller's do not share an interpreter.

A load process reads its spec, joins, says that it is ready, is told when to start, and reports.
"""

import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
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


class _LoadProcess:
    """One load process, as far as ready to start. Used as a context, which ends it if it still runs."""

    def __init__(self, spec: LoadSpec, core: int | None) -> None:
        with pinned(core):
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bench.load"], cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        self._say(msgspec.json.encode(spec))
        assert self._process.stdout is not None
        if self._process.stdout.readline() != READY:
            self._fail()

    def __enter__(self) -> "_LoadProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def start(self, moment: float) -> None:
        """Begin the timetable at `moment` (monotonic clock, s)."""
        self._say(msgspec.json.encode(moment))

    def result(self) -> LoadResult:
        output, _ = self._process.communicate()
        if self._process.returncode:
            self._fail()
        return msgspec.json.decode(output, type=LoadResult)

    def _say(self, line: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + b"\n")
        self._process.stdin.flush()

    def _fail(self) -> NoReturn:
        raise LoadFailed(f"the load process ended with {self._process.wait()}; its reason stands above")


def run_loads(specs: Sequence[LoadSpec], core: int | None = None) -> list[LoadResult]:
    """Play all of `specs` at the same time, on `core` alone if given. Each joins when the one before it has.

    Progress goes to standard error. Raises LoadFailed.
    """
    with ExitStack() as stack:
        loads = [stack.enter_context(_LoadProcess(spec, core)) for spec in specs]
        start = monotonic() + _LEAD_S
        for load in loads:
            load.start(start)
        return [load.result() for load in loads]


def run_load(spec: LoadSpec, core: int | None = None) -> LoadResult:
    """Play `spec`, as `run_loads` does."""
    return run_loads([spec], core)[0]
