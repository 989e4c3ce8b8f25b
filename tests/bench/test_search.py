"""The bench of searches: what it compares, not how long it takes."""

from argparse import ArgumentParser, Namespace
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from pathlib import Path

import pytest
from msgspec import structs

from bench.commands import search
from bench.search.asking import KINDS, asks_for
from bench.search.corpus import READER, made_up_sheets
from bench.search.libraries import Library, mongo_library, sqlite_library
from bench.search.timing import time_asks
from bench.search.ways import SearchWay
from rhythmd.rows import Approval, Difficulty, Sheet, SheetCategory, SheetPrivacy, SheetQuery, SheetSort
from tests.services import running_mongod

SMALL = 200
LARGE = 3_000


@pytest.fixture(scope="module")
def mongo_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_mongod(tmp_path_factory.mktemp("mongod")) as mongod:
        yield mongod.url


@pytest.fixture(scope="module")
def sheets() -> list[Sheet]:
    return list(islice(made_up_sheets(1), LARGE))


@pytest.fixture(params=["sqlite", "mongodb"])
async def library(request: pytest.FixtureRequest, sheets: list[Sheet]) -> AsyncIterator[Library]:
    made = sqlite_library() if request.param == "sqlite" else mongo_library(request.getfixturevalue("mongo_url"))
    async with made as filled:
        await filled.fill(sheets)
        yield filled


async def found(way: SearchWay, query: SheetQuery) -> list[str]:
    page = await way.page(query, None)
    ids = [sheet.id for sheet in page.items]
    while page.next is not None:
        page = await way.page(query, page.next)
        ids += [sheet.id for sheet in page.items]
    return ids


def is_listed(sheet: Sheet) -> bool:
    return sheet.privacy is SheetPrivacy.PUBLIC and sheet.approval is Approval.APPROVED


def arguments(*words: str) -> Namespace:
    parser = ArgumentParser()
    search.add_arguments(parser)
    return parser.parse_args(words)


async def test_both_ways_find_the_same_sheets_by_a_whole_word(library: Library, sheets: list[Sheet]) -> None:
    for text in ("Sonata", "Prélude", "Debussy", "jazz", "player12", "Соната", "夜想曲", "Nowhere"):
        query = SheetQuery(text=text, sort=SheetSort.NEWEST)
        ours, original = await found(library.ours, query), await found(library.original, query)
        assert ours == original, text
        assert set(ours) == {sheet.id for sheet in sheets if is_listed(sheet) and text in str(sheet)}, text


async def test_both_ways_find_the_same_sheets_by_filters(library: Library, sheets: list[Sheet]) -> None:
    queries = {ask.query for ask in asks_for(sheets, 2, "1") if not ask.query.text}
    filters = (
        SheetQuery(favorite=True, viewer=READER),
        SheetQuery(category=SheetCategory.MIDI, difficulty=Difficulty.BEGINNER),
        SheetQuery(tag="jazz"),
        SheetQuery(creator="user0"),
    )
    queries |= {structs.replace(query, text="Sonata") for query in filters}
    for query in queries:
        ours, original = await found(library.ours, query), await found(library.original, query)
        assert ours, query
        assert sorted(ours) == sorted(original), query


async def test_most_viewed_come_first_on_all_pages(library: Library, sheets: list[Sheet]) -> None:
    listed = sorted(filter(is_listed, sheets), key=lambda sheet: (-sheet.views, -sheet.number))
    abc = [sheet for sheet in listed if sheet.category is SheetCategory.ABC]
    everybody = SheetQuery(text="p", sort=SheetSort.VIEWED)  # each creator's name begins with it
    for query, expected in (
        (structs.replace(everybody, text=""), listed),
        (everybody, listed),
        (structs.replace(everybody, category=SheetCategory.ABC), abc),
        (structs.replace(everybody, text="Sonata"), [sheet for sheet in listed if "Sonata" in str(sheet)]),
    ):
        assert await found(library.ours, query) == [sheet.id for sheet in expected], query


async def test_each_kind_of_query_is_timed(library: Library, sheets: list[Sheet]) -> None:
    asks = asks_for(sheets[:SMALL], 2, "1")
    samples = await time_asks(library.ours, asks, 4)
    assert {kind: sum(sample.is_first for sample in samples if sample.kind == kind) for kind in KINDS} == dict.fromkeys(
        KINDS, 2
    )
    assert any(not sample.is_first for sample in samples)


def test_same_seed_gives_the_same_library(sheets: list[Sheet]) -> None:
    assert list(islice(made_up_sheets(1), SMALL)) == sheets[:SMALL]
    assert list(islice(made_up_sheets(2), SMALL)) != sheets[:SMALL]
    assert asks_for(sheets, 3, "1") == asks_for(sheets, 3, "1") != asks_for(sheets, 3, "2")


def test_most_sheets_are_listed(sheets: list[Sheet]) -> None:
    assert 0.8 < sum(map(is_listed, sheets)) / len(sheets) < 0.95


def test_report_has_both_databases_and_every_kind(mongo_url: str, tmp_path: Path) -> None:
    sizes = ("--small", str(SMALL), "--large", "1000", "--each", "1")
    report = search.run(arguments(*sizes, "--mongo-url", mongo_url))
    assert [table.title.partition(":")[0] for table in report.tables] == ["sqlite", "sqlite", "mongodb", "mongodb"]
    for totals in report.tables[::2]:
        assert len(totals.rows) == 8
    for by_kind in report.tables[1::2]:
        assert [row[0] for row in by_kind.rows] == list(KINDS)
    assert len(report.targets) == 4
