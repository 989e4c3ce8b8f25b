"""Which names look alike: their skeletons are the same (UTS 39, 4)."""

import re
import unicodedata
from functools import lru_cache
from importlib.resources import files
from itertools import chain
from string import ascii_lowercase
from typing import Final

__all__ = ["gist", "letters", "look"]

TABLE: Final = "lookalikes.tsv"
INVISIBLE: Final = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs", "Co"})
BLANK_LETTERS: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800")
UNNOTICED: Final = frozenset({"Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Zs", "Sk", "Sm"})
SMALL_CAPITAL: Final = re.compile("LATIN LETTER SMALL CAPITAL ([A-Z])")
DECORATED: Final = re.compile("LATIN (?:SMALL|CAPITAL) LETTER ([A-Z]) WITH .*")
LATIN: Final = (range(0x0080, 0x02B0), range(0x1D00, 0x1DC0), range(0x2C60, 0x2C80), range(0xA720, 0xAB70))
ENCLOSED: Final = (0x1F150, 0x1F170, 0x1F1E6)
"""Where alphabets of white letters on black, and of flags, begin: Unicode's data has no letters for them."""


def _read_prototypes() -> dict[int, str]:
    """What each character is taken for, by code point."""
    lines = files("rhythmd.names").joinpath(TABLE).read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines if line and not line.startswith("# ") and line != "#")
    return {ord(character): prototype for prototype, characters in rows for character in characters}


LONGEST: Final = 64
"""Characters that a name has at most. To normalise a long text takes long: for marks, by the square of their number."""
RECENT: Final = 1_024
"""Looks that are remembered: one change of a name asks for that of the old name and of the new one several times."""
PROTOTYPES: Final = _read_prototypes()  # now, because a file is not read on the loop


def _named(pattern: re.Pattern[str]) -> dict[int, str]:
    """The one letter in the names of Latin characters that are like this, by code point."""
    names = ((code, pattern.fullmatch(unicodedata.name(chr(code), ""))) for code in chain(*LATIN))
    return {code: name[1].lower() for code, name in names if name is not None}


# Made now, because on the loop nobody has time for it.
BARE_LETTERS: Final = _named(DECORATED)
"""The letters that have a hook, a stroke or the like, by code point."""
LETTERS: Final = {
    first + number: letter for first in ENCLOSED for number, letter in enumerate(ascii_lowercase)
} | _named(SMALL_CAPITAL)
"""The letters that other characters show, by code point, as they are in a look."""


@lru_cache(RECENT)
def look(text: str) -> str:
    """A key that names have in common which look alike, whatever their case, accents apart.

    What cannot be seen does not count. Letters that look alike count as one before the case is folded, and once more
    after it: `I` is taken for `l`, `CLARA` for `clara`, but `Ciara` is not `Clara`. A text that is too long for a name
    looks like nothing else.
    """
    if len(text) > LONGEST:
        return text
    once = unicodedata.normalize("NFKD", text).translate(PROTOTYPES).casefold()
    twice = unicodedata.normalize("NFKD", once).translate(PROTOTYPES)
    return " ".join("".join(character for character in twice if not _is_invisible(character)).split())


def gist(name: str) -> str:
    """The look of a name without what is easily not noticed: spaces, punctuation, operators, accents that stand alone.

    `Clara.` and `c-lara` have the same. A name with nothing else in it has its look for its gist.
    """
    if len(name) > LONGEST:
        return name
    seen = look(name)
    kept: list[str] = []
    is_on_one = False
    for character in seen.translate(LETTERS):
        category = unicodedata.category(character)
        is_on_one = category not in UNNOTICED and (is_on_one or category[0] != "M")
        if is_on_one:
            kept.append(character)
    return "".join(kept) or seen


def letters(name: str) -> str:
    """The letters and digits in the look of a name, without what is written on or around them, and all else."""
    bare = look(name).translate(LETTERS).translate(BARE_LETTERS)
    return "".join(character for character in bare if character.isalnum())


def _is_invisible(character: str) -> bool:
    is_selector = "\ufe00" <= character <= "\ufe0f" or "\U000e0000" <= character <= "\U000e0fff"
    return character in BLANK_LETTERS or is_selector or unicodedata.category(character) in INVISIBLE
