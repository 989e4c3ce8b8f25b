"""`rhythmd sheets export`, on SQLite and a folder of blobs."""

import asyncio
import json
from pathlib import Path
from typing import Any

import mido
import pytest

from rhythmd.rows import Approval, Difficulty, SheetChanges, SheetPrivacy
from rhythmd.sheet_admin.exporting import Names
from tests.commands.sheets import Desk, fill
from tests.rest.sheets import midi

VIRTUAL_PIANO = b"[as]d f g h\n"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = Desk(tmp_path / "data")
    asyncio.run(made.prepare())
    return made


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "sheets.jsonl").read_text().splitlines()]


def take_in(desk: Desk, folder: Path, **contents: bytes) -> None:
    """Import files with these names and contents."""
    folder.mkdir(exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    assert desk.take_in(folder) == 0


def test_export_writes_every_file_and_the_list(desk: Desk, tmp_path: Path, out: Path) -> None:
    take_in(desk, tmp_path / "music", a=midi(60, title="Air"), b=midi(62, title="Air"), c=VIRTUAL_PIANO)
    assert desk.run("export", out, "--midi") == 0
    assert {path.name for path in out.iterdir()} == {"Air.mid", "Air (2).mid", "c.txt", "c.mid", "sheets.jsonl"}
    assert {(out / name).read_bytes() for name in ("Air.mid", "Air (2).mid")} == {
        midi(60, title="Air"),
        midi(62, title="Air"),
    }
    assert (out / "c.txt").read_bytes() == VIRTUAL_PIANO
    assert mido.MidiFile(out / "c.mid").length > 0
    by_file = {line["file"]: line for line in lines(out)}
    assert (by_file["c.txt"]["midi"], by_file["c.txt"]["category"], by_file["c.txt"]["notes"]) == (
        "c.mid", "virtual-piano", 6,
    )  # fmt: skip


def test_export_again_writes_what_is_missing_and_removes_what_is_gone(
    desk: Desk, tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path / "music", 5)
    desk.take_in(tmp_path / "music")
    assert desk.run("export", out) == 0
    (out / "Piece 1.mid").unlink()
    (out / "Piece 2.mid").write_bytes(b"damaged")
    (out / "mine.txt").write_text("not from an export")
    [gone] = [sheet for sheet in desk.sheets() if sheet.title == "Piece 3"]
    desk.ask(lambda store, _: store.sheets.delete(gone.id))
    assert desk.run("export", out) == 0
    assert "2 written, 2 already there, 0 lost" in capsys.readouterr().out
    assert {path.name for path in out.iterdir()} == {
        "Piece 0.mid", "Piece 1.mid", "Piece 2.mid", "Piece 4.mid", "mine.txt", "sheets.jsonl",
    }  # fmt: skip
    assert len(lines(out)) == 4


def test_export_touches_no_folder_with_something_else(
    desk: Desk, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out.mkdir()
    (out / "mine.txt").touch()
    assert desk.run("export", out) == 2
    assert "neither empty" in capsys.readouterr().err


def test_export_says_what_is_lost(desk: Desk, tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path / "music", 3)
    desk.take_in(tmp_path / "music")
    lost, damaged, _ = sorted((desk.data / "blobs" / "sheets").iterdir())
    lost.unlink()
    damaged.write_bytes(bytes(damaged.stat().st_size))
    assert desk.run("export", out) == 1
    printed = capsys.readouterr().out
    assert "its file is gone" in printed
    assert "its file is damaged" in printed
    assert "1 written" in printed
    assert len([*out.iterdir()]) == 2


def test_what_was_exported_can_be_imported(desk: Desk, tmp_path: Path, out: Path) -> None:
    take_in(desk, tmp_path / "music", **{"für.txt": VIRTUAL_PIANO, "b.mid": midi(61, title="Ball")})
    sheets = {sheet.title: sheet for sheet in desk.sheets()}
    told = SheetChanges(
        updated=1, title="Für/Elise", artist="L", album="M", description="a\nb", tags=("slow",), tempo=61.5,
        difficulty=Difficulty.EXPERT, privacy=SheetPrivacy.UNLISTED, key="E minor", time_signature="3/8",
    )  # fmt: skip
    desk.ask(lambda store, _: store.sheets.update(sheets["für"].id, told))
    rejected = SheetChanges(updated=1, approval=Approval.REJECTED)
    desk.ask(lambda store, _: store.sheets.update(sheets["Ball"].id, rejected))
    assert desk.run("export", out, "--midi") == 0
    other = Desk(tmp_path / "other")
    asyncio.run(other.prepare())
    assert other.take_in(out) == 0
    copies = {sheet.title: sheet for sheet in other.sheets()}
    assert copies.keys() == {"Für/Elise", "Ball"}
    before = {sheet.title: sheet for sheet in desk.sheets()}["Für/Elise"]
    for field in ("artist", "album", "description", "tags", "tempo", "difficulty", "privacy", "key", "time_signature"):
        assert getattr(copies["Für/Elise"], field) == getattr(before, field), field
    assert copies["Für/Elise"].file_name == "für.txt"
    assert [copies[title].approval for title in ("Für/Elise", "Ball")] == [Approval.APPROVED, Approval.PENDING]


def test_list_that_is_wrong_is_refused(desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path / "music", 1)
    manifest = tmp_path / "music" / "sheets.jsonl"
    manifest.write_text('{"file": "000/piece-0.mid"}\nnonsense\n')
    assert desk.take_in(tmp_path / "music") == 2
    assert "line 2" in capsys.readouterr().err
    manifest.write_text(json.dumps({"file": "000/piece-0.mid", "title": "x" * 500}))
    assert desk.take_in(tmp_path / "music") == 0
    assert "sheets.jsonl says" in capsys.readouterr().out
    assert desk.sheets() == []


@pytest.mark.parametrize(
    ("title", "stem"),
    [
        ("../../etc/passwd", "-..-etc-passwd"),
        ("a/b\\c:d", "a-b-c-d"),
        (".hidden", "hidden"),
        ("dots...", "dots"),
        ("..", "Untitled"),
        ("", "Untitled"),
        ("con", "_con"),
        ("com1.x", "_com1.x"),
        ("a\x00\u202eb", "ab"),
        ("e\u0301", "é"),
        ("さくら 🎹", "さくら 🎹"),
        ("\udcff", "Untitled"),
    ],
)
def test_names_are_safe(title: str, stem: str) -> None:
    assert Names().stem(title) == stem


def test_names_are_each_given_once() -> None:
    names = Names()
    given = [names.stem(title) for title in ("Air", "air", "Air (2)", "AIR", "x" * 500, "x" * 501, "é" * 300)]
    assert given[:4] == ["Air", "air (2)", "Air (2) (2)", "AIR (3)"]
    assert len({stem.casefold() for stem in given}) == len(given)
    assert max(len(stem.encode()) for stem in given) < 200
