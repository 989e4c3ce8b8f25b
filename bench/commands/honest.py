"""Honest players who want much: no limit may hinder them, on a server on its defaults."""

import argparse
import sys
from collections.abc import Iterator
from typing import Final

from tqdm import tqdm

from bench.honest.catalogue import LOADS
from bench.honest.margins import LIMITS, LOOP
from bench.honest.run import Outcome, go_well
from bench.metrics import nobody_hindered
from bench.options import Cores, add_settings, conditions
from bench.report import Report, Table, Target
from bench.rows import milliseconds
from bench.system import ahead, raise_open_files

__all__ = ["HELP", "add_arguments", "margins_of", "run", "table_of", "targets_of"]

HELP: Final = "players who want much, and whom no limit may hinder"
_COLUMNS: Final = [
    "load", "people", "events due", "arrived", "p50", "p99", "worst", "sent late p99", "refused, slowed, closed",
    "what people were refused",
]  # fmt: skip
_METHOD: Final = [
    "Each load has a server of its own, on its defaults. Addresses are told by a PROXY header, so that nobody is "
    "loopback, which has no limits of a network. A delay is from the moment a message was due until a listener had it.",
    "The server's own counts of what it refused, slowed and closed must be empty, and every event must arrive.",
    "The second table has what was used of each limit at the worst moment, by the client, room or network that used "
    "most of it; at 100 % something would be refused, or wait. It comes from what was sent, when, by the same rules. "
    "Connections are sockets, and requests under way: idle ones make room. "
    "The loop's column has all of the server's processor time in a second, shared among the networks that did "
    "something in it, and is so an upper bound. Over 100 % others go first, if there are any who wait; whoever waits "
    "for 50 ms is counted as slowed.",
    f"The limits: {', '.join(f'{name}: {key}' for name, key in LIMITS.items())}.",
]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=float, default=10.0, help="of music in each load (%(default)s)")
    parser.add_argument("--only", nargs="+", choices=list(LOADS), metavar="NAME", help="these loads only")
    parser.add_argument("--list", action="store_true", help="say what the loads are, and run none")
    parser.add_argument("--no-pin", action="store_true", help="leave the choice of cores to the system")
    add_settings(parser)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} x {name}" for name, count in counts.items()) or "-"


def _row(outcome: Outcome) -> list[str]:
    delays = outcome.delays
    return [
        outcome.name,
        f"{outcome.people}",
        f"{outcome.expected:,}",
        f"{outcome.arrived:,}",
        *(milliseconds(value) for value in (delays.p50, delays.p99, delays.max, outcome.lateness.p99)),
        _counts(outcome.hindrances),
        _counts(outcome.refused),
    ]


def table_of(outcomes: list[Outcome]) -> Table:
    """One row a load."""
    return Table("Loads", _COLUMNS, [_row(outcome) for outcome in outcomes])


def _nearest(outcome: Outcome) -> tuple[float, str]:
    """The limit of which most was used, and how much. The loop's time is none that anything is refused by."""
    return max((part, limit) for limit, part in outcome.used.items() if limit != LOOP)


def margins_of(outcomes: list[Outcome]) -> Table:
    """What was used of each limit, one row a load."""
    rows = []
    for outcome in outcomes:
        part, limit = _nearest(outcome)
        parts = (outcome.used[name] for name in LIMITS)
        rows.append([outcome.name, f"{limit} {part:.0%}", *(f"{part:.0%}" if part else "-" for part in parts)])
    return Table("What was used of the limits", ["load", "nearest limit", *LIMITS], rows)


def targets_of(outcome: Outcome) -> list[Target]:
    """What must hold in each load."""
    part, limit = _nearest(outcome)
    return [
        nobody_hindered(outcome.name, outcome.hindrances | outcome.refused),
        Target(
            f"{outcome.name}: events that arrive",
            f"{outcome.expected:,}",
            f"{outcome.arrived:,}",
            outcome.arrived == outcome.expected,
        ),
        Target(f"{outcome.name}: nearest limit", "less than 100 %", f"{limit} {part:.0%}", part < 1),
    ]


def _found(arguments: argparse.Namespace, names: list[str], cores: Cores) -> Iterator[Outcome | Target]:
    """What came of each load, or, where it could not go on, that it did not hold."""
    for name in tqdm(names, desc="loads", unit="load", disable=None):
        try:
            outcome = go_well(name, arguments.seconds, cores, arguments.settings)
        except (RuntimeError, OSError, ExceptionGroup) as failure:
            yield Target(f"{name}: the run", "comes to its end", str(failure), held=False)
        else:
            tqdm.write("  ".join(_row(outcome)), file=sys.stderr)
            yield outcome


def run(arguments: argparse.Namespace) -> Report:
    names = arguments.only or list(LOADS)
    if arguments.list:
        rows = [[name, LOADS[name].what] for name in names]
        return Report("honest", f"{len(rows)} loads", {}, [Table("Loads", ["name", "what it is"], rows)])
    cores = Cores.of(arguments)
    raise_open_files()
    with ahead():
        found = list(_found(arguments, names, cores))
    outcomes = [outcome for outcome in found if isinstance(outcome, Outcome)]
    failures = [failure for failure in found if isinstance(failure, Target)]
    return Report(
        command="honest",
        title=f"{len(names)} loads of honest players",
        conditions=conditions(cores, seconds=arguments.seconds),
        tables=[table_of(outcomes), margins_of(outcomes)],
        targets=failures + [target for outcome in outcomes for target in targets_of(outcome)],
        remarks=_METHOD,
    )
