"""Runs the load in a process of its own, so that its work and the caller's do not share an interpreter."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import msgspec

from bench.load.spec import LoadResult, LoadSpec
from bench.system import pinned

__all__ = ["LoadFailed", "run_load"]


_ROOT: Final = Path(__file__).parents[2]


class LoadFailed(Exception):
    """The load process gave up: the server refused it or went away."""


def run_load(spec: LoadSpec, core: int | None = None) -> LoadResult:
    """Play `spec`, on `core` alone if given. Progress goes to standard error. Raises LoadFailed."""
    with pinned(core):
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.load"], cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
    output, _ = process.communicate(msgspec.json.encode(spec))
    if process.returncode:
        raise LoadFailed(f"the load process ended with {process.returncode}; its reason stands above")
    return msgspec.json.decode(output, type=LoadResult)
