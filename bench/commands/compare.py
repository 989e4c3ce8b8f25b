"""The same load, in turn and in one run, on rhythmd and on relays written the usual way."""

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from math import nan
from pathlib import Path
from statistics import median
from typing import Final

from tqdm import tqdm

from bench.baseline import checkout
from bench.load.spec import LoadResult
from bench.metrics import hindered, nobody_hindered
from bench.options import METHOD, Cores, add_duration, add_rooms, add_settings, conditions, even_rooms, play_on
from bench.peers import PEERS, PeerMissing
from bench.report import Chart, Curve, Measurement, Report, Table, Target
from bench.rows import milliseconds
from bench.servers import RHYTHMD, earlier, is_rhythmd, running, title_of

__all__ = ["HELP", "Comparison", "add_arguments", "cost_table", "run", "targets_of"]

HELP: Final = "CPU and latency beside websockets, aiohttp, Node ws and Bun"

_LOADS: Final = (24_000, 96_000, 240_000)
_COST_BOUNDS: Final = ((24_000, "websockets", 0.7), (24_000, "node", 0.85), (24_000, "bun", 1.35), (96_000, "bun", 1.0))
_GROWTH_BOUND: Final = 1.10
_P99_BELOW: Final = (96_000, "node")
_LOSSLESS: Final = (96_000, 240_000)
_HELD_SHARE: Final = 0.99  # of the offered deliveries must arrive within the window, or a queue is growing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_rooms(parser)
    add_duration(parser, seconds=5.0)
    parser.set_defaults(warmup=2.0)  # for the compilers of Node and Bun
    parser.add_argument("--loads", type=int, nargs="+", default=_LOADS, help="deliveries a second, each in turn")
    parser.add_argument("--rounds", type=int, default=3, help="times through everything (%(default)s)")
    parser.add_argument("--peers", nargs="*", choices=list(PEERS), default=list(PEERS), help="whom to compare with")
    parser.add_argument("--baseline", metavar="COMMIT", help="compare with rhythmd at this commit too")
    add_settings(parser)


@dataclass
class Comparison:
    """Results by load (deliveries/s) and server, one a round, rounds in the same order everywhere.

    `hindrances` are whom rhythmd refused, slowed or closed in all of them.
    """

    results: dict[tuple[int, str], list[LoadResult]] = field(default_factory=dict)
    hindrances: Counter[str] = field(default_factory=Counter)

    def add(self, load: int, server: str, result: LoadResult) -> None:
        self.results.setdefault((load, server), []).append(result)

    def of(self, load: int, server: str) -> list[LoadResult]:
        return self.results.get((load, server), [])

    @property
    def loads(self) -> list[int]:
        return sorted({load for load, _ in self.results})

    @property
    def servers(self) -> list[str]:
        return list(dict.fromkeys(server for _, server in self.results))

    def costs(self, load: int, server: str) -> list[float]:
        """Server CPU a delivery in microseconds, each round; not a number where nothing was delivered."""
        costs = [result.cpu_per_delivery_us for result in self.of(load, server)]
        return [nan if cost is None else cost for cost in costs]

    def p99(self, load: int, server: str) -> list[float]:
        return [result.groups["all"].latency.p99 for result in self.of(load, server)]

    def cost_ratio(self, load: int, peer: str) -> float:
        """rhythmd's CPU a delivery over the peer's: the median of the rounds' ratios."""
        return _median_ratio(self.costs(load, RHYTHMD), self.costs(load, peer))


def _median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    return median(mine / other for mine, other in zip(ours, theirs, strict=True))


def _usable(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The peers that can run here, and why the others cannot."""
    usable, reasons = [], []
    for name in names:
        try:
            PEERS[name].prepare()
        except PeerMissing as missing:
            reasons.append(str(missing))
        else:
            usable.append(name)
    return usable, reasons


def _row(comparison: Comparison, load: int, server: str) -> list[str]:
    results = comparison.of(load, server)
    costs = comparison.costs(load, server)
    latencies = [result.groups["all"].latency for result in results]
    ratio = "" if server == RHYTHMD else f"{comparison.cost_ratio(load, server):.2f}"
    return [
        title_of(server),
        f"{median(costs):.2f} us ({min(costs):.2f}-{max(costs):.2f})",
        ratio,
        milliseconds(median(latency.p50 for latency in latencies)),
        milliseconds(median(latency.p99 for latency in latencies)),
        milliseconds(max(latency.max for latency in latencies)),
        f"{sum(result.missing for result in results):,}",
        f"{median(result.delivered_in_window / result.window for result in results):,.0f}",
        f"{median(result.load_cpu for result in results) * 100:.0f} %",
        milliseconds(median(result.lateness.p99 for result in results)),
        f"{max(result.other_cpu for result in results) * 100:.0f} %",
    ]


def cost_table(comparison: Comparison, load: int) -> Table:
    """One row a server; medians of the rounds, except the longest latency and the loss, which are of all rounds."""
    columns = [
        "server", "CPU/delivery (range)", "rhythmd/this", "p50", "p99", "max", "missing", "deliveries/s", "load CPU",
        "load late p99", "other CPU",
    ]  # fmt: skip
    rows = [_row(comparison, load, server) for server in comparison.servers if comparison.of(load, server)]
    return Table(f"{load:,} deliveries/s", columns, rows)


def _cost_targets(comparison: Comparison) -> Iterator[Target]:
    for load, peer, bound in _COST_BOUNDS:
        if comparison.of(load, peer):
            ratio = comparison.cost_ratio(load, peer)
            what = f"{load:,}/s: CPU a delivery over that of {title_of(peer)}"
            yield Target(what, f"at most {bound:.2f}", f"{ratio:.2f}", ratio <= bound)


def _growth_targets(comparison: Comparison) -> Iterator[Target]:
    """Beside an earlier rhythmd, at each load."""
    for server in comparison.servers:
        if server != RHYTHMD and is_rhythmd(server):
            for load in comparison.loads:
                ratio = comparison.cost_ratio(load, server)
                what = f"{load:,}/s: CPU a delivery over that of {title_of(server)}"
                yield Target(what, f"at most {_GROWTH_BOUND:.2f}", f"{ratio:.2f}", ratio <= _GROWTH_BOUND)


def _p99_target(comparison: Comparison) -> Iterator[Target]:
    load, peer = _P99_BELOW
    if comparison.of(load, peer):
        ours, theirs = median(comparison.p99(load, RHYTHMD)), median(comparison.p99(load, peer))
        what = f"{load:,}/s: p99 beside {title_of(peer)}"
        yield Target(what, f"below {milliseconds(theirs)}", milliseconds(ours), ours < theirs)


def _loss_targets(comparison: Comparison) -> Iterator[Target]:
    for load in _LOSSLESS:
        if results := comparison.of(load, RHYTHMD):
            missing = sum(result.missing for result in results)
            share = min(result.delivered_in_window / (load * result.window) for result in results)
            held = missing == 0 and share >= _HELD_SHARE
            bound = f"nothing missing, {_HELD_SHARE:.0%} delivered within the window"
            yield Target(f"{load:,}/s: held", bound, f"{missing:,} missing, {share:.1%} delivered", held)


def targets_of(comparison: Comparison) -> list[Target]:
    """What rhythmd must reach, as far as this comparison has the loads and peers for it."""
    return [
        *_cost_targets(comparison),
        *_growth_targets(comparison),
        *_p99_target(comparison),
        *_loss_targets(comparison),
    ]


def _play_all(arguments: argparse.Namespace, cores: Cores, servers: list[str], baseline: Path | None) -> Comparison:
    comparison = Comparison()
    fan_out = arguments.rooms * arguments.players * (arguments.players - 1)
    turns = [(load, server) for _ in range(arguments.rounds) for load in arguments.loads for server in servers]
    for load, name in tqdm(turns, desc="compare", unit="run", disable=None):
        rooms = even_rooms(arguments.rooms, arguments.players, load / fan_out)
        settings = arguments.settings if is_rhythmd(name) else ()
        source = baseline if is_rhythmd(name) and name != RHYTHMD else None
        with running(name, settings, cores.server, source) as server:
            result = play_on(server, rooms, arguments, cores, f"{name} {load:,}/s")
            if name == RHYTHMD:
                comparison.hindrances.update(hindered(server, result.lateness.p99))
        comparison.add(load, name, result)
    return comparison


def _chart(comparison: Comparison, load: int) -> Chart:
    """The last round's distributions."""
    last = [(server, comparison.of(load, server)[-1]) for server in comparison.servers if comparison.of(load, server)]
    curves = [Curve(title_of(server), result.groups["all"].latency.quantiles) for server, result in last]
    return Chart(f"Latency at {load:,} deliveries/s", curves)


def run(arguments: argparse.Namespace) -> Report:
    cores = Cores.of(arguments)
    peers, reasons = _usable(arguments.peers)
    revision = arguments.baseline
    servers = [RHYTHMD, *([earlier(revision)] if revision else []), *peers]
    with checkout(revision) if revision else nullcontext() as baseline:
        comparison = _play_all(arguments, cores, servers, baseline)
    measurements = [
        Measurement(server, f"{load:,}/s, round {number}", result)
        for (load, server), results in comparison.results.items()
        for number, result in enumerate(results, 1)
    ]
    return Report(
        command="compare",
        title=f"rhythmd beside others: {arguments.rooms} rooms x {arguments.players} players",
        conditions=conditions(cores, rounds=arguments.rounds, seconds=arguments.seconds, warmup=arguments.warmup),
        tables=[cost_table(comparison, load) for load in comparison.loads],
        targets=[*targets_of(comparison), nobody_hindered("all loads", comparison.hindrances)],
        remarks=[*reasons, *METHOD, "The relays validate nothing and limit nothing."],
        charts=[_chart(comparison, load) for load in comparison.loads],
        measurements=measurements,
    )
