"""The one rule for names and status texts: how they are tidied, what is refused, and what becomes of older ones."""

import re
import unicodedata
from typing import Final

from rhythm_protocol.errors import ErrorCode
from rhythmd.errors import Refused
from rhythmd.names.characters import SHAPERS, problem_at

__all__ = ["fit_line", "fit_name", "presentable"]

WORD_BREAKS: Final = re.compile("(?<=[\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff])\u200b+")
"""Where a line may break in scripts without spaces; keyboards set it, and no reader sees it."""
NUMBER: Final = re.compile(r"#\s*\d+")
SPACES: Final = re.compile(r"[^\S\n\r\x0b\x0c\x1c-\x1f\x85\u2028\u2029]+")


def _tidy(text: str) -> str:
    """One form of each character (NFC), one space in place of several or of other ones, none around it."""
    spaced = WORD_BREAKS.sub("", SPACES.sub(" ", text).strip(" "))
    composed = unicodedata.normalize("NFC", spaced)
    return composed if len(composed) <= len(spaced) else spaced  # a few letters are longer when they are composed


def fit_name(text: str, field: str) -> str:
    """A name of a user or a room, tidied.

    Raises:
        Refused: `invalid-field`, naming `field`: nothing is to be seen of it, or a character that may not be there.
    """
    name = fit_line(text, field)
    if not _shows(name):
        raise Refused(ErrorCode.INVALID_FIELD, "expected a name that can be seen", field)
    if NUMBER.fullmatch(name):
        raise Refused(ErrorCode.INVALID_FIELD, "# and a number say which member is meant, they are no name", field)
    return name


def fit_line(text: str, field: str) -> str:
    """A line that somebody shows of themselves, tidied; it may be empty. Raises Refused as `fit_name`."""
    line = _tidy(text)
    index = problem_at(line)
    if index is not None:
        character = line[index]
        title = unicodedata.name(character, "a character without a name")
        raise Refused(ErrorCode.INVALID_FIELD, f"U+{ord(character):04X} ({title}) may not stand here", field)
    return line


def presentable(text: str, otherwise: str) -> str:
    """A name from before this rule, or from elsewhere, without what may not be in it; else `otherwise`."""
    line = _tidy(text)
    index = problem_at(line)
    while index is not None:
        line = _tidy(line[:index] + line[index + 1 :])
        index = problem_at(line)
    return line if _shows(line) and not NUMBER.fullmatch(line) else otherwise


def _shows(line: str) -> bool:
    """Whether a line whose characters may all stand in it has one that is no mark, no space and no joiner."""
    return any(character not in SHAPERS and unicodedata.category(character)[0] not in "MZ" for character in line)
