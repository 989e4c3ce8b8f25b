"""Musicians in one room while the network fails: nothing may stick, double or be lost."""

import argparse
import asyncio
from collections.abc import Iterator
from typing import Final

import uvloop
from msgspec import Struct
from tqdm import tqdm

from bench.faults.catalogue import FAULTS
from bench.faults.stage import Tally, perform
from bench.options import add_settings
from bench.report import Report, Table, Target
from bench.rows import milliseconds
from bench.servers import RHYTHMD, running
from bench.system import describe_machine, forget_peak, peak_resident_bytes, resident_bytes

__all__ = ["HELP", "Outcome", "add_arguments", "run", "table_of", "targets_of"]

HELP: Final = "players behind a network that stalls, resets, splits, half-closes and throttles"

_LONGEST_S: Final = 300.0
_MIB: Final = 1 << 20
_GROWTH_BYTES: Final = 4 * _MIB
_GROWTH_BYTES_PER_CLIENT: Final = _MIB // 2  # what waits to be written, limits.write_buffer_bytes, twice
_COLUMNS: Final = [
    "fault", "clients", "events", "lines", "lost control", "repeated", "stuck notes", "missing notes", "doubled notes",
    "resumed", "not resumed", "worst recovery", "memory", "peak memory",
]  # fmt: skip
_METHOD: Final = [
    "Each client plays random keys and pedals, talks, and is connected through a TCP proxy of its own. Where the fault "
    "is no property of the way it befalls half of the clients in each round. At the quiet moment after each round the "
    "keys and pedals that the players hold down are compared with what each listener believes and with what the server "
    "tells a newcomer.",
    "Lost control counts lines of chat that a client never got; repeated those that it got twice or out of order, and "
    "second answers. The time to recover is that from the fault's end (of a lost connection: from the loss, with the "
    "wait before the return that the protocol asks for) until the client had its next line back from the room.",
    "Memory is that of the server, which is a new one for each fault: before anybody connected, and at its peak.",
]


class Outcome(Struct, frozen=True):
    """A fault, what came of the music, and the server's memory (bytes) before and at its peak."""

    fault: str
    tally: Tally
    before: int
    peak: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--clients", type=int, default=6, help="players in the room (%(default)s)")
    parser.add_argument("--rounds", type=int, default=2, help="how often each fault befalls them (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of all chance (%(default)s)")
    parser.add_argument("--only", nargs="+", choices=list(FAULTS), default=list(FAULTS), help="these faults only")
    add_settings(parser)


def _mebibytes(size: int) -> str:
    return f"{size / _MIB:.1f} MiB"


def _row(outcome: Outcome) -> list[str]:
    tally = outcome.tally
    return [
        outcome.fault,
        *(f"{count:,}" for count in (tally.clients, tally.events, tally.lines, tally.lost, tally.repeated)),
        *(f"{count:,}" for count in (tally.stuck, tally.silent, tally.doubled)),
        f"{tally.returns['whole'] + tally.returns['broken']:,}",
        f"{tally.returns['lost']:,}",
        milliseconds(max(tally.recoveries) * 1e3),
        *map(_mebibytes, (outcome.before, outcome.peak)),
    ]


def table_of(outcomes: list[Outcome]) -> Table:
    """One row a fault."""
    return Table("Faults", _COLUMNS, [_row(outcome) for outcome in outcomes])


def _zero(what: str, count: int) -> Target:
    return Target(what, "0", f"{count:,}", count == 0)


def targets_of(outcomes: list[Outcome]) -> list[Target]:
    """What may not happen under any fault."""
    tallies = [outcome.tally for outcome in outcomes]
    growth = max(outcome.peak - outcome.before for outcome in outcomes)
    most = _GROWTH_BYTES + _GROWTH_BYTES_PER_CLIENT * max(tally.clients for tally in tallies)
    return [
        _zero("control messages lost", sum(tally.lost for tally in tallies)),
        _zero("control messages repeated or out of order", sum(tally.repeated for tally in tallies)),
        _zero("stuck notes", sum(tally.stuck for tally in tallies)),
        _zero("missing notes", sum(tally.silent for tally in tallies)),
        _zero("doubled notes", sum(tally.doubled for tally in tallies)),
        _zero("sessions that did not resume", sum(tally.returns["lost"] for tally in tallies)),
        Target("growth of the server's memory", f"at most {_mebibytes(most)}", _mebibytes(growth), growth <= most),
    ]


def _outcomes(arguments: argparse.Namespace) -> Iterator[Outcome]:
    for name in tqdm(arguments.only, desc="faults", unit="fault", disable=None):
        with running(RHYTHMD, arguments.settings) as server:
            assert server.pid is not None
            before = resident_bytes(server.pid)
            forget_peak(server.pid)  # that of its start
            performance = perform(server.port, FAULTS[name], arguments.clients, arguments.rounds, arguments.seed)
            tally = uvloop.run(asyncio.wait_for(performance, _LONGEST_S))
            yield Outcome(name, tally, before, peak_resident_bytes(server.pid))


def run(arguments: argparse.Namespace) -> Report:
    outcomes = list(_outcomes(arguments))
    refusals = sum((outcome.tally.refusals for outcome in outcomes), start=type(outcomes[0].tally.refusals)())
    return Report(
        command="faults",
        title=f"{arguments.clients} players behind a network that fails",
        conditions={**describe_machine(), "rounds": str(arguments.rounds), "seed": str(arguments.seed)},
        tables=[table_of(outcomes)],
        targets=targets_of(outcomes),
        remarks=[*_METHOD, f"Errors that the server sent unasked: {dict(refusals) or 'none'}."],
    )
