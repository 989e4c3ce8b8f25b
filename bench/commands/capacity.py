"""How much a server carries: the load rises step by step until it is late or loses a note."""

import argparse
from collections.abc import Iterator
from typing import Final

from bench.load.spec import LoadResult
from bench.options import METHOD, Cores, add_duration, add_rooms, add_server, conditions, even_rooms, play_on
from bench.report import Measurement, Report, Target
from bench.rows import chart_of, milliseconds, results_table
from bench.servers import running

__all__ = ["HELP", "add_arguments", "run"]

HELP: Final = "raise the load until p99 passes a bound or a note is missing"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_rooms(parser)
    add_duration(parser, seconds=4.0)
    add_server(parser)
    parser.add_argument("--from", dest="first", type=float, default=20.0, help="events/s a player (%(default)s)")
    parser.add_argument("--factor", type=float, default=1.3, help="growth of each step (%(default)s)")
    parser.add_argument("--bound", type=float, default=20.0, help="ms that p99 must not pass (%(default)s)")
    parser.add_argument("--steps", type=int, default=20, help="steps at most (%(default)s)")


def _is_carried(result: LoadResult, bound: float) -> bool:
    latency = result.groups["all"].latency
    return not result.missing and not result.lost_connections and latency.count > 0 and latency.p99 <= bound


def _steps(arguments: argparse.Namespace, cores: Cores) -> Iterator[Measurement]:
    """One run a step, each on a server just started, up to and with the first that is not carried."""
    fan_out = arguments.rooms * arguments.players * (arguments.players - 1)
    for step in range(arguments.steps):
        rate = arguments.first * arguments.factor**step
        load = f"{rate * fan_out:,.0f} deliveries/s"
        with running(arguments.server, arguments.settings, cores.server) as server:
            rooms = even_rooms(arguments.rooms, arguments.players, rate)
            result = play_on(server, rooms, arguments, cores, load)
        print(f"{load}: p99 {milliseconds(result.groups['all'].latency.p99)}, {result.missing} missing", flush=True)
        yield Measurement(server.name, load, result)
        if not _is_carried(result, arguments.bound):
            return


def run(arguments: argparse.Namespace) -> Report:
    cores = Cores.of(arguments)
    measurements = list(_steps(arguments, cores))
    carried = [m.load for m in measurements if _is_carried(m.result, arguments.bound)]
    most = carried[-1] if carried else "nothing"
    bound = f"p99 at most {arguments.bound:g} ms, nothing missing"
    return Report(
        command="capacity",
        title=f"Capacity of {arguments.server}: {most} in {arguments.rooms} rooms x {arguments.players} players",
        conditions=conditions(cores, seconds=arguments.seconds),
        tables=[results_table("Steps", measurements)],
        targets=[Target("carries the first step", bound, most, bool(carried))],
        remarks=METHOD,
        charts=[chart_of(measurements)],
        measurements=measurements,
    )
