"""Attacks by one guest, each beside two honest players in another room: what these feel, and what the guest gets."""

import argparse
import sys
from collections.abc import Iterator
from typing import Final

from msgspec import Struct
from tqdm import tqdm

from bench.abuse.catalogue import ATTACKS, NOTHING
from bench.abuse.run import AFTER, ATTACK, QUIET, Outcome, Plan, growth_allowed, suffer
from bench.abuse.spec import PhaseResult
from bench.options import Cores, add_settings, conditions
from bench.report import Report, Table, Target
from bench.rows import milliseconds
from bench.system import ahead, interruptible, raise_open_files

__all__ = ["HELP", "Bounds", "add_arguments", "bounds_of", "excess", "run", "table_of", "targets_of", "verdict"]

HELP: Final = "what one guest can do to the players of another room, attack by attack"
_QUICK_S: Final = 3.0
_P99_MS: Final = 20.0
_LATEST_MS: Final = 100.0
_P99_OF_MANY_MS: Final = 50.0
_MOST_QUIET_S: Final = 5.0
_MIB: Final = 1 << 20
_FATES: Final = 5
_COLUMNS: Final = [
    "attack", "quiet p50", "p99", "worst", "attacked p50", "p99", "worst", "clock p99", "after worst", "lost",
    "visitors", "over", "memory", "peak", "left", "back in", "CPU", "attackers' CPU", "log", "disk", "sent", "received",
    "what became of it",
]  # fmt: skip
_METHOD: Final = [
    "Each attack has a server of its own, on its defaults. Two players, each from an address of its own, play to each "
    "other before, during and after it, by a timetable; a note's delay is from the moment it was due until the other "
    "one has it. They ask for the time, too. A visitor comes once a second and looks for a lobby; where accounts or "
    "recordings are attacked it logs in or records instead. The attackers are a process of their own, behind the "
    "players; addresses are told by a PROXY header, so that none of "
    "them is loopback, which has no limits.",
    "Lost are notes and answers that did not come within 30 s. Memory is the server's resident memory before the "
    "attack and afterwards, without pages of mapped files, which are the kernel's to take back, and at its peak with "
    "them; it is back when it is at most a tenth, or 16 MiB, above where it was.",
    "The row 'nothing' is the same without an attacker, first and last: what the machine alone does. The bounds stand "
    "above the worse of the two.",
]


def _mebibytes(size: int) -> str:
    return f"{size / _MIB:.0f} MiB"


class Bounds(Struct, frozen=True):
    """The highest p99 and the latest note (ms) that are allowed; None is no bound."""

    p99: float
    latest: float | None

    def __str__(self) -> str:
        latest = "" if self.latest is None else f", latest note {milliseconds(self.latest)}"
        return f"p99 {milliseconds(self.p99)}{latest}, nothing lost, no visitor turned away, memory back"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=float, default=30.0, help="length of each attack (%(default)s)")
    parser.add_argument("--quick", action="store_true", help=f"{_QUICK_S:g} seconds each")
    parser.add_argument("--attackers", type=int, default=1, metavar="N", help="addresses (%(default)s)")
    parser.add_argument("--rate", type=float, default=50.0, help="events/s of each player (%(default)s)")
    some = parser.add_mutually_exclusive_group()
    some.add_argument("--only", nargs="+", choices=list(ATTACKS), metavar="NAME", help="these attacks only")
    some.add_argument("--from", dest="first", choices=list(ATTACKS), metavar="NAME", help="this one and those after it")
    parser.add_argument("--list", action="store_true", help="say what the attacks are, and run none")
    parser.add_argument("--no-pin", action="store_true", help="leave the choice of cores to the system")
    add_settings(parser)


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


def _row(outcome: Outcome, bounds: Bounds) -> list[str]:
    phases = outcome.players.phases
    return [
        outcome.name,
        *_times(phases[QUIET]),
        *_times(phases[ATTACK]),
        milliseconds(phases[ATTACK].clock.p99),
        milliseconds(phases[AFTER].notes.max),
        f"{sum(phase.lost for phase in phases.values()):,}",
        _visitors(outcome),
        ", ".join(excess(outcome, bounds)) or "-",
        *map(_mebibytes, (outcome.before, outcome.peak, outcome.left)),
        "never" if outcome.settled is None else f"{outcome.settled:.0f} s",
        f"{outcome.cpu:.0%}",
        f"{outcome.attack.cpu:.0%}",
        f"{outcome.log_bytes / 1e3:,.0f} KB",
        _mebibytes(outcome.disk_bytes),
        f"{outcome.attack.sent / 1e6:,.1f} MB",
        f"{outcome.attack.received / 1e6:,.1f} MB",
        _fates(outcome),
    ]


def table_of(attackers: int, outcomes: list[Outcome]) -> Table:
    """One row an attack."""
    bounds = bounds_of(attackers, outcomes)
    return Table("Attacks", _COLUMNS, [_row(outcome, bounds) for outcome in outcomes])


def bounds_of(attackers: int, outcomes: list[Outcome]) -> Bounds:
    """What is allowed: so much above what the machine alone did in the same run."""
    alone = [outcome.players.phases[ATTACK].notes for outcome in outcomes if outcome.name == NOTHING]
    p99 = max((notes.p99 for notes in alone), default=0.0)
    latest = max((notes.max for notes in alone), default=0.0)
    return Bounds(_P99_MS + p99, _LATEST_MS + latest) if attackers == 1 else Bounds(_P99_OF_MANY_MS + p99, None)


def excess(outcome: Outcome, bounds: Bounds) -> list[str]:
    """In what an attack is over its bounds."""
    phases = outcome.players.phases
    p99, latest = phases[ATTACK].notes.p99, max(phases[ATTACK].notes.max, phases[AFTER].notes.max)
    lost = sum(phase.lost for phase in phases.values())
    growth = outcome.left - outcome.before
    over = [f"p99 {milliseconds(p99)}"] if p99 > bounds.p99 else []
    if bounds.latest is not None and latest > bounds.latest:
        over.append(f"latest note {milliseconds(latest)}")
    if lost:
        over.append(f"{lost:,} lost")
    if turned_away := sum(phases[ATTACK].turned_away.values()):
        over.append(f"{turned_away} visitors turned away")
    if growth > growth_allowed(outcome.before):
        over.append(f"{_mebibytes(growth)} left")
    return over


def targets_of(attackers: int, outcomes: list[Outcome]) -> list[Target]:
    """What must hold in each attack."""
    bounds = bounds_of(attackers, outcomes)
    targets = []
    for outcome in outcomes:
        if outcome.name != NOTHING:
            over = excess(outcome, bounds)
            targets.append(Target(outcome.name, str(bounds), ", ".join(over) or "so it is", not over))
    return targets


def verdict(targets: list[Target]) -> str:
    """Which attacks are over their bounds, and in what."""
    over = [f"{target.what} ({target.measured})" for target in targets if not target.held]
    return f"Over the bounds: {'; '.join(over)}." if over else f"None of {len(targets)} attacks was over its bounds."


def _outcome(name: str, plan: Plan, cores: Cores) -> Outcome | Target:
    """What came of an attack, or, where the server or a process of the run ended, that it did not hold."""
    try:
        return suffer(name, plan, cores)
    except (RuntimeError, OSError) as failure:
        return Target(f"{name}: the run", "comes to its end", str(failure), held=False)


def _outcomes(plan: Plan, names: list[str], cores: Cores) -> Iterator[Outcome | Target]:
    """What came of each attack. If the run is cut off, what there is by then is all."""
    runs, done = [NOTHING, *names, NOTHING], 0
    try:
        for name in tqdm(runs, desc="attacks", unit="attack", disable=None):
            outcome = _outcome(name, plan, cores)
            done += 1
            if isinstance(outcome, Outcome):
                row = [f"{done} of {len(runs)}", *_row(outcome, bounds_of(plan.attackers, []))]
                tqdm.write("  ".join(row), file=sys.stderr)
            yield outcome
    except KeyboardInterrupt:
        yield Target("the run", f"{len(runs)} attacks", f"cut off after {done}", held=False)


def _names(arguments: argparse.Namespace) -> list[str]:
    """The attacks that were asked for, in the order of the catalogue unless they were named."""
    names = list(arguments.only or ATTACKS)
    first = 0 if arguments.first is None else names.index(arguments.first)
    return [name for name in names[first:] if name != NOTHING]


def run(arguments: argparse.Namespace) -> Report:
    names = _names(arguments)
    if arguments.list:
        rows = [[name, ATTACKS[name].what] for name in names]
        return Report("abuse", f"{len(rows)} attacks", {}, [Table("Attacks", ["name", "what it is"], rows)])
    cores = Cores.of(arguments)
    raise_open_files()
    seconds = _QUICK_S if arguments.quick else arguments.seconds
    side = max(1.0, min(_MOST_QUIET_S, seconds / 3))
    plan = Plan(side, seconds, side, arguments.attackers, arguments.rate, arguments.settings)
    with ahead(), interruptible():
        found = list(_outcomes(plan, names, cores))
    outcomes = [outcome for outcome in found if isinstance(outcome, Outcome)]
    failures = [failure for failure in found if isinstance(failure, Target)]
    targets = failures + targets_of(arguments.attackers, outcomes)
    return Report(
        command="abuse",
        title=f"{len(names)} attacks of {seconds:g} s from {arguments.attackers} addresses",
        conditions=conditions(cores, seconds=seconds, attackers=arguments.attackers),
        tables=[table_of(arguments.attackers, outcomes)],
        targets=targets,
        remarks=[*_METHOD, verdict(targets)],
    )
