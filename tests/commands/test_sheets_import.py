"""`rhythmd sheets import`, on SQLite and a folder of blobs."""

import asyncio
import json
import os
import pty
import signal
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest

from rhythmd.clock import unix_ms
from rhythmd.rows import Approval, AuditFilter, SheetCategory, SheetPrivacy
from tests.commands.sheets import CREATOR, Desk, fill
from tests.deadline import DEADLINE_S
from tests.rest.api import open_api
from tests.rest.sheets import midi, search
from tests.server import Serve, server_environment


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = Desk(tmp_path / "data")
    asyncio.run(made.prepare())
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "music"
    path.mkdir()
    return path


def reported(path: Path) -> dict[str, dict[str, Any]]:
    """The lines of a report by their files."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return {line["file"]: line for line in lines}


def test_import_makes_an_approved_sheet_of_each_file(desk: Desk, folder: Path, tmp_path: Path) -> None:
    fill(folder, 12)
    (folder / "air.txt").write_text("[as]d f g h\n")
    assert desk.take_in(folder, "--report", str(tmp_path / "report"), "--workers", "2") == 0
    sheets = {sheet.file_name: sheet for sheet in desk.sheets()}
    assert len(sheets) == 13
    piece, air = sheets["piece-11.mid"], sheets["air.txt"]
    assert (piece.title, piece.creator, piece.creator_id) == ("Piece 11", "Clara", CREATOR.id)
    assert (piece.approval, piece.privacy, piece.notes) == (Approval.APPROVED, SheetPrivacy.PUBLIC, 2)
    assert (air.title, air.category) == ("air", SheetCategory.VIRTUAL_PIANO)
    lines = reported(tmp_path / "report")
    assert (lines["001/piece-11.mid"]["outcome"], lines["001/piece-11.mid"]["sheet"]) == ("imported", piece.id)
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")} == lines.keys()


def test_import_pending_and_unlisted(desk: Desk, folder: Path) -> None:
    fill(folder, 1)
    assert desk.take_in(folder, "--pending", "--privacy", "unlisted") == 0
    [sheet] = desk.sheets()
    assert (sheet.approval, sheet.privacy) == (Approval.PENDING, SheetPrivacy.UNLISTED)


def test_import_twice_makes_no_second_sheet(desk: Desk, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(folder, 3)
    (folder / "copies").mkdir()
    for path in folder.glob("000/*"):
        (folder / "copies" / path.name).write_bytes(path.read_bytes())
    assert desk.take_in(folder, "--workers", "4") == 0
    assert desk.take_in(folder) == 0
    assert capsys.readouterr().out.splitlines()[-1].split() == ["all", "0", "6", "0"]
    (folder / "copies" / "piece-0.mid").rename(folder / "copies" / "another name.mid")
    assert desk.take_in(folder) == 0
    assert len(desk.sheets()) == 4


def test_import_refuses_each_file_with_its_reason(
    desk: Desk, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = tmp_path / "secret.mid"
    secret.write_bytes(midi())
    (folder / "inside.mid").write_bytes(midi(70))
    (folder / "link.mid").symlink_to("inside.mid")
    (folder / "outside.mid").symlink_to(secret)
    (folder / "gone.mid").symlink_to("nowhere.mid")
    (folder / "torn.mid").write_bytes(midi()[:30])
    (folder / "large.mid").write_bytes(midi() + bytes(desk.config.sheets.max_bytes))
    (folder / "empty\x1b[31m.abc").touch()
    os.mkfifo(folder / "pipe")
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.mid")).write_bytes(midi(71))
    assert desk.take_in(folder, "--report", str(tmp_path / "report")) == 0
    lines = reported(tmp_path / "report")
    assert {name for name, line in lines.items() if line["outcome"] == "imported"} == {
        "inside.mid", "link.mid", "\\xff.mid",
    }  # fmt: skip
    assert "out of the folder" in lines["outside.mid"]["reason"]
    assert "No such file" in lines["gone.mid"]["reason"]
    assert "no notes" in lines["torn.mid"]["reason"]
    assert "more than" in lines["large.mid"]["reason"]
    assert "empty" in lines["empty\x1b[31m.abc"]["reason"]
    assert "regular" in lines["pipe"]["reason"]
    printed = capsys.readouterr().out
    assert "large.mid: it has more than" in printed
    assert "\x1b" not in printed


def test_import_for_nobody_does_nothing(desk: Desk, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(folder, 1)
    assert desk.run("import", folder, "--as", "nobody") == 2
    assert "no user" in capsys.readouterr().err
    assert desk.sheets() == []


def test_import_takes_its_report_for_no_sheet(desk: Desk, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(folder, 1)
    monkeypatch.chdir(folder)
    for _ in range(2):
        assert desk.take_in(folder, "--report", "report.jsonl") == 0
    assert [*reported(folder / "report.jsonl")] == ["000/piece-0.mid"]


def test_import_with_no_workers_is_refused(desk: Desk, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.take_in(folder, "--workers", "0") == 2
    assert "workers.processes" in capsys.readouterr().err


def test_import_is_in_the_audit(desk: Desk, folder: Path) -> None:
    fill(folder, 2)
    desk.take_in(folder)
    page = desk.ask(lambda store, _: store.audit.page(unix_ms(), 10, None, AuditFilter(action="sheets.imported")))
    assert [(entry.target, entry.details) for entry in page.items] == [
        (CREATOR.id, {"files": 2, "approval": "approved"})
    ]


def test_import_that_is_killed_goes_on(desk: Desk, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(folder, 60)
    command = [sys.executable, "-m", "rhythmd", "sheets", "import", str(folder), "--as", "clara", *desk.options]
    seen = [0]
    while len(seen) < 4 and seen[-1] < 60:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=server_environment())
        while len(desk.sheets()) < seen[-1] + 5 and process.poll() is None:
            pass
        process.send_signal(signal.SIGKILL)
        process.wait(DEADLINE_S)
        seen.append(len(desk.sheets()))
    assert seen[1] < 60, "it was killed in the middle"
    assert desk.take_in(folder) == 0
    assert len({sheet.file_name for sheet in desk.sheets()}) == len(desk.sheets()) == 60
    capsys.readouterr()
    assert desk.run("check", "--deep", "--repair") == desk.run("check") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "nothing is wrong"


def test_import_shows_how_far_it_is_on_a_terminal_only(
    desk: Desk, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fill(folder, 3)
    assert desk.take_in(folder) == 0
    assert capfd.readouterr().err == ""
    terminal, other_end = pty.openpty()
    termios.tcsetwinsize(other_end, (24, 100))
    command = [sys.executable, "-m", "rhythmd", "sheets", "import", str(folder), "--as", "clara", *desk.options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=other_end, env=server_environment()) as process:
        assert process.wait(DEADLINE_S) == 0
    os.close(other_end)
    assert b"3/3" in os.read(terminal, 65_536)
    os.close(terminal)


def test_second_import_at_once_is_refused(desk: Desk, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(folder, 1)
    os.mkfifo(folder / "pipe")
    command = [sys.executable, "-c", LOCKED, str(desk.data / "import.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert desk.take_in(folder) == 2
        assert "another import" in capsys.readouterr().err
        other.kill()
    assert desk.take_in(folder) == 0


LOCKED = "import fcntl, sys; f = open(sys.argv[1], 'wb'); fcntl.flock(f, 2); print(flush=True); input()"


async def test_import_beside_a_running_server_is_found_at_once(serve: Serve, tmp_path: Path) -> None:
    server = await serve("hub.live_mb=1")
    folder = tmp_path / "music"
    fill(folder, 5)
    async with open_api(server) as api:
        clara = await api.register("Clara")
        command = [sys.executable, "-m", "rhythmd", "sheets", "import", str(folder), "--as", "clara"]
        process = await asyncio.create_subprocess_exec(
            *command, "--data", str(tmp_path / "data"), stdout=asyncio.subprocess.DEVNULL, env=server_environment()
        )
        assert await process.wait() == 0
        assert len(await search(api, "?text=piece", clara)) == 5
