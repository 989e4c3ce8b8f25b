"""The control messages that a client may not have got."""

from rhythmd.hub.packet import Message

__all__ = ["ControlLog"]


class ControlLog:
    """Counts a session's control messages and keeps those that are not confirmed, the last `limit` at most.

    Attributes:
        count: how many there were.
    """

    __slots__ = ("_asked", "_limit", "_messages", "count")

    def __init__(self, limit: int) -> None:
        self.count = 0
        self._limit = limit
        self._messages: list[Message] = []  # an empty deque takes 600 bytes, of each idle connection
        self._asked = 0

    def append(self, message: Message) -> None:
        self.count += 1
        self._messages.append(message)
        if len(self._messages) > self._limit:
            del self._messages[0]

    def to_confirm(self) -> int | None:
        """The count, if the client has not been asked to confirm it yet."""
        if not self._messages or self._asked == self.count:
            return None
        self._asked = self.count
        return self.count

    def confirm(self, received: int) -> None:
        """The client has got so many of them; a number that cannot be is ignored."""
        if received <= self.count:
            del self._messages[: max(0, len(self._messages) - (self.count - received))]

    def after(self, received: int) -> list[Message] | None:
        """The messages after the first `received`; None when they are not all here."""
        missed = self.count - received
        if not 0 <= missed <= len(self._messages):
            return None
        return self._messages[len(self._messages) - missed :]

    def restart(self) -> None:
        """Begin to count anew."""
        self.count = self._asked = 0
        self._messages.clear()
