"""How long notes take from the moment they are due to each listener, at one load or with real music."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.load.spec import LoadResult, RoomLoad
from bench.options import (
    METHOD,
    Cores,
    add_duration,
    add_rooms,
    add_server,
    conditions,
    even_rooms,
    nothing_missing,
    play_on,
)
from bench.report import Measurement, Points, Report, Table
from bench.rows import chart_of, milliseconds, results_table
from bench.servers import Running, remote, running
from bench.statistics import Summary

__all__ = ["HELP", "add_arguments", "run"]

HELP: Final = "latencies at one load, or of real music"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_rooms(parser)
    add_duration(parser, seconds=10.0)
    add_server(parser)
    parser.add_argument("--rate", type=float, default=10.0, help="events a second of each player (%(default)s)")
    parser.add_argument("--midi", type=Path, metavar="FILE", help="play this file's parts, at its own pace")
    parser.add_argument("--url", help="measure the rhythmd at http://HOST:PORT instead of starting one")


def _rooms(arguments: argparse.Namespace) -> list[RoomLoad]:
    rooms = even_rooms(arguments.rooms, arguments.players, arguments.rate)
    if arguments.midi is None:
        return rooms
    return [RoomLoad(room.name, room.players, room.rate, midi=str(arguments.midi.resolve())) for room in rooms]


@contextmanager
def _server(arguments: argparse.Namespace, cores: Cores) -> Iterator[Running]:
    if arguments.url:
        yield remote(arguments.url)
    else:
        with running(arguments.server, arguments.settings, cores.server) as server:
            yield server


def _score_table(error: Summary) -> Table:
    row = [f"{error.count:,}", *(milliseconds(value) for value in (error.p50, error.p99, error.max))]
    return Table(
        "Timing error at the listeners against the score, each listener's median delay taken off",
        ["notes on and off, all listeners", "p50", "p99", "max"],
        [row],
    )


def _score_points(result: LoadResult) -> list[Points]:
    due = [note.due for note in result.notes]
    return [
        Points("Worst timing error of each press and release", due, [note.error for note in result.notes]),
        Points("Worst delay of each press and release", due, [note.delay for note in result.notes]),
    ]


def run(arguments: argparse.Namespace) -> Report:
    cores = Cores.of(arguments)
    with _server(arguments, cores) as server:
        result = play_on(server, _rooms(arguments), arguments, cores)
    load = arguments.midi.name if arguments.midi else f"{arguments.rate:g} events/s a player"
    measurements = [Measurement(server.name, load, result)]
    error = result.note_error
    return Report(
        command="latency",
        title=f"Latency of {server.name}, {arguments.rooms} x {arguments.players} players, {load}",
        conditions=conditions(cores, seconds=f"{result.window:.1f}", errors=result.errors or "none"),
        tables=[results_table("Deliveries", measurements), *([_score_table(error)] if error else [])],
        targets=[nothing_missing(load, result)],
        remarks=METHOD,
        charts=[chart_of(measurements)],
        points=_score_points(result) if error else [],
        measurements=measurements,
    )
