"""The one rule for texts, as against names: what people say and describe is cleaned, not refused.

Left out are control characters, what only hides something, stacks of marks that no language needs, and bidirectional
formatting that would turn what follows. Emoji, joiners and direction marks stay as they were written.
"""

import re
import unicodedata
from typing import Final

from rhythmd.names.characters import BLANKS, FLAGS, IGNORABLE, MARKS, MarkCount, is_ignorable

__all__ = ["clean_line", "clean_lines", "shows"]

BREAKS: Final = re.compile("\r\n|[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")

MEANT: Final = frozenset(
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180e\u180f\u200b\u200c\u200d\u200e\u200f\u2060"
    "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
"""What shows nothing, and shapes what stands beside it."""
SELECTORS: Final = frozenset(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
CONTROLS: Final = (*range(0x20), *range(0x7F, 0xA0), *range(0xD800, 0xE000))
"""Categories Cc and Cs."""
ANNOTATIONS: Final = range(0xFFF9, 0xFFFC)
NONCHARACTERS: Final = (*range(0xFDD0, 0xFDF0), *(plane | last for plane in range(0, 0x110000, 0x10000)
                                                  for last in (0xFFFE, 0xFFFF)))  # fmt: skip
"""What Unicode keeps from ever being a character."""

EMBEDDINGS: Final = frozenset("\u202a\u202b\u202d\u202e")
POP_EMBEDDING: Final = "\u202c"
ISOLATES: Final = frozenset("\u2066\u2067\u2068")
POP_ISOLATE: Final = "\u2069"


UNWANTED: Final = (IGNORABLE - MEANT - SELECTORS).union(map(chr, (*CONTROLS, *ANNOTATIONS, *NONCHARACTERS)))
FLAG_PARTS: Final = re.compile(f"({FLAGS.pattern})")
FORMATTING: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")


def clean_lines(text: str) -> str:
    """A text of several lines, each cleaned, with `\\n` between them. It never becomes longer."""
    return "\n".join(_clean(line) for line in BREAKS.split(text))


def clean_line(text: str) -> str:
    """A text in one line. It never becomes longer."""
    return _clean(BREAKS.sub(" ", text))


def shows(text: str) -> bool:
    """Whether there is anything to see in a text."""
    return any(
        unicodedata.category(character)[0] not in "CMZ" and character not in BLANKS and not is_ignorable(character)
        for character in text
    )


# Texts are long, and the loop looks at all of each: so these steps look at a whole line at once, where they can.


def _clean(line: str) -> str:
    line = line.replace("\t", " ")
    if line.isascii() and line.isprintable():
        return line
    line = _without_unclosed(line)
    if not UNWANTED.isdisjoint(line):
        # Flags are made of characters that may stand nowhere else.
        line = "".join(part if FLAGS.fullmatch(part) else _without_unwanted(part) for part in FLAG_PARTS.split(line))
    if not MARKS.isdisjoint(line):
        line = "".join(filter(MarkCount().has_room_for, line))
    return line


def _without_unwanted(text: str) -> str:
    return "".join(character for character in text if character not in UNWANTED)


def _without_unclosed(line: str) -> str:
    """The line without bidirectional formatting that does not end in it, or ends and has not begun (UAX 9)."""
    dropped: set[int] = set()
    opened: list[int] = []
    for found in FORMATTING.finditer(line):
        index, character = found.start(), found[0]
        if character in EMBEDDINGS or character in ISOLATES:
            opened.append(index)
        elif character == POP_EMBEDDING:
            if opened and line[opened[-1]] in EMBEDDINGS:
                opened.pop()
            else:
                dropped.add(index)
        else:
            while opened and line[opened[-1]] in EMBEDDINGS:
                dropped.add(opened.pop())
            if opened:
                opened.pop()
            else:
                dropped.add(index)
    dropped.update(opened)
    if not dropped:
        return line
    return "".join(character for index, character in enumerate(line) if index not in dropped)
