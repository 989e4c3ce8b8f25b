"""One concert of thousands of listeners beside small rooms: what the small rooms feel of it.

The concert's load is a process apart from that of the small rooms: reading thousands of sockets for each note would
delay their readings, and the load would measure itself. On the core that they share it steps back for the same reason.
"""

import argparse
from typing import Final

from msgspec.structs import replace

from bench.load.process import run_loads
from bench.load.spec import RoomLoad
from bench.metrics import hindered, nobody_hindered
from bench.options import METHOD, Cores, add_duration, add_settings, conditions, even_rooms, nothing_missing, spec_for
from bench.report import Measurement, Report, Target
from bench.rows import chart_of, milliseconds, results_table
from bench.servers import RHYTHMD, running
from bench.system import raise_open_files

__all__ = ["HELP", "add_arguments", "run"]

HELP: Final = "a room of 5,000 listeners beside small rooms"
_BOUND_MS: Final = 20.0
_SMALL: Final = "small"
_SPARE: Final = 100
_STEP_BACK: Final = 10
_SHARED_CPU: Final = (
    "The concert and the small rooms are two load processes on one core. Server CPU is that of both; divided by the "
    "deliveries of one of them it says little."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--listeners", type=int, default=5_000, help="listeners of the concert (%(default)s)")
    parser.add_argument("--soloists", type=int, default=1, help="who plays there (%(default)s)")
    parser.add_argument("--solo-rate", type=float, default=10.0, help="events/s of each of them (%(default)s)")
    parser.add_argument("--rooms", type=int, default=10, help="small rooms (%(default)s)")
    parser.add_argument("--players", type=int, default=16, help="players in each small room (%(default)s)")
    parser.add_argument("--rate", type=float, default=10.0, help="events/s of each of those (%(default)s)")
    add_duration(parser, seconds=10.0)
    add_settings(parser)


def _play(
    arguments: argparse.Namespace, cores: Cores, concert: RoomLoad, small: list[RoomLoad]
) -> tuple[list[Measurement], dict[str, int]]:
    """Both loads, and whom the server hindered."""
    members = concert.members + sum(room.members for room in small)
    settings = [f"rooms.max_players={concert.members}", f"limits.connections={members + _SPARE}", *arguments.settings]
    with running(RHYTHMD, settings, cores.server) as server:
        crowd = replace(spec_for(server, [concert], arguments, "concert"), nice=_STEP_BACK)
        specs = [crowd, spec_for(server, small, arguments, _SMALL)]
        results = run_loads(specs, cores.load)
        hindrances = hindered(server, max(result.lateness.p99 for result in results))
    measurements = [Measurement(server.name, spec.label, result) for spec, result in zip(specs, results, strict=True)]
    return measurements, hindrances


def run(arguments: argparse.Namespace) -> Report:
    cores = Cores.of(arguments)
    raise_open_files()
    concert = RoomLoad("concert", arguments.soloists, arguments.solo_rate, arguments.listeners, group="concert")
    small = even_rooms(arguments.rooms, arguments.players, arguments.rate, _SMALL)
    measurements, hindrances = _play(arguments, cores, concert, small)
    p99 = measurements[1].result.groups[_SMALL].latency.p99
    return Report(
        command="concert",
        title=f"{arguments.listeners:,} listeners beside {arguments.rooms} rooms x {arguments.players} players",
        conditions=conditions(cores, seconds=arguments.seconds),
        tables=[results_table("Deliveries", measurements)],
        targets=[
            Target("small rooms' p99", f"under {_BOUND_MS:g} ms", milliseconds(p99), p99 < _BOUND_MS),
            *(nothing_missing(measured.load, measured.result) for measured in measurements),
            nobody_hindered("both", hindrances),
        ],
        remarks=[*METHOD, _SHARED_CPU],
        charts=[chart_of(measurements)],
        measurements=measurements,
    )
