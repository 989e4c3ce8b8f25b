"""The one rule for texts, as against names: what people say and describe is cleaned, not refused.

Left out are control characters, what only hides something, stacks of marks that no language needs, and bidirectional
formatting that would turn what follows. Emoji, joiners and direction marks stay as they were written.
"""

import re
import unicodedata
from typing import Final

from rhythmd.names.characters import BLANKS, FLAGS, MarkCount, is_ignorable, is_noncharacter

__all__ = ["clean_line", "clean_lines", "shows"]

BREAKS: Final = re.compile("\r\n|[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
MEANT: Final = frozenset(
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180e\u180f\u200b\u200c\u200d\u200e\u200f\u2060"
    "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
"""What shows nothing, and shapes what stands beside it."""
SELECTORS: Final = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
ANNOTATIONS: Final = frozenset("\ufff9\ufffa\ufffb")

EMBEDDINGS: Final = frozenset("\u202a\u202b\u202d\u202e")
POP_EMBEDDING: Final = "\u202c"
ISOLATES: Final = frozenset("\u2066\u2067\u2068")
POP_ISOLATE: Final = "\u2069"


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


def _clean(line: str) -> str:
    line = line.replace("\t", " ")
    if line.isascii() and line.isprintable():
        return line
    marks = MarkCount()
    flags = {index for flag in FLAGS.finditer(line) for index in range(*flag.span())}
    dropped = _unclosed(line)
    kept = (
        character
        for index, character in enumerate(line)
        if index in flags or (index not in dropped and _may_stand(character) and marks.has_room_for(character))
    )
    return "".join(kept)


def _may_stand(character: str) -> bool:
    if is_ignorable(character):
        return character in MEANT or SELECTORS.match(character) is not None
    is_control = unicodedata.category(character) in ("Cc", "Cs")
    return not is_control and character not in ANNOTATIONS and not is_noncharacter(character)


def _unclosed(line: str) -> set[int]:
    """Where bidirectional formatting begins that does not end in this line, or ends that has not begun (UAX 9)."""
    dropped: set[int] = set()
    opened: list[int] = []
    for index, character in enumerate(line):
        if character in EMBEDDINGS or character in ISOLATES:
            opened.append(index)
        elif character == POP_EMBEDDING:
            if opened and line[opened[-1]] in EMBEDDINGS:
                opened.pop()
            else:
                dropped.add(index)
        elif character == POP_ISOLATE:
            while opened and line[opened[-1]] in EMBEDDINGS:
                dropped.add(opened.pop())
            if opened:
                opened.pop()
            else:
                dropped.add(index)
    return dropped.union(opened)
