"""A room that plays while others send garbage, reset, stall and leave sockets half open."""

import argparse
import asyncio
from collections import Counter
from pathlib import Path
from typing import Final

import uvloop
from msgspec import Struct

from bench.load.spec import LoadResult
from bench.options import METHOD, Cores, add_duration, add_settings, conditions, even_rooms, nothing_missing, play_on
from bench.report import Measurement, Report, Table, Target
from bench.rowdy import misbehave
from bench.rows import chart_of, results_table
from bench.servers import RHYTHMD, Running, running
from bench.system import raise_open_files, resident_bytes

__all__ = ["HELP", "add_arguments", "run"]

HELP: Final = "garbage, half-open sockets, resets and slow readers beside a playing room"
_FIRST_ROUND_S: Final = 20.0
_SETTLE_S: Final = 5.0
_GROWTH: Final = 0.10  # an allocator keeps some of what it got: more than this much is a leak
_TRACEBACK: Final = "Traceback (most recent call last)"


class Outcome(Struct, frozen=True):
    """What the run saw: sizes in bytes, `traceback` is the first one in the server's log, if any."""

    result: LoadResult
    acts: Counter[str]
    before: int
    after: int
    tracebacks: int
    traceback: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--players", type=int, default=8, help="players in the playing room (%(default)s)")
    parser.add_argument("--rate", type=float, default=20.0, help="events/s of each (%(default)s)")
    add_duration(parser, seconds=600.0)
    add_settings(parser)


def _tracebacks(log: Path) -> tuple[int, str]:
    text = log.read_text(errors="replace")
    count = text.count(_TRACEBACK)
    return count, text[text.index(_TRACEBACK) :][:2_000] if count else ""


async def _scenario(server: Running, pid: int, log: Path, arguments: argparse.Namespace, cores: Cores) -> Outcome:
    """A first round brings memory to where a busy server has it; the second one is measured."""
    await misbehave(server, min(_FIRST_ROUND_S, arguments.seconds))
    await asyncio.sleep(_SETTLE_S)
    before = resident_bytes(pid)
    rooms = even_rooms(1, arguments.players, arguments.rate)
    playing = asyncio.create_task(asyncio.to_thread(play_on, server, rooms, arguments, cores))
    acts = await misbehave(server, arguments.seconds, seed=2)
    result = await playing
    await asyncio.sleep(_SETTLE_S)
    return Outcome(result, acts, before, resident_bytes(pid), *_tracebacks(log))


def _targets(outcome: Outcome) -> list[Target]:
    growth = outcome.after / outcome.before - 1
    sizes = f"{outcome.before / 1e6:.1f} MB, then {outcome.after / 1e6:.1f} MB ({growth:+.1%})"
    return [
        nothing_missing("playing room", outcome.result),
        Target("memory", f"back within {_GROWTH:.0%} of where it began", sizes, growth <= _GROWTH),
        Target("tracebacks in the log", "0", str(outcome.tracebacks), outcome.tracebacks == 0),
    ]


def run(arguments: argparse.Namespace) -> Report:
    cores = Cores.of(arguments)
    raise_open_files()
    with running(RHYTHMD, arguments.settings, cores.server) as server:
        assert server.pid is not None
        assert server.log is not None
        outcome = uvloop.run(_scenario(server, server.pid, server.log, arguments, cores))
    measurements = [Measurement(RHYTHMD, "beside garbage", outcome.result)]
    acts = [[name, f"{count:,}"] for name, count in sorted(outcome.acts.items())]
    return Report(
        command="garbage",
        title=f"{arguments.seconds:g} s of garbage beside a room of {arguments.players} players",
        conditions=conditions(cores, seconds=arguments.seconds, errors=outcome.result.errors or "none"),
        tables=[results_table("The playing room", measurements), Table("Garbage", ["act", "times"], acts)],
        targets=_targets(outcome),
        remarks=[*METHOD, *([outcome.traceback] if outcome.traceback else [])],
        charts=[chart_of(measurements)],
        measurements=measurements,
    )
