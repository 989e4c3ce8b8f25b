"""The bench of sheet music: what it counts, and what it calls a disagreement."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

import pytest

from bench.commands import sheets
from bench.report import Report
from bench.sheets.comparison import Kind, compare
from bench.sheets.corpus import Piece, default_folder, pieces
from bench.sheets.isolation import PeerProcess
from bench.sheets.peers import PeerFailure, Reading, SheetNote
from tests.sheets.formats.scores import attributes, document, measures, mxl, note

QUARTER, HALF = "<type>quarter</type>", "<type>half</type>"  # Verovio goes by these, and not by durations
FIRST = attributes("<time><beats>3</beats><beat-type>4</beat-type></time>") + note("C4", after=QUARTER)
SCORE = document(measures(FIRST + note("E4", 8, after=HALF), note("G4", 12, after=HALF + "<dot/>")))
TUNE = "X:1\nT:One\nM:3/4\nL:1/4\nK:G\nG A B | c3 |]\n"


def arguments(*options: str) -> Namespace:
    parser = ArgumentParser()
    sheets.add_arguments(parser)
    return parser.parse_args(options)


def rows(report: Report, title: str) -> list[list[str]]:
    [table] = [table for table in report.tables if table.title == title]
    return table.rows


def notes(*values: tuple[float, int, float]) -> Reading:
    return [SheetNote(*value) for value in values]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.musicxml").write_text(SCORE)
    (tmp_path / "b.mxl").write_bytes(mxl({"score.xml": SCORE}))
    (tmp_path / "book.abc").write_text(TUNE + "\n" + TUNE.replace("X:1", "X:2"))
    (tmp_path / "broken.xml").write_text("<score-partwise>\n<part")
    (tmp_path / "notes.txt").write_text("no music")
    return tmp_path


def test_tunes_of_a_book_are_pieces(folder: Path) -> None:
    assert [(piece.name, piece.format) for piece in pieces(folder)] == [
        ("a.musicxml", "MusicXML"),
        ("b.mxl", "MusicXML"),
        ("book.abc#1", "ABC"),
        ("book.abc#2", "ABC"),
        ("broken.xml", "MusicXML"),
    ]


def test_report_counts_what_parses_and_what_peers_read(folder: Path) -> None:
    report = sheets.run(arguments("--folder", str(folder), "--least", "4"))
    parsed = [row[:5] for row in rows(report, "Parsed")]
    assert parsed == [["MusicXML", "3", "2", "1", "6"], ["ABC", "2", "2", "0", "8"]]
    assert rows(report, "Refusals") == [["MusicXML", "this is no XML (unclosed token)", "1", "broken.xml, line 2"]]
    agreed = {(row[0], row[1]): row[2:7] for row in rows(report, "Note by note beside other libraries")}
    assert agreed["MusicXML", "Verovio"] == ["2", "2", "6", "100.00%", "100.00%"]
    assert agreed["ABC", "music21"] == ["1", "1", "4", "100.00%", "100.00%"]
    assert report.held


def test_target_is_missed_when_too_little_parses(folder: Path) -> None:
    assert not sheets.run(arguments("--folder", str(folder), "--least", "5", "--peers")).held


def test_some_of_the_real_corpus_parses() -> None:
    report = sheets.run(arguments("--folder", str(default_folder()), "--every", "400", "--least", "30", "--peers"))
    assert report.held, report.targets


def test_peer_that_fails_says_why_and_goes_on() -> None:
    broken, whole = (piece for piece in pieces_of("no music", SCORE))
    with PeerProcess("music21", 60) as peer:
        with pytest.raises(PeerFailure):
            peer.read(broken)
        assert [heard.key for heard in peer.read(whole)] == [60, 64, 67]


def pieces_of(*contents: str) -> list[Piece]:
    return [Piece(f"{number}.xml", "MusicXML", content.encode()) for number, content in enumerate(contents)]


def test_equal_readings_agree_whatever_their_order_and_rounding() -> None:
    result = compare(notes((0, 60, 1), (1, 64, 1)), notes((1.01, 64, 1), (0, 60, 0.99), (0, 60, 0.5)))
    assert (result.ours, result.theirs, result.agreed, result.lengths, result.kinds) == (2, 2, 2, 0, {})


def test_lengths_are_counted_apart() -> None:
    assert compare(notes((0, 60, 0.5), (1, 62, 1)), notes((0, 60, 1), (1, 62, 1))).lengths == 1


def test_reading_is_followed_into_bars_that_are_elsewhere() -> None:
    ours = notes(*((number, 60 + number % 7, 1) for number in range(60)))
    later = notes(*((number + (3 if number >= 20 else 0), 60 + number % 7, 1) for number in range(60)))
    result = compare(ours, later)
    assert result.agreed == 20
    assert result.followed >= 56


@pytest.mark.parametrize(
    ("ours", "theirs", "kinds"),
    [
        ([(0, 60, 1), (1, 62, 1)], [(0, 72, 1), (1, 62, 1)], {Kind.OCTAVE: 2}),
        ([(0, 60, 1), (1, 62, 1)], [(0, 61, 1), (1, 62, 1)], {Kind.ACCIDENTAL: 2}),
        ([(0, 60, 1), (1, 62, 1)], [(0, 65, 1), (1, 62, 1)], {Kind.PITCH: 2}),
        ([(0, 60, 2), (1, 62, 1)], [(0, 60, 2)], {Kind.ONLY_HERE: 1}),
        ([(0, 60, 2)], [(0, 60, 2), (1, 62, 1)], {Kind.ONLY_THERE: 1}),
        ([(0.75, 60, 0.25), (1, 62, 1)], [(1, 60, 0.25), (1.25, 62, 0.75)], {Kind.GRACES: 4}),
        ([(0, 60, 1), (1, 60, 1), (2, 60, 1)], [(0, 60, 1)], {Kind.BARS: 2}),
        ([(number, 60, 1) for number in range(9)], [(0, 60, 1)], {Kind.REPEATS: 8}),
    ],
)
def test_disagreement_has_a_kind(
    ours: list[tuple[float, int, float]], theirs: list[tuple[float, int, float]], kinds: dict[str, int]
) -> None:
    assert compare(notes(*ours), notes(*theirs)).kinds == kinds
