"""What a search in a library of sheets takes, and how it grows: the stores' search beside the original's, in one run.

Both get the same queries on the same rows, in a small and in a large library.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import islice
from typing import Final

import uvloop
from msgspec import Struct

from bench.options import Cores, conditions
from bench.report import Report, Table, Target
from bench.rows import milliseconds
from bench.search.asking import KINDS, Ask, asks_for
from bench.search.corpus import made_up_sheets
from bench.search.libraries import Library, mongo_library, sqlite_library
from bench.search.mongod import running_mongod
from bench.search.timing import Sample, latency, time_asks
from bench.search.ways import SearchWay
from rhythmd.rows import Sheet

__all__ = ["HELP", "add_arguments", "run"]

HELP: Final = "a library of 1,000 and of 100,000 sheets in SQLite and MongoDB, beside the original's regular expression"
_RATIO: Final = 10.0
_RATIO_AT_ONCE: Final = 3.0  # several at once wait for one thread in SQLite, which has facets to count
_WARMUP: Final = 10  # queries
_ALL: Final = "all"
_MONGO: Final = "mongodb"
_SQLITE: Final = "sqlite"


class Run(Struct, frozen=True):
    """The samples of one way, in a library of one size, with so many callers."""

    way: str
    size: int
    callers: int
    samples: list[Sample]

    def p50(self, kind: str = _ALL, *, first: bool = True) -> float:
        return latency(self._of(kind, first)).p50

    def p99(self, kind: str = _ALL, *, first: bool = True) -> float:
        return latency(self._of(kind, first)).p99

    def _of(self, kind: str, first: bool) -> Iterator[Sample]:
        return (sample for sample in self.samples if kind in {_ALL, sample.kind} and sample.is_first is first)


class Found(Struct, frozen=True):
    """All runs on one database."""

    database: str
    runs: list[Run]

    def run(self, way: str, size: int, callers: int) -> Run:
        return next(run for run in self.runs if (run.way, run.size, run.callers) == (way, size, callers))


_OURS: Final = "ours"
_ORIGINAL: Final = "the original's"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--small", type=int, default=1_000, help="sheets of the small library (%(default)s)")
    parser.add_argument("--large", type=int, default=100_000, help="sheets of the large library (%(default)s)")
    parser.add_argument("--each", type=int, default=5, help="queries of each kind (%(default)s)")
    parser.add_argument("--callers", type=int, default=8, help="players who search at once (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of sheets and queries (%(default)s)")
    parser.add_argument(
        "--database", dest="databases", action="append", choices=[_SQLITE, _MONGO], help="repeatable; both if none"
    )
    parser.add_argument("--mongo-url", metavar="URL", help="a running replica set instead of a mongod of the bench")


@asynccontextmanager
async def _own_mongo() -> AsyncIterator[Library]:
    with running_mongod() as url:
        async with mongo_library(url) as library:
            yield library


def _library(database: str, arguments: argparse.Namespace) -> AbstractAsyncContextManager[Library]:
    if database == _SQLITE:
        return sqlite_library()
    return _own_mongo() if arguments.mongo_url is None else mongo_library(arguments.mongo_url)


async def _runs(way: SearchWay, name: str, size: int, asks: Sequence[Ask], callers: int) -> list[Run]:
    """One at a time, then several at once; what databases learn from the first queries is not measured."""
    await time_asks(way, asks[:_WARMUP], 1)
    return [Run(name, size, count, await time_asks(way, asks, count)) for count in (1, callers)]


async def _measure(database: str, sheets: Sequence[Sheet], arguments: argparse.Namespace) -> Found:
    asks = asks_for(sheets[: arguments.small], arguments.each, str(arguments.seed))
    runs: list[Run] = []
    async with _library(database, arguments) as library:
        for start, size in ((0, arguments.small), (arguments.small, arguments.large)):
            await library.fill(sheets[start:size])
            for name, way in ((_OURS, library.ours), (_ORIGINAL, library.original)):
                runs += await _runs(way, name, size, asks, arguments.callers)
    return Found(database, runs)


def _times(numbers: Iterable[float]) -> list[str]:
    return [milliseconds(number) for number in numbers]


def _ratio(value: float, of: float) -> str:
    return f"{value / of:.1f}" if of else "-"


def _totals(found: Found, arguments: argparse.Namespace) -> Table:
    """One row for each way, number of callers and kind of page."""
    rows = []
    for callers in (1, arguments.callers):
        for first in (True, False):
            for way in (_OURS, _ORIGINAL):
                small, large = (found.run(way, size, callers) for size in (arguments.small, arguments.large))
                before, after = small.p99(first=first), large.p99(first=first)
                page = "first page" if first else "next page"
                times = _times([small.p50(first=first), before, large.p50(first=first), after])
                rows.append([f"{page}, {callers} at once, {way}", *times, _ratio(after, before)])
    sizes = [f"{level}, {size:,}" for size in (arguments.small, arguments.large) for level in ("p50", "p99")]
    return Table(f"{found.database}: all queries", ["queries", *sizes, "growth of p99"], rows)


def _by_kind(found: Found, arguments: argparse.Namespace) -> Table:
    """One row for each kind of query: first pages in the large library, one at a time."""
    ours, original = (found.run(way, arguments.large, 1) for way in (_OURS, _ORIGINAL))
    rows = []
    for kind in KINDS:
        times = _times([ours.p50(kind), ours.p99(kind), original.p50(kind), original.p99(kind)])
        rows.append([kind, *times, _ratio(original.p50(kind), ours.p50(kind))])
    columns = ["first page", "p50", "p99", "p50, the original's", "p99, the original's", "ratio of p50"]
    return Table(f"{found.database}: {arguments.large:,} sheets, one query at a time", columns, rows)


def _target(found: Found, arguments: argparse.Namespace, callers: int) -> Target:
    ours, original = (found.run(way, arguments.large, callers).p99() for way in (_OURS, _ORIGINAL))
    ratio = original / ours
    what, least = f"{found.database}: p99 of first pages, {callers} at once", _RATIO if callers == 1 else _RATIO_AT_ONCE
    return Target(what, f"at most 1/{least:g} of the original's", f"1/{ratio:.1f}", ratio >= least)


def _report(all_found: Sequence[Found], arguments: argparse.Namespace) -> Report:
    ratios = [
        f"{found.run(_ORIGINAL, arguments.large, 1).p99() / found.run(_OURS, arguments.large, 1).p99():.1f}"
        f" on {found.database}"
        for found in all_found
    ]
    return Report(
        command="search",
        title=f"Search in {arguments.large:,} sheets: the original's p99 is {', '.join(ratios)} times as long",
        conditions=conditions(
            Cores(None, None), sizes=f"{arguments.small:,} and {arguments.large:,}", queries=len(KINDS) * arguments.each
        ),
        tables=[table(found, arguments) for found in all_found for table in (_totals, _by_kind)],
        targets=[_target(found, arguments, callers) for found in all_found for callers in (1, arguments.callers)],
        remarks=[
            "A first page of the store's search has facets with it, as the REST resource asks for them; the original's "
            "has the number of what it found, and so has each further page of it. The original's way is an unanchored "
            "pattern over title, artist, album, tags and creator, whatever their case, the newest first: $regex in "
            "MongoDB, LIKE in SQLite. Its words are not looked for apart, nor without their accents, so it finds less.",
            "The queries are made from the sheets of the small library, so that both libraries have what is asked for. "
            "p99 of a kind of query is its slowest answer.",
        ],
    )


def run(arguments: argparse.Namespace) -> Report:
    sheets = list(islice(made_up_sheets(arguments.seed), arguments.large))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        databases = arguments.databases or [_SQLITE, _MONGO]
        return _report([runner.run(_measure(database, sheets, arguments)) for database in databases], arguments)
