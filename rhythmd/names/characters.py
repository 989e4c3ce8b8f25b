"""Which characters may stand in a name: those that can be seen, and the invisible ones that scripts and emoji need.

It follows PRECIS (RFC 8264, FreeformClass) but for two things: emoji sequences keep their joiners and selectors, and
characters are refused that PRECIS lets pass and no font shows. No library of PRECIS makes these exceptions.
"""

import re
import unicodedata
from typing import Final

__all__ = ["SHAPERS", "problem_at"]

BLANKS: Final = frozenset("\u115f\u1160\u3164\uffa0\u2800\U0001d159\ufffc\ufffd\U00016fe4")
"""Fillers and blank symbols: letters and symbols by their category, and nothing to see."""
IGNORABLE: Final = frozenset("\u034f\u17b4\u17b5")
VISIBLE_FORMAT: Final = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u08e2\U000110bd\U000110cd")
"""Signs that stand around digits: format characters by their category, and visible."""

ZWNJ: Final = "\u200c"
ZWJ: Final = "\u200d"
EMOJI_SELECTORS: Final = "\ufe0e\ufe0f"
VIRAMA: Final = 9  # a combining class
RIGHT_TO_LEFT: Final = "AL"  # the bidirectional class of the scripts whose letters join

MOST_DIACRITICS: Final = 2  # that one letter has above and below it, where it has no form of its own with them
MOST_MARKS: Final = 4  # of scripts that write vowels, tones and points as marks
DIACRITICS: Final = ((0x0300, 0x036F), (0x0483, 0x0489), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x20D0, 0x20FF),
                     (0xFE20, 0xFE2F))  # fmt: skip
EMOJI: Final = ((0x203C, 0x203C), (0x2049, 0x2049), (0x2122, 0x2122), (0x2139, 0x2139), (0x2190, 0x21FF),
                (0x2300, 0x27BF), (0x2900, 0x297F), (0x2B00, 0x2BFF), (0x3030, 0x303D), (0x3297, 0x3299),
                (0x1F000, 0x1FAFF))  # fmt: skip
IDEOGRAPHS: Final = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF))
MONGOLIAN: Final = ((0x1820, 0x18AA),)
KEYCAPS: Final = frozenset("0123456789#*")
EMOJI_LETTERS: Final = frozenset("\u00a9\u00ae") | KEYCAPS

SELECTORS: Final = ((0x180B, 0x180F), (0xFE00, 0xFE0F), (0xE0100, 0xE01EF))
TAGS: Final = ((0xE0000, 0xE007F),)
FLAGS: Final = re.compile("\U0001f3f4\U000e0067\U000e0062(?:\U000e0065\U000e006e\U000e0067|"
                          "\U000e0073\U000e0063\U000e0074|\U000e0077\U000e006c\U000e0073)\U000e007f")  # fmt: skip
"""England, Scotland and Wales: all the flags that tag characters make."""

SHAPERS: Final = (ZWNJ, ZWJ)

Ranges = tuple[tuple[int, int], ...]


def _is_in(character: str, ranges: Ranges) -> bool:
    code = ord(character) if character else -1
    return any(first <= code <= last for first, last in ranges)


def _is_emoji(character: str) -> bool:
    return _is_in(character, EMOJI) or character in EMOJI_LETTERS


def problem_at(text: str) -> int | None:
    """Where the first character stands that may not be in a name; None if all may.

    Args:
        text: in one line, spaces replaced by U+0020, in NFC.
    """
    marks = diacritics = 0
    without_flags = FLAGS.sub(lambda flag: "\U0001f3f4" * len(flag.group()), text)
    for index, character in enumerate(without_flags):
        category = unicodedata.category(character)
        if category in ("Mn", "Me") and not _is_in(character, SELECTORS):
            marks += 1
            diacritics += _is_in(character, DIACRITICS)
            has_base = index > 0 and without_flags[index - 1] != " "
            if not has_base or marks > MOST_MARKS or diacritics > MOST_DIACRITICS or character in IGNORABLE:
                return index
            continue
        if not _may_stand(without_flags, index, category):
            return index
        if category != "Mc" and not _is_in(character, SELECTORS):
            marks = diacritics = 0
    return None


def _may_stand(text: str, index: int, category: str) -> bool:
    character = text[index]
    if character in SHAPERS:
        return _may_shape(text, index)
    if _is_in(character, SELECTORS):
        return _may_select(text[index - 1] if index else "", character)
    if character in BLANKS or _is_in(character, TAGS):
        return False
    if category == "Cf":
        return character in VISIBLE_FORMAT
    if category == "Cn":  # an emoji that is newer than what this program knows
        return _is_in(character, EMOJI)
    return category not in ("Cc", "Cs", "Co", "Zl", "Zp") and (category != "Zs" or character == " ")


def _may_select(base: str, selector: str) -> bool:
    """Whether a variation selector may stand behind `base`: it makes an emoji, or another form of an ideograph."""
    if selector in EMOJI_SELECTORS:
        return _is_emoji(base)
    if _is_in(selector, ((0x180B, 0x180F),)):
        return _is_in(base, MONGOLIAN)
    return _is_in(base, IDEOGRAPHS)


def _may_shape(text: str, index: int) -> bool:
    """Whether a joiner or non-joiner may stand there (RFC 5892, A.1 and A.2), or joins two emoji."""
    before, after = text[:index], text[index + 1 : index + 2]
    if not before or not after:
        return False
    if unicodedata.combining(before[-1]) == VIRAMA:
        return unicodedata.category(after)[0] in "LM"
    if text[index] == ZWJ:
        return _is_emoji(before[-1] if before[-1] not in EMOJI_SELECTORS else before[-2:-1]) and _is_emoji(after)
    return _joins(_last_letter(before)) and _joins(after)


def _last_letter(text: str) -> str:
    """The last character that is no mark."""
    return next((character for character in reversed(text) if unicodedata.category(character)[0] != "M"), "")


def _joins(character: str) -> bool:
    return bool(character) and (unicodedata.bidirectional(character) == RIGHT_TO_LEFT or _is_in(character, MONGOLIAN))
