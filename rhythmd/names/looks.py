"""Which names look alike: their skeletons are the same (UTS 39, 4)."""

import unicodedata
from functools import cache
from importlib.resources import files
from typing import Final

__all__ = ["look"]

TABLE: Final = "lookalikes.tsv"
INVISIBLE: Final = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs", "Co"})
BLANK_LETTERS: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800")


@cache
def _prototypes() -> dict[int, str]:
    """What each character is taken for, by code point."""
    lines = files("rhythmd.names").joinpath(TABLE).read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines if line and not line.startswith("# ") and line != "#")
    return {ord(character): prototype for prototype, characters in rows for character in characters}


def look(text: str) -> str:
    """A key that names have in common which look alike, whatever their case, accents apart.

    What cannot be seen does not count. Letters that look alike count as one before the case is folded, and once more
    after it: `I` is taken for `l`, `CLARA` for `clara`, but `Ciara` is not `Clara`.
    """
    once = unicodedata.normalize("NFKD", text).translate(_prototypes()).casefold()
    twice = unicodedata.normalize("NFKD", once).translate(_prototypes())
    return " ".join("".join(character for character in twice if not _is_invisible(character)).split())


def _is_invisible(character: str) -> bool:
    is_selector = "\ufe00" <= character <= "\ufe0f" or "\U000e0000" <= character <= "\U000e0fff"
    return character in BLANK_LETTERS or is_selector or unicodedata.category(character) in INVISIBLE
