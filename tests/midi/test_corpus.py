"""MIDI files that other projects test with, by their hashes: so many notes, so long, and every event at its time.

None of them is kept here. Those of installed packages are found; others are if `RHYTHMD_MIDI_FILES` names their folder.
"""

import hashlib
import os
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from rhythmd.midi.parser import parse
from rhythmd.midi.reader import duration_ms, in_time
from tests.midi.naive import read_naively

HERE: Final = Path(__file__).parent
NAIVE: Final = 100_000  # bytes of a file that the second reader is asked about


class Known(NamedTuple):
    """A file: what is in it, as two readers found that had no part in each other."""

    hash: str
    notes: int
    duration_ms: int
    faults: int
    source: str
    name: str


def known() -> list[Known]:
    lines = (HERE / "corpus.txt").read_text().splitlines()[1:]
    rows = (line.split(maxsplit=5) for line in lines)
    return [Known(row[0], int(row[1]), int(row[2]), int(row[3]), row[4], row[5]) for row in rows]


def folders() -> Iterator[Path]:
    yield HERE.parents[1] / "bench" / "data"
    package = find_spec("music21")
    if package is not None and package.origin is not None:
        yield Path(package.origin).parent
    if folder := os.environ.get("RHYTHMD_MIDI_FILES"):
        yield Path(folder)


@cache
def found() -> dict[str, bytes]:
    contents = (path.read_bytes() for folder in folders() for path in folder.rglob("*.mid"))
    return {hashlib.sha256(content).hexdigest(): content for content in contents}


@pytest.mark.parametrize("file", known(), ids=lambda file: f"{file.source}/{file.name}")
def test_file_of_others_is_read_as_it_is(file: Known) -> None:
    content = found().get(file.hash)
    if content is None:
        pytest.skip(f"{file.name} of {file.source} is not on this machine")
    read = parse(content)
    assert (read.heard.notes, duration_ms(read), len(read.warnings)) == (file.notes, file.duration_ms, file.faults)
    if not read.warnings and len(content) <= NAIVE:
        # Releases differ where tracks share a channel: there a key sounds until the last track lets go of it.
        ours = [(timed.message, timed.ms) for timed in in_time(read, with_drums=True)]
        theirs = [
            (int.from_bytes(message.ljust(3, b"\0"), "big"), round(at * 1_000)) for at, message in read_naively(content)
        ]
        assert_alike(presses(ours), presses(theirs))


def presses(timed: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Those of (message, ms) that press a key."""
    return sorted((message, ms) for message, ms in timed if message >> 20 == 9 and message & 0x7F)


def assert_alike(ours: list[tuple[int, int]], theirs: list[tuple[int, int]]) -> None:
    assert [message for message, _ in ours] == [message for message, _ in theirs]
    assert all(abs(mine - yours) <= 1 for (_, mine), (_, yours) in zip(ours, theirs, strict=True))


def test_some_files_are_here() -> None:
    assert sum(file.hash in found() for file in known()) >= 2
