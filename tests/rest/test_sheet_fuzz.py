"""Damaged and hostile files, uploaded by many at once: each is answered, none harms another one, nothing is left."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from bench.uploads.contents import FORMATS, make
from rhythmd.app import Server
from tests.deadline import until, within
from tests.processes import children
from tests.rest.api import UNLIMITED, Answer, Api, User, open_api
from tests.rest.sheets import midi, upload
from tests.server import make_config, running_server
from tests.sheets.bombs import BOMBS
from tests.sheets.mutations import mutant

SMALL_POOL: Final = (
    *UNLIMITED, "sheets.uploads_per_day=1000000", "workers.processes=2", "workers.queue=4", "workers.time_s=2",
    "workers.memory_mb=256",
)  # fmt: skip
MUTANTS: Final = int(os.environ.get("RHYTHMD_TEST_MUTANTS", "10"))
"""Damaged files of each format."""
AT_ONCE: Final = 12  # more than the pool takes


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[Server]:
    """A server with few workers, of which none may be left when it has stopped."""
    before = children()
    async with running_server(make_config(tmp_path / "data", SMALL_POOL)) as server:
        yield server
        await until(lambda: (server.workers.running, server.workers.waiting) == (0, 0), "no job is left")
        assert len(children() - before) <= 2
    assert children() <= before


@pytest.fixture
async def api(pool: Server) -> AsyncIterator[Api]:
    async with open_api(pool) as client:
        yield client


async def until_taken(api: Api, user: User, content: bytes) -> Answer:
    """The answer to an upload, when the server is not busy any more."""
    while True:
        answer = await upload(api, user, content)
        if answer.status != 503:
            return answer
        assert answer.code == "busy"
        assert int(answer.headers["Retry-After"]) > 0
        await asyncio.sleep(0.05)


async def outcomes(api: Api, user: User, contents: list[bytes]) -> list[str]:
    """What becomes of each: "taken", or a code."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(content: bytes) -> str:
        async with gate:
            answer = await until_taken(api, user, content)
            return "taken" if answer.status == 201 else answer.code

    return await asyncio.gather(*(one(content) for content in contents))


async def test_damaged_files_are_taken_or_refused(api: Api, clara: User) -> None:
    contents = [mutant(kind, number) for kind in FORMATS for number in range(MUTANTS)]
    assert set(await outcomes(api, clara, contents)) <= {"taken", "invalid-file", "file-too-costly"}
    assert await outcomes(api, clara, [make(kind, 2_000, "good") for kind in FORMATS]) == ["taken"] * len(FORMATS)


async def test_bombs_are_refused_and_the_pool_heals(api: Api, clara: User) -> None:
    found = dict(zip(BOMBS, await outcomes(api, clara, [*BOMBS.values()]), strict=True))
    assert found.pop("MIDI, track of two gigabytes") == "taken", (
        "what it claims costs nothing, and what is there is read"
    )
    assert found.pop("MIDI, notes for years") == "taken", "pauses of years are left out"
    assert set(found.values()) <= {"invalid-file", "file-too-costly"}, found
    assert await outcomes(api, clara, [midi(number) for number in range(30, 50)]) == ["taken"] * 20


async def test_file_that_takes_too_long_delays_nobody_but_its_worker(api: Api, clara: User, robert: User) -> None:
    slow = asyncio.create_task(until_taken(api, clara, make("musicxml", 4_900_000, "slow") + b"<!-- -->"))
    others = [asyncio.create_task(until_taken(api, robert, midi(number))) for number in range(30, 40)]
    assert {answer.status for answer in await within(asyncio.gather(*others))} == {201}
    assert (await slow).status in {201, 422}
