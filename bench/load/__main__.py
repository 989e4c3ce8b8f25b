"""The load process: a `LoadSpec` as JSON on standard input, a `LoadResult` as JSON on standard output."""

import sys

import msgspec
import uvloop

from bench.load.analysis import analyse
from bench.load.run import play
from bench.load.spec import LoadSpec
from bench.system import raise_open_files


def main() -> None:
    raise_open_files()
    spec = msgspec.json.decode(sys.stdin.buffer.read(), type=LoadSpec)
    result = analyse(spec, uvloop.run(play(spec)))
    sys.stdout.buffer.write(msgspec.json.encode(result))


if __name__ == "__main__":
    main()
