"""Autobahn's test suite, which knows what RFC 6455 asks of a server, against our handshake and connections.

Each case is a connection on which messages come back. On a connection of ours they are either text or binary: so one
run has the cases with binary messages on `rhythm.v1`, and another one has all the others on `rhythm.v1.json`.
"""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Final

import msgspec
import uvloop

from bench.echo import echoing
from bench.report import Report, Table, Target
from bench.system import describe_machine
from rhythm_protocol.control import SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON

__all__ = ["HELP", "SuiteFailed", "add_arguments", "run"]

HELP: Final = "every case of Autobahn's WebSocket test suite, but those of compression"
_WITH_BINARY: Final = ["1.2.*", "9.2.*", "9.4.*", "9.6.*", "9.8.*"]
_COMPRESSION: Final = ["12.*", "13.*"]
_GOOD: Final = frozenset({"OK", "INFORMATIONAL"})
_REMARK: Final = (
    "A case counts as good if both the messages and the close were OK, or if the suite only informs about them. "
    "Cases 12 and 13 are about permessage-deflate, which is off on purpose."
)


class Case(msgspec.Struct, frozen=True, rename="camel"):
    """What Autobahn says of one case: of the messages, and of the end of the connection."""

    behavior: str
    behavior_close: str

    @property
    def outcome(self) -> str:
        """The worse one of both."""
        return self.behavior if self.behavior not in _GOOD else self.behavior_close


class SuiteFailed(Exception):
    """The program did not run to its end; the text has what it said last."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--wstest", default="wstest", metavar="PROGRAM", help="Autobahn's program (%(default)s)")


async def _suite(program: str, url: str, subprotocol: str, choice: dict[str, list[str]]) -> dict[str, Case]:
    """One run of the program, by case. Raises SuiteFailed."""
    with tempfile.TemporaryDirectory(prefix="bench-autobahn-") as folder:
        server = {"agent": "rhythmd", "url": url, "protocols": [subprotocol]}
        plan = Path(folder) / "plan.json"
        plan.write_text(json.dumps({"outdir": folder, "servers": [server], **choice}))
        process = await asyncio.create_subprocess_exec(
            program, "--mode", "fuzzingclient", "--spec", str(plan), cwd=folder,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await process.communicate()
        index = Path(folder) / "index.json"
        if process.returncode or not index.exists():
            raise SuiteFailed(said.decode(errors="replace")[-2_000:])
        return msgspec.json.decode(index.read_bytes(), type=dict[str, dict[str, Case]])["rhythmd"]


async def _all_cases(arguments: argparse.Namespace) -> dict[str, Case]:
    binary = {"cases": _WITH_BINARY, "exclude-cases": []}
    others = {"cases": ["*"], "exclude-cases": [*_WITH_BINARY, *_COMPRESSION]}
    async with echoing() as url:
        found = await _suite(arguments.wstest, url, SUBPROTOCOL_BINARY, binary)
        return found | await _suite(arguments.wstest, url, SUBPROTOCOL_JSON, others)


def run(arguments: argparse.Namespace) -> Report:
    if shutil.which(arguments.wstest) is None:
        sys.exit(f"there is no program {arguments.wstest}; bench/README.md says how to get it")
    cases = uvloop.run(_all_cases(arguments))
    outcomes = Counter(case.outcome for case in cases.values())
    bad = [[name, case.behavior, case.behavior_close] for name, case in cases.items() if case.outcome not in _GOOD]
    good = len(cases) - len(bad)
    tables = [Table("Cases by outcome", ["outcome", "cases"], [[name, str(n)] for name, n in outcomes.most_common()])]
    if bad:
        tables.append(Table("Cases that are not good", ["case", "messages", "close"], bad))
    return Report(
        command="autobahn",
        title="Autobahn's test suite against our connections",
        conditions=describe_machine(),
        tables=tables,
        targets=[Target("cases", "all good", f"{good} of {len(cases)}", bool(cases) and not bad)],
        remarks=[_REMARK],
    )
