"""Attacks by one guest, each beside two honest players in another room: what these feel, and what the guest gets."""

import argparse
import sys
from collections.abc import Iterator
from typing import Final

from tqdm import tqdm

from bench.abuse.catalogue import ATTACKS, NOTHING
from bench.abuse.run import AFTER, ATTACK, QUIET, Outcome, Plan, growth_allowed, suffer
from bench.abuse.spec import PhaseResult
from bench.options import Cores, add_settings, conditions
from bench.report import Report, Table, Target
from bench.rows import milliseconds
from bench.system import raise_open_files

__all__ = ["HELP", "add_arguments", "bounds_of", "run", "table_of", "targets_of"]

HELP: Final = "what one guest can do to the players of another room, attack by attack"
_QUICK_S: Final = 3.0
_MOST_QUIET_S: Final = 5.0
_MIB: Final = 1 << 20
_FATES: Final = 5
_COLUMNS: Final = [
    "attack", "quiet p50", "p99", "worst", "attacked p50", "p99", "worst", "clock p99", "after worst", "lost",
    "visitors", "memory", "peak", "left", "back in", "CPU", "log", "sent", "received", "what became of it",
]  # fmt: skip
_METHOD: Final = [
    "Each attack has a server of its own, on its defaults. Two players, each from an address of its own, play to each "
    "other before, during and after it, by a timetable; a note's delay is from the moment it was due until the other "
    "one has it. They ask for the time, too. A visitor comes once a second and looks for a lobby. The attackers are a "
    "process of their own, which steps back behind the players; addresses are told by a PROXY header, so that none of "
    "them is loopback, which has no limits.",
    "Lost are notes and answers that did not come within 30 s. Memory is the server's resident memory before the "
    "attack, at its peak, and afterwards; it is back when it is at most a tenth, or 16 MiB, above where it was.",
    "The row 'nothing' is the same without an attacker, first and last: what the machine alone does. The bounds stand "
    "above the worse of the two.",
]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=float, default=30.0, help="length of each attack (%(default)s)")
    parser.add_argument("--quick", action="store_true", help=f"{_QUICK_S:g} seconds each")
    parser.add_argument("--attackers", type=int, default=1, metavar="N", help="addresses (%(default)s)")
    parser.add_argument("--rate", type=float, default=50.0, help="events/s of each player (%(default)s)")
    parser.add_argument("--only", nargs="+", choices=list(ATTACKS), metavar="NAME", help="these attacks only")
    parser.add_argument("--list", action="store_true", help="say what the attacks are, and run none")
    parser.add_argument("--check", action="store_true", help="end with 1 if an attack is over the bounds")
    parser.add_argument("--no-pin", action="store_true", help="leave the choice of cores to the system")
    add_settings(parser)


def _mebibytes(size: int) -> str:
    return f"{size / _MIB:.0f} MiB"


def _times(phase: PhaseResult) -> list[str]:
    return [milliseconds(value) for value in (phase.notes.p50, phase.notes.p99, phase.notes.max)]


def _visitors(outcome: Outcome) -> str:
    phase = outcome.players.phases[ATTACK]
    bad = sum(phase.turned_away.values())
    text = f"{phase.visit.count} of {phase.visit.count + bad} in {milliseconds(phase.visit.max)}"
    return text if not bad else f"{text}; {max(phase.turned_away, key=lambda why: phase.turned_away[why])}"


def _fates(outcome: Outcome) -> str:
    fates = sorted(outcome.attack.fates.items(), key=lambda item: -item[1])
    shown = [f"{count:,} x {name}" for name, count in fates[:_FATES]]
    return ", ".join([f"{outcome.attack.opened:,} opened", *shown])


def _row(outcome: Outcome) -> list[str]:
    phases = outcome.players.phases
    return [
        outcome.name,
        *_times(phases[QUIET]),
        *_times(phases[ATTACK]),
        milliseconds(phases[ATTACK].clock.p99),
        milliseconds(phases[AFTER].notes.max),
        f"{sum(phase.lost for phase in phases.values()):,}",
        _visitors(outcome),
        *map(_mebibytes, (outcome.before, outcome.peak, outcome.left)),
        "never" if outcome.settled is None else f"{outcome.settled:.0f} s",
        f"{outcome.cpu:.0%}",
        f"{outcome.log_bytes / 1e3:,.0f} KB",
        f"{outcome.attack.sent / 1e6:,.1f} MB",
        f"{outcome.attack.received / 1e6:,.1f} MB",
        _fates(outcome),
    ]


def table_of(outcomes: list[Outcome]) -> Table:
    """One row an attack."""
    return Table("Attacks", _COLUMNS, [_row(outcome) for outcome in outcomes])


def bounds_of(attackers: int, control: list[Outcome]) -> tuple[float, float | None]:
    """The highest p99 and the latest note (ms) that are allowed: above what the machine alone does."""
    alone = [outcome.players.phases[ATTACK].notes for outcome in control]
    p99 = max((notes.p99 for notes in alone), default=0.0)
    worst = max((notes.max for notes in alone), default=0.0)
    return (20.0 + p99, 100.0 + worst) if attackers == 1 else (50.0 + p99, None)


def targets_of(attackers: int, outcomes: list[Outcome]) -> list[Target]:
    """What must hold in each attack."""
    control = [outcome for outcome in outcomes if outcome.name == NOTHING]
    most_p99, most_worst = bounds_of(attackers, control)
    targets: list[Target] = []
    for outcome in (outcome for outcome in outcomes if outcome.name != NOTHING):
        phases = outcome.players.phases
        notes = phases[ATTACK].notes
        lost = sum(phase.lost for phase in phases.values())
        name = outcome.name
        targets.append(
            Target(f"{name}: p99", f"at most {milliseconds(most_p99)}", milliseconds(notes.p99), notes.p99 <= most_p99)
        )
        if most_worst is not None:
            latest = max(notes.max, phases[AFTER].notes.max)
            targets.append(
                Target(
                    f"{name}: latest note",
                    f"at most {milliseconds(most_worst)}",
                    milliseconds(latest),
                    latest <= most_worst,
                )
            )
        targets.append(Target(f"{name}: notes and answers lost", "0", f"{lost:,}", lost == 0))
        growth = outcome.left - outcome.before
        allowed = growth_allowed(outcome.before)
        targets.append(
            Target(f"{name}: memory left", f"at most {_mebibytes(allowed)}", _mebibytes(growth), growth <= allowed)
        )
    return targets


def _outcomes(plan: Plan, names: list[str], cores: Cores) -> Iterator[Outcome]:
    progress = tqdm([NOTHING, *names, NOTHING], desc="attacks", unit="attack", disable=None)
    for name in progress:
        outcome = suffer(name, plan, cores)
        tqdm.write("  ".join(_row(outcome)), file=sys.stderr)
        yield outcome


def run(arguments: argparse.Namespace) -> Report:
    names = [name for name in arguments.only or ATTACKS if name != NOTHING]
    if arguments.list:
        rows = [[name, ATTACKS[name].what] for name in names]
        return Report("abuse", f"{len(rows)} attacks", {}, [Table("Attacks", ["name", "what it is"], rows)])
    cores = Cores.of(arguments)
    raise_open_files()
    seconds = _QUICK_S if arguments.quick else arguments.seconds
    side = max(1.0, min(_MOST_QUIET_S, seconds / 3))
    plan = Plan(side, seconds, side, arguments.attackers, arguments.rate, arguments.settings)
    outcomes = list(_outcomes(plan, names, cores))
    return Report(
        command="abuse",
        title=f"{len(names)} attacks of {seconds:g} s from {arguments.attackers} addresses",
        conditions=conditions(cores, seconds=seconds, attackers=arguments.attackers),
        tables=[table_of(outcomes)],
        targets=targets_of(arguments.attackers, outcomes) if arguments.check else [],
        remarks=_METHOD,
    )
