"""One concert of thousands of listeners beside small rooms: what the small rooms feel of it."""

import argparse
from typing import Final

from bench.load.spec import RoomLoad
from bench.options import METHOD, Cores, add_duration, add_settings, conditions, even_rooms, nothing_missing, play_on
from bench.report import Measurement, Report, Target
from bench.rows import chart_of, milliseconds, results_table
from bench.servers import RHYTHMD, running
from bench.system import raise_open_files

__all__ = ["HELP", "add_arguments", "run"]

HELP: Final = "a room of 5,000 listeners beside small rooms"
_BOUND_MS: Final = 20.0
_SMALL: Final = "small"
_SPARE: Final = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--listeners", type=int, default=5_000, help="listeners of the concert (%(default)s)")
    parser.add_argument("--soloists", type=int, default=1, help="who plays there (%(default)s)")
    parser.add_argument("--solo-rate", type=float, default=10.0, help="events/s of each of them (%(default)s)")
    parser.add_argument("--rooms", type=int, default=10, help="small rooms (%(default)s)")
    parser.add_argument("--players", type=int, default=16, help="players in each small room (%(default)s)")
    parser.add_argument("--rate", type=float, default=10.0, help="events/s of each of those (%(default)s)")
    add_duration(parser, seconds=10.0)
    add_settings(parser)


def _rooms(arguments: argparse.Namespace) -> list[RoomLoad]:
    concert = RoomLoad("concert", arguments.soloists, arguments.solo_rate, arguments.listeners, group="concert")
    return [concert, *even_rooms(arguments.rooms, arguments.players, arguments.rate, _SMALL)]


def run(arguments: argparse.Namespace) -> Report:
    cores = Cores.of(arguments)
    raise_open_files()
    rooms = _rooms(arguments)
    members = sum(room.members for room in rooms)
    settings = [
        f"rooms.max_players={rooms[0].members}",
        f"limits.connections={members + _SPARE}",
        *arguments.settings,
    ]
    with running(RHYTHMD, settings, cores.server) as server:
        result = play_on(server, rooms, arguments, cores)
    measurements = [Measurement(server.name, "concert and small rooms", result)]
    p99 = result.groups[_SMALL].latency.p99
    return Report(
        command="concert",
        title=f"{arguments.listeners:,} listeners beside {arguments.rooms} rooms x {arguments.players} players",
        conditions=conditions(cores, seconds=f"{result.window:.1f}", errors=result.errors or "none"),
        tables=[results_table("Deliveries", measurements)],
        targets=[
            Target("small rooms' p99", f"under {_BOUND_MS:g} ms", milliseconds(p99), p99 < _BOUND_MS),
            nothing_missing("all rooms", result),
        ],
        remarks=METHOD,
        charts=[chart_of(measurements)],
        measurements=measurements,
    )
