"""Which characters may stand in a name: those that can be seen, and the invisible ones that scripts and emoji need.

It follows PRECIS (RFC 8264, FreeformClass) but for two things: emoji sequences keep their joiners and selectors, and
characters are refused that PRECIS lets pass and no font shows. No library of PRECIS makes these exceptions.
"""

import re
import unicodedata
from typing import Final

__all__ = ["BLANKS", "FLAGS", "IGNORABLE", "MARKS", "SHAPERS", "MarkCount", "is_ignorable", "problem_at"]

DEFAULT_IGNORABLE: Final = (
    (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
    (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip
"""Unicode's property Default_Ignorable_Code_Point (DerivedCoreProperties.txt, 15.1): what fonts show as nothing."""
IGNORABLE: Final = frozenset(chr(code) for first, last in DEFAULT_IGNORABLE for code in range(first, last + 1))
"""The same as a set, since long texts are read."""
MARKS: Final = frozenset(
    chr(code)
    for code in (*range(0x300, 0x20000), *range(0xE0100, 0xE01F0))
    if unicodedata.category(chr(code))[0] == "M"
)
"""What is written on a letter before it (categories Mn, Mc and Me). None stands anywhere else."""
BLANKS: Final = frozenset("\u2800\ufffc\ufffd\U00016fe4\U0001d159")
"""Symbols by their category, and nothing to see, or nothing but that something is missing."""
DESCRIPTIONS: Final = ((0x2FF0, 0x2FFF), (0x303E, 0x303E), (0x31EF, 0x31EF))
"""What describes an ideograph, and is none."""
BEFORE_DIGITS: Final = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u08e2\U000110bd\U000110cd")
"""Signs that digits stand in: format characters by their category, and visible."""
STACKERS: Final = frozenset(
    "\u1039\u17d2\u1a60\u1bab\u2d7f\uaaf6\U00010a3f\U0001107f\U00011133\U000113d0\U0001193e\U00011a47"
    "\U00011a99\U00011d45\U00011d97\U00011f42"
)
"""Marks that show nothing, but put the letter after them below the one before (Invisible_Stacker, and joiners)."""

ZWNJ: Final = "\u200c"
ZWJ: Final = "\u200d"
EMOJI_SELECTORS: Final = "\ufe0e\ufe0f"
VIRAMA: Final = 9  # a combining class
RIGHT_TO_LEFT: Final = "AL"  # the bidirectional class of the scripts whose letters join

MOST_DIACRITICS: Final = 2  # that one letter has above and below it, where it has no form of its own with them
MOST_MARKS: Final = 5  # of scripts that write vowels, tones and points as marks; Burmese needs as many
_DIACRITICS: Final = ((0x0300, 0x036F), (0x0483, 0x0489), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x20D0, 0x20FF),
                      (0xFE20, 0xFE2F))  # fmt: skip
DIACRITICS: Final = frozenset(chr(code) for first, last in _DIACRITICS for code in range(first, last + 1))
EMOJI: Final = ((0x203C, 0x203C), (0x2049, 0x2049), (0x2122, 0x2122), (0x2139, 0x2139), (0x2190, 0x21FF),
                (0x2300, 0x27BF), (0x2900, 0x297F), (0x2B00, 0x2BFF), (0x3030, 0x303D), (0x3297, 0x3299),
                (0x1F000, 0x1FAFF))  # fmt: skip
NEWER_EMOJI: Final = ((0x1F6D0, 0x1F6FF), (0x1F7F0, 0x1F7FF), (0x1F900, 0x1F9FF), (0x1FA70, 0x1FAFF))
"""Where Unicode puts the emoji of every year, also those that this program does not know yet."""
IDEOGRAPHS: Final = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF))
MONGOLIAN: Final = ((0x1820, 0x18AA),)
VOWEL_SEPARATOR: Final = "\u180e"
MONGOLIAN_SELECTORS: Final = ((0x180B, 0x180F),)
KEYCAPS: Final = frozenset("0123456789#*")
EMOJI_LETTERS: Final = frozenset("\u00a9\u00ae") | KEYCAPS

SELECTORS: Final = ((0x180B, 0x180D), (0x180F, 0x180F), (0xFE00, 0xFE0F), (0xE0100, 0xE01EF))
TAGS: Final = ((0xE0000, 0xE007F),)
FLAGS: Final = re.compile("\U0001f3f4\U000e0067\U000e0062(?:\U000e0065\U000e006e\U000e0067|"
                          "\U000e0073\U000e0063\U000e0074|\U000e0077\U000e006c\U000e0073)\U000e007f")  # fmt: skip
"""England, Scotland and Wales: all the flags that tag characters make."""
BLACK_FLAG: Final = "\U0001f3f4"

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
    marks = MarkCount()
    without_flags = FLAGS.sub(lambda flag: BLACK_FLAG * len(flag.group()), text)
    for index, character in enumerate(without_flags):
        if not marks.has_room_for(character) or not _may_stand(without_flags, index):
            return index
    return None


class MarkCount:
    """How many marks stand on one letter, of all kinds (Mn, Mc, Me), in a text that is read character by character.

    The bound is that of UTS 39, 5.4, and one more: no mark stands twice, and not more than any language needs.
    """

    __slots__ = ("_diacritics", "_last", "_marks")

    def __init__(self) -> None:
        self._marks = self._diacritics = 0
        self._last = ""

    def has_room_for(self, character: str) -> bool:
        """Whether `character` may come next; it is counted if it may. What is invisible ends nothing."""
        if character in IGNORABLE:
            return True
        if character not in MARKS:
            self._marks = self._diacritics = 0
            self._last = ""
            return True
        is_diacritic = character in DIACRITICS
        if character == self._last or self._marks >= MOST_MARKS or self._diacritics + is_diacritic > MOST_DIACRITICS:
            return False
        self._marks += 1
        self._diacritics += is_diacritic
        self._last = character
        return True


def is_mark(character: str) -> bool:
    """Whether it is written on a letter before it."""
    return character in MARKS


def is_ignorable(character: str) -> bool:
    """Whether it shows nothing, whatever its category."""
    return character in IGNORABLE


def _may_stand(text: str, index: int) -> bool:
    character = text[index]
    if character in SHAPERS:
        return _may_shape(text, index)
    before, after = text[index - 1] if index else " ", text[index + 1 : index + 2]
    if _is_in(character, SELECTORS):
        return _may_select(before, character)
    if character == VOWEL_SEPARATOR:
        return _is_in(before, MONGOLIAN) and _is_in(after, MONGOLIAN)
    if is_ignorable(character) or character in BLANKS or _is_in(character, DESCRIPTIONS):
        return False
    category = unicodedata.category(character)
    if category[0] == "M":
        return before != " " and (character not in STACKERS or _may_stack(text[:index], character, after))
    if category == "Cf":
        return character in BEFORE_DIGITS and after.isdecimal()
    if category == "Cn":
        return _is_in(character, NEWER_EMOJI)
    return category not in ("Cc", "Cs", "Co", "Zl", "Zp") and (category != "Zs" or character == " ")


def _may_stack(before: str, stacker: str, after: str) -> bool:
    """Whether a stacker stands between two letters or digits of its script."""
    return script(_last_letter(before)) == script(stacker) == script(after) and not is_mark(after)


def script(character: str) -> str:
    """The first word of its name, which is that of its script, if it has one; nothing for no character."""
    return unicodedata.name(character, "").partition(" ")[0] if character else ""


def _may_select(base: str, selector: str) -> bool:
    """Whether a variation selector may stand behind `base`: it makes an emoji, or another form of an ideograph."""
    if selector in EMOJI_SELECTORS:
        return _is_emoji(base)
    if _is_in(selector, MONGOLIAN_SELECTORS):
        return _is_in(base, MONGOLIAN)
    return _is_in(base, IDEOGRAPHS)


def _may_shape(text: str, index: int) -> bool:
    """Whether a joiner or non-joiner may stand there (RFC 5892, A.1 and A.2), or joins two emoji."""
    before, after = text[:index], text[index + 1 : index + 2]
    if not before:
        return False
    if unicodedata.combining(before[-1]) == VIRAMA:  # also at a word's end: it chooses the form of the last letter
        return before[-1] not in STACKERS
    if not after:
        return False
    if text[index] == ZWJ:
        return _is_emoji(before[-1] if before[-1] not in EMOJI_SELECTORS else before[-2:-1]) and _is_emoji(after)
    return _joins(_last_letter(before)) and _joins(after)


def _last_letter(text: str) -> str:
    """The last character that is no mark."""
    return next((character for character in reversed(text) if unicodedata.category(character)[0] != "M"), "")


def _joins(character: str) -> bool:
    return bool(character) and (unicodedata.bidirectional(character) == RIGHT_TO_LEFT or _is_in(character, MONGOLIAN))
