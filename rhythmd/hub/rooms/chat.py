"""The last lines of a room's chat."""

from collections import deque
from sys import getsizeof
from typing import Final

from rhythm_protocol.messages import ChatKind, ChatLine
from rhythmd.clock import unix_ms
from rhythmd.hub.rooms.members import Player

__all__ = ["ChatLog"]

LINE_BYTES: Final = 256
"""About what a line takes beside what it says."""


class ChatLog:
    """The history of a room: numbers lines and remembers the last `size` of those that everybody may read.

    Attributes:
        last_id: of the newest line that was numbered.
        size: about how many bytes of memory the lines take.
    """

    __slots__ = ("_lines", "last_id", "size")

    def __init__(self, size: int) -> None:
        self._lines: deque[ChatLine] = deque(maxlen=size)
        self.last_id = self.size = 0

    def line(self, kind: ChatKind, content: str, author: Player | None, to: str | None = None) -> ChatLine:
        """A new line. One that everybody may read is numbered and remembered, any other has the id 0."""
        is_numbered = kind in (ChatKind.TEXT, ChatKind.ME)
        line = ChatLine(
            id=self.last_id + 1 if is_numbered else 0,
            time=unix_ms(),
            kind=kind,
            content=content,
            user_id=author.id if author else None,
            name=author.name if author else None,
            colour=author.colour if author else None,
            to=to,
        )
        if is_numbered:
            self.add(line)
        return line

    def add(self, line: ChatLine) -> None:
        """Remember a line that was numbered elsewhere."""
        self.last_id = max(self.last_id, line.id)
        if self._lines and len(self._lines) == self._lines.maxlen:
            self.size -= _size(self._lines[0])
        self._lines.append(line)
        if self._lines:  # a room may remember none
            self.size += _size(line)

    def restore(self, lines: list[ChatLine], last_id: int = 0) -> None:
        """Begin with lines from before, oldest first. The next one's id is higher than theirs and `last_id`."""
        self.last_id = last_id
        for line in lines:
            self.add(line)

    def history(self) -> list[ChatLine]:
        return list(self._lines)

    def clear(self) -> None:
        self._lines.clear()
        self.size = 0


def _size(line: ChatLine) -> int:
    return LINE_BYTES + getsizeof(line.content)
