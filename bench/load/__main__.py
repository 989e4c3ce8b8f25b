"""The load process, as `bench.load.process` starts it.

In: a line with a `LoadSpec`, a line with the moment to start. Out: a line that says "ready", a `LoadResult`. All JSON.
"""

import asyncio
import os
import sys

import msgspec
import uvloop

from bench.load.analysis import analyse
from bench.load.process import READY
from bench.load.run import play
from bench.load.spec import LoadSpec
from bench.system import raise_open_files


async def _told_to_start() -> float:
    """Say that everybody has joined, and wait for the moment to start."""
    sys.stdout.buffer.write(READY)
    sys.stdout.buffer.flush()
    return msgspec.json.decode(await asyncio.to_thread(sys.stdin.buffer.readline), type=float)


def main() -> None:
    raise_open_files()
    spec = msgspec.json.decode(sys.stdin.buffer.readline(), type=LoadSpec)
    os.nice(spec.nice)
    result = analyse(spec, uvloop.run(play(spec, _told_to_start)))
    sys.stdout.buffer.write(msgspec.json.encode(result))


if __name__ == "__main__":
    main()
