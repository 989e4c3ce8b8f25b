"""`rhythmd sheets check`, on SQLite and a folder of blobs, where things were broken past the server."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from rhythmd.app import SQLITE_FILE
from rhythmd.clock import unix_ms
from rhythmd.rows import SheetFile
from tests.commands.sheets import Desk, fill
from tests.contracts.rows import make_sheet_file
from tests.rest.api import open_api
from tests.rest.sheets import uploaded
from tests.server import Serve

HOUR_MS = 3_600_000
VIRTUAL_PIANO = b"[as]d f g h\n"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """With four sheets."""
    made = Desk(tmp_path / "data")
    asyncio.run(made.prepare())
    fill(tmp_path / "music", 3)
    (tmp_path / "music" / "air.txt").write_bytes(VIRTUAL_PIANO)
    assert made.take_in(tmp_path / "music") == 0
    return made


@pytest.fixture
def check(desk: Desk, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, list[str]]]:
    """The exit status of a check with some options, and the lines that it prints."""

    def run(*options: str) -> tuple[int, list[str]]:
        capsys.readouterr()
        status = desk.run("check", *options)
        return status, capsys.readouterr().out.splitlines()

    return run


Check = Callable[..., tuple[int, list[str]]]
NOTHING = (0, ["nothing is wrong"])


def blobs_of(desk: Desk) -> Path:
    return desk.data / "blobs" / "sheets"


def blob_of(desk: Desk, file_name: str) -> Path:
    [sheet] = [sheet for sheet in desk.sheets() if sheet.file_name == file_name]
    [path] = [path for path in blobs_of(desk).glob(f"{sheet.hash}-*") if not path.suffix]
    return path


def sql(desk: Desk, statement: str) -> None:
    """Run it past the store, which would not let everything through."""
    connection = sqlite3.connect(desk.data / SQLITE_FILE, isolation_level=None)
    connection.execute(statement)
    connection.close()


async def add_unused(desk: Desk, age_ms: int) -> SheetFile:
    now = unix_ms() - age_ms
    async with desk.open() as (store, _):
        return await store.sheets.add_file(make_sheet_file(str(age_ms), created=now, used=now, midi_size=0))


def test_check_of_what_is_whole_finds_nothing(check: Check) -> None:
    assert check() == check("--deep") == check("--repair") == NOTHING


def test_check_finds_lost_short_and_damaged_files(desk: Desk, check: Check) -> None:
    lost, short, damaged = (blob_of(desk, f"piece-{number}.mid") for number in range(3))
    lost.unlink()
    short.write_bytes(short.read_bytes()[:-1])
    damaged.write_bytes(bytes(damaged.stat().st_size))
    status, lines = check()
    assert status == 1
    assert lines[-1].startswith("2 lost")
    status, lines = check("--deep", "--repair")
    assert status == 1
    assert sum("content is another one" in line for line in lines) == 1
    assert lines[-1].startswith("3 lost")


def test_lost_files_come_back_with_the_next_upload(desk: Desk, check: Check, tmp_path: Path) -> None:
    for path in blobs_of(desk).iterdir():
        path.unlink()
    assert check()[0] == 1
    for path in [*(tmp_path / "music").rglob("*.*")]:
        path.rename(path.with_stem(f"again-{path.stem}"))
    assert desk.take_in(tmp_path / "music") == 0
    assert check("--deep") == NOTHING


def test_check_finds_a_sheet_without_the_row_of_its_file(desk: Desk, check: Check) -> None:
    sql(desk, "DELETE FROM sheet_files WHERE extension = '.txt'")
    status, lines = check("--repair")
    assert status == 1
    assert "there is no row of its file" in lines[0]
    assert len(desk.sheets()) == 4


def test_unknown_files_are_the_servers_to_remove_or_repaired(desk: Desk, check: Check) -> None:
    (blobs_of(desk) / f"{'0' * 64}-{unix_ms():x}-0000").write_bytes(b"crashed before its row")
    (blobs_of(desk) / "foreign.mid").write_bytes(b"put there by somebody")
    status, lines = check()
    assert (status, lines[-1]) == (0, "2 the server removes it by itself")
    status, lines = check("--repair")
    assert (status, lines[-1]) == (0, "2 repaired")
    assert check() == NOTHING


def test_unused_files_are_the_servers_to_remove_or_repaired(desk: Desk, check: Check) -> None:
    for age_ms in (2 * HOUR_MS, 0):
        asyncio.run(add_unused(desk, age_ms))
    status, lines = check()
    assert (status, lines[-1]) == (0, "2 the server removes it by itself")
    status, lines = check("--repair")
    assert (status, lines[-1]) == (0, "2 repaired")
    assert check() == NOTHING


def test_words_and_strays_are_repaired(desk: Desk, check: Check) -> None:
    for statement in (
        "DELETE FROM sheet_words WHERE rowid = 1",
        "DELETE FROM sheet_tags",
        "INSERT INTO sheet_words (rowid, title_words, other_words) VALUES (99, 'nothing', '')",
        "INSERT INTO favorites (user_id, number, created) VALUES ('u1', 99, 0)",
    ):
        sql(desk, statement)
    status, lines = check()
    assert status == 1
    assert lines[-1] == "3 --repair mends it"
    status, lines = check("--repair")
    assert (status, lines[-1]) == (0, "3 repaired")
    assert check() == NOTHING


async def test_repair_beside_a_server_spares_what_is_new(serve: Serve, tmp_path: Path) -> None:
    desk = Desk(tmp_path / "data")
    async with open_api(await serve()) as api:
        await uploaded(api, await api.register("Clara"), VIRTUAL_PIANO)
        new = blobs_of(desk) / f"{'0' * 64}-{unix_ms():x}-0000"
        old = blobs_of(desk) / f"{'0' * 64}-{unix_ms() - 2 * HOUR_MS:x}-0000"
        partial = blobs_of(desk) / ".coming.part"
        for path in (new, old, partial):
            path.write_bytes(b"an upload")
        unused = await add_unused(desk, 0)
        assert await asyncio.to_thread(desk.run, "check", "--repair") == 0
        assert [path.exists() for path in (new, old, partial)] == [True, False, True]
        async with desk.open() as (store, _):
            assert await store.sheets.files_of([unused.hash]) == [unused]
