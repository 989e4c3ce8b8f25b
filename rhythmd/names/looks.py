"""Which names look alike: their skeletons are the same (UTS 39, 4)."""

import re
import unicodedata
from functools import cache
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


PROTOTYPES: Final = _read_prototypes()  # now, because a file is not read on the loop


def look(text: str) -> str:
    """A key that names have in common which look alike, whatever their case, accents apart.

    What cannot be seen does not count. Letters that look alike count as one before the case is folded, and once more
    after it: `I` is taken for `l`, `CLARA` for `clara`, but `Ciara` is not `Clara`.
    """
    once = unicodedata.normalize("NFKD", text).translate(PROTOTYPES).casefold()
    twice = unicodedata.normalize("NFKD", once).translate(PROTOTYPES)
    return " ".join("".join(character for character in twice if not _is_invisible(character)).split())


def gist(name: str) -> str:
    """The look of a name without what is easily not noticed: spaces, punctuation, operators, accents that stand alone.

    `Clara.` and `c-lara` have the same. A name with nothing else in it has its look for its gist.
    """
    seen = look(name)
    kept: list[str] = []
    is_on_one = False
    for character in seen.translate(_letters()):
        category = unicodedata.category(character)
        is_on_one = category not in UNNOTICED and (is_on_one or category[0] != "M")
        if is_on_one:
            kept.append(character)
    return "".join(kept) or seen


def letters(name: str) -> str:
    """The letters and digits in the look of a name, without what is written on or around them, and all else."""
    bare = look(name).translate(_letters()).translate(_bare_letters())
    return "".join(character for character in bare if character.isalnum())


@cache
def _letters() -> dict[int, str]:
    """The letters that other characters show, by code point, as they are in a look."""
    shown = {first + number: letter for first in ENCLOSED for number, letter in enumerate(ascii_lowercase)}
    return shown | _named(SMALL_CAPITAL)


@cache
def _bare_letters() -> dict[int, str]:
    """The letters that have a hook, a stroke or the like, by code point."""
    return _named(DECORATED)


def _named(pattern: re.Pattern[str]) -> dict[int, str]:
    """The one letter in the names of Latin characters that are like this, by code point."""
    names = ((code, pattern.fullmatch(unicodedata.name(chr(code), ""))) for code in chain(*LATIN))
    return {code: name[1].lower() for code, name in names if name is not None}


def _is_invisible(character: str) -> bool:
    is_selector = "\ufe00" <= character <= "\ufe0f" or "\U000e0000" <= character <= "\U000e0fff"
    return character in BLANK_LETTERS or is_selector or unicodedata.category(character) in INVISIBLE
