"""The control messages that a client may not have got."""

from collections import deque

from rhythmd.hub.packet import Message

__all__ = ["ControlLog"]


class ControlLog:
    """Counts a session's control messages and keeps those that are not confirmed, the last `limit` at most.

    Attributes:
        count: how many there were.
    """

    __slots__ = ("_asked", "_messages", "count")

    def __init__(self, limit: int) -> None:
        self.count = 0
        self._messages: deque[Message] = deque(maxlen=limit)
        self._asked = 0

    def append(self, message: Message) -> None:
        self.count += 1
        self._messages.append(message)

    def to_confirm(self) -> int | None:
        """The count, if the client has not been asked to confirm it yet."""
        if not self._messages or self._asked == self.count:
            return None
        self._asked = self.count
        return self.count

    def confirm(self, received: int) -> None:
        """The client has got so many of them; a number that cannot be is ignored."""
        if received <= self.count:
            for _ in range(len(self._messages) - (self.count - received)):
                self._messages.popleft()

    def after(self, received: int) -> list[Message] | None:
        """The messages after the first `received`; None when they are not all here."""
        missed = self.count - received
        if not 0 <= missed <= len(self._messages):
            return None
        return list(self._messages)[len(self._messages) - missed :]

    def restart(self) -> None:
        """Begin to count anew."""
        self.count = self._asked = 0
        self._messages.clear()
