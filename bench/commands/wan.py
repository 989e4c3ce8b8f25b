"""A chorale whose four players and whose listener are all far away: does it sound in time?"""

import argparse
import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Final, NoReturn

import numpy as np
import uvloop
from numpy.typing import NDArray

from bench.faults.ensemble import Heard, Performance, perform_score
from bench.faults.link import wan
from bench.faults.proxy import open_proxy
from bench.netem import again_behind, is_allowed
from bench.options import add_settings
from bench.report import Points, Report, Table, Target
from bench.rows import milliseconds
from bench.score import read_parts
from bench.servers import RHYTHMD, running
from bench.system import describe_machine

__all__ = ["HELP", "add_arguments", "rhythm_errors_ms", "run", "score_errors_ms"]

HELP: Final = "a chorale over 1 Mbit/s, 200 ms and 2 % loss, with and without the playout delay"

_CHORALE: Final = Path(__file__).parents[1] / "data" / "bach-chorale-bwv269.mid"
_IN_TIME_MS: Final = 20.0
_LONGEST_S: Final = 300.0
_PROXY: Final = "proxy"
_NETEM: Final = "netem"
_WAYS: Final = {
    _PROXY: "The bad network is a TCP proxy for each client: a lost segment comes a retransmission timeout later "
    "(round trip and 200 ms), and what is behind it waits.",
    _NETEM: "The bad network is the kernel's (tc netem on the loopback of a network namespace): all clients share its "
    "rate, acknowledgements are lost too, and the chance is the kernel's own.",
}
_METHOD: Final = [
    "Each part of the score is played by a client of its own and heard by one more. All of them learn the server's "
    "clock over the bad connections and report how late notes come in, from which the server chooses the room's "
    "playout delay. Both rows are of the same performance.",
    "Rhythm: by how much the time between two onsets that follow each other in the score is longer or shorter at the "
    "listener, chords included. Score: by how much an onset is off the score, with the median delay taken off; in the "
    "second row also the playout delay in force, which all listeners of the room share.",
]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--midi", type=Path, default=_CHORALE, metavar="FILE", help="what is played (%(default)s)")
    parser.add_argument("--mbits", type=float, default=1.0, help="Mbit/s of each connection, each way (%(default)s)")
    parser.add_argument(
        "--round-trip", type=float, default=200.0, metavar="MS", help="half of it each way (%(default)s)"
    )
    parser.add_argument("--loss", type=float, default=2.0, metavar="PERCENT", help="of the segments (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="which segments are lost (%(default)s)")
    parser.add_argument("--through", choices=[_PROXY, _NETEM], help="the proxy, unless tc netem is allowed here")
    add_settings(parser)


async def _perform(arguments: argparse.Namespace, port: int) -> Performance:
    parts = read_parts(arguments.midi)
    async with AsyncExitStack() as stack, asyncio.timeout(_LONGEST_S):
        ports = [port] * (len(parts) + 1)
        if arguments.through == _PROXY:
            ports = [await _proxy(stack, arguments, port, number) for number in range(len(parts) + 1)]
        return await perform_score(parts, [f"ws://127.0.0.1:{port}" for port in ports])


async def _proxy(stack: AsyncExitStack, arguments: argparse.Namespace, port: int, number: int) -> int:
    """The port of a client's own bad way to the server."""
    way = wan(arguments.mbits * 1e6, arguments.round_trip / 1e3, arguments.loss / 100)
    proxy = await stack.enter_async_context(open_proxy(port, Random(f"{arguments.seed} {number}")))
    proxy.apply(way, way)
    return proxy.port


def _go_behind_netem(arguments: argparse.Namespace) -> NoReturn:
    delay = f"{arguments.round_trip / 2:g}ms"
    netem = ["delay", delay, "loss", f"{arguments.loss:g}%", "rate", f"{arguments.mbits:g}mbit", "limit", "10000"]
    again_behind(netem, ["--through", _NETEM])


def rhythm_errors_ms(due: list[float], at: list[float]) -> NDArray[np.float64]:
    """How wrong each time between two onsets is. `due` (s, ascending) is the score, `at` (s) what was heard."""
    errors: NDArray[np.float64] = np.abs(np.diff(at) - np.diff(due)) * 1e3
    return errors


def score_errors_ms(due: list[float], at: list[float]) -> NDArray[np.float64]:
    """How far each onset is from the score moved by the median delay (both in s)."""
    delays = np.array(at) - np.array(due)
    errors: NDArray[np.float64] = np.abs(delays - np.median(delays)) * 1e3
    return errors


def _row(name: str, rhythm: NDArray[np.float64], score: NDArray[np.float64]) -> list[str]:
    quantiles = [np.quantile(errors, (0.5, 0.95, 0.99, 1.0), method="inverted_cdf") for errors in (rhythm, score)]
    return [name, *(milliseconds(float(value)) for values in quantiles for value in values)]


def _table(heard: list[Heard]) -> Table:
    due, arrived = [note.due for note in heard], [note.arrived for note in heard]
    sounded, shared = [note.sounded for note in heard], [note.sounded - note.delay for note in heard]
    levels = ("p50", "p95", "p99", "max")
    return Table(
        f"Timing error of {len(heard)} onsets at the listener",
        ["played", *(f"rhythm {level}" for level in levels), *(f"score {level}" for level in levels)],
        [
            _row("on arrival", rhythm_errors_ms(due, arrived), score_errors_ms(due, arrived)),
            _row("with the playout delay", rhythm_errors_ms(due, sounded), score_errors_ms(due, shared)),
        ],
    )


def _targets(performance: Performance) -> list[Target]:
    heard = performance.heard
    errors = rhythm_errors_ms([note.due for note in heard], [note.sounded for note in heard])
    p95 = float(np.quantile(errors, 0.95, method="inverted_cdf"))
    all_heard = len(heard) == performance.presses
    return [
        Target("onsets heard", f"{performance.presses}", f"{len(heard)}", all_heard),
        Target(
            "rhythm with the playout delay, p95", f"at most {_IN_TIME_MS:g} ms", milliseconds(p95), p95 <= _IN_TIME_MS
        ),
    ]


def _points(heard: list[Heard]) -> list[Points]:
    due = [note.due for note in heard]
    return [
        Points("Delay of each onset, played on arrival", due, [(note.arrived - note.due) * 1e3 for note in heard]),
        Points("Delay of each onset, with the playout delay", due, [(note.sounded - note.due) * 1e3 for note in heard]),
    ]


def run(arguments: argparse.Namespace) -> Report:
    if arguments.through is None and is_allowed():
        _go_behind_netem(arguments)
    arguments.through = arguments.through or _PROXY
    with running(RHYTHMD, arguments.settings) as server:
        performance = uvloop.run(_perform(arguments, server.port))
    way = f"{arguments.mbits:g} Mbit/s, {arguments.round_trip:g} ms round trip, {arguments.loss:g} % loss"
    delays = " -> ".join(f"{delay} ms" for delay in performance.delays_ms)
    return Report(
        command="wan",
        title=f"{arguments.midi.stem} over {way}",
        conditions={**describe_machine(), "seed": str(arguments.seed), "playout delay": delays},
        tables=[_table(performance.heard)],
        targets=_targets(performance),
        remarks=[_WAYS[arguments.through], *_METHOD],
        points=_points(performance.heard),
    )
