"""What a file of sheet music may ask for, and the refusal of one that asks for more or does not parse.

The bounds are far above what people write and far below what would harm: a worker's limits of time and memory are the
second wall, for what nobody thought of.
"""

from typing import Final

from rhythmd.errors import RefusedFile
from rhythmd.midi.track import MOST_EVENTS
from rhythmd.names.texts import clean_line

__all__ = [
    "MAX_BYTES",
    "MAX_DURATION_MS",
    "MAX_EVENTS",
    "MAX_LINES",
    "MAX_NOTES",
    "MAX_TEMPO",
    "MAX_TEXT",
    "MAX_WRITTEN",
    "MAX_WRITTEN_BARS",
    "MIN_TEMPO",
    "RefusedFile",
    "at_byte",
    "at_line",
    "checked_events",
    "checked_notes",
    "checked_tempo",
    "checked_written",
    "numbered_lines",
    "printable",
    "tidy",
]

MAX_BYTES: Final = 5_242_880
"""The bytes of one file; the most that `sheets.max_bytes` may be."""

MAX_NOTES: Final = 500_000
"""Sounded notes, with repeats played: an hour at 140 a second."""

MAX_EVENTS: Final = MOST_EVENTS
"""Events of any kind in the Standard MIDI File that is given or made: a room plays no more."""

MAX_WRITTEN: Final = 100_000
"""Notes and rests as they are written in a score: an opera's act."""

MAX_WRITTEN_BARS: Final = 20_000
MAX_LINES: Final = 200_000
MAX_DURATION_MS: Final = 24 * 3_600_000
MIN_TEMPO: Final = 4.0  # quarters a minute; a tempo event of MIDI has three bytes and ends at 3.58
MAX_TEMPO: Final = 5_000.0
MAX_TEXT: Final = 200
"""Characters of a title or a name: the rest is cut off."""

_MAX_QUOTED: Final = 24


def at_line(line: int, reason: str) -> RefusedFile:
    """The refusal of a text for what stands in its line `line`, the first one being 1."""
    return RefusedFile(f"line {line}: {reason}")


def at_byte(position: int, reason: str) -> RefusedFile:
    """The refusal of a binary file for what stands at `position`, the first byte being 0."""
    return RefusedFile(f"byte {position}: {reason}")


def checked_events(count: int) -> int:
    """The number of events of a Standard MIDI File, if it is within the bound.

    Raises:
        RefusedFile: it is not.
    """
    if count > MAX_EVENTS:
        raise RefusedFile(f"it has more than {MAX_EVENTS:,} MIDI events of any kind, which no room plays")
    return count


def checked_notes(count: int) -> int:
    """The number of notes, if it is within the bound.

    Raises:
        RefusedFile: it is not.
    """
    if count > MAX_NOTES:
        raise RefusedFile(f"it has more than {MAX_NOTES:,} notes, repeats included")
    return count


def checked_written(line: int, count: int) -> int:
    """The number of notes and rests as written, if it is within the bound.

    Raises:
        RefusedFile: it is not.
    """
    if count > MAX_WRITTEN:
        raise at_line(line, f"more than {MAX_WRITTEN:,} notes, rests and bar lines are written")
    return count


def checked_tempo(line: int, tempo: float) -> float:
    """Quarters a minute, if that is within the bounds.

    Raises:
        RefusedFile: it is not.
    """
    if not MIN_TEMPO <= tempo <= MAX_TEMPO:
        raise at_line(line, f"a tempo of {tempo:g} quarters a minute is not between {MIN_TEMPO:g} and {MAX_TEMPO:g}")
    return tempo


def numbered_lines(text: str) -> list[tuple[int, str]]:
    """The lines of a text with their numbers, from 1.

    Raises:
        RefusedFile: there are more than `MAX_LINES`.
    """
    if text.count("\n") + text.count("\r") > 2 * MAX_LINES:
        raise RefusedFile(f"it has more than {MAX_LINES:,} lines")
    lines = text.splitlines()
    if len(lines) > MAX_LINES:
        raise RefusedFile(f"it has more than {MAX_LINES:,} lines")
    return list(enumerate(lines, 1))


def printable(text: str) -> str:
    """What the file says, short and harmless enough to stand in a reason."""
    shown = "".join(character if character.isprintable() else "?" for character in text[:_MAX_QUOTED])
    return f"'{shown}…'" if len(text) > _MAX_QUOTED else f"'{shown}'"


def tidy(text: str) -> str:
    """A title or a name in one line, without what cannot be shown, cut to `MAX_TEXT`."""
    line = " ".join(clean_line(text[: 4 * MAX_TEXT]).split())[:MAX_TEXT]
    return clean_line(line).strip()  # once more, since the cut may have parted what belongs together
