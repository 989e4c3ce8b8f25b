"""`python -m bench COMMAND`: one row here is one command."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.commands import (
    abuse,
    autobahn,
    capacity,
    codec,
    compare,
    concert,
    faults,
    garbage,
    honest,
    idle,
    latency,
    performance,
    rest,
    search,
    sheets,
    uploads,
    wan,
)
from bench.page import RESULTS, write
from bench.report import Report, as_text

__all__ = ["main"]


@dataclass(frozen=True)
class Command:
    """A command: its help, its options, and what it measures."""

    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], Report]


COMMANDS: Final[dict[str, Command]] = {
    "latency": Command(latency.HELP, latency.add_arguments, latency.run),
    "capacity": Command(capacity.HELP, capacity.add_arguments, capacity.run),
    "idle": Command(idle.HELP, idle.add_arguments, idle.run),
    "concert": Command(concert.HELP, concert.add_arguments, concert.run),
    "garbage": Command(garbage.HELP, garbage.add_arguments, garbage.run),
    "autobahn": Command(autobahn.HELP, autobahn.add_arguments, autobahn.run),
    "faults": Command(faults.HELP, faults.add_arguments, faults.run),
    "abuse": Command(abuse.HELP, abuse.add_arguments, abuse.run),
    "honest": Command(honest.HELP, honest.add_arguments, honest.run),
    "wan": Command(wan.HELP, wan.add_arguments, wan.run),
    "performance": Command(performance.HELP, performance.add_arguments, performance.run),
    "rest": Command(rest.HELP, rest.add_arguments, rest.run),
    "search": Command(search.HELP, search.add_arguments, search.run),
    "uploads": Command(uploads.HELP, uploads.add_arguments, uploads.run),
    "codec": Command(codec.HELP, codec.add_arguments, codec.run),
    "sheets": Command(sheets.HELP, sheets.add_arguments, sheets.run),
    "compare": Command(compare.HELP, compare.add_arguments, compare.run),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure rhythmd, alone or beside others.")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="where reports go (%(default)s)")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        text = command.help.replace("%", "%%")  # argparse formats the one and not the other
        command.add_arguments(commands.add_parser(name, help=text, description=command.help))
    return parser


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; 0 if every target was held, 1 if one was missed."""
    arguments = _parser().parse_args(words)
    report = COMMANDS[arguments.command].run(arguments)
    print(as_text(report))
    print(f"\n{write(report, arguments.results)}")
    return 0 if report.held else 1
