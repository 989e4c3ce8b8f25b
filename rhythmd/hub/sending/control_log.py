"""The control messages that a client may not have got."""

from rhythmd.hub.sending.outbound import Message

__all__ = ["ControlLog"]


class ControlLog:
    """Counts a session's control messages and keeps those that are not confirmed: the last, within two limits.

    Attributes:
        count: how many there were.
        is_agreed: the client counts from where this does; not sure between `restart` and the next confirmation.
    """

    __slots__ = ("_asked", "_limit", "_limit_bytes", "_messages", "_size", "count", "is_agreed")

    def __init__(self, limit: int, limit_bytes: int) -> None:
        self.count = 0
        self.is_agreed = True
        self._limit = limit
        self._limit_bytes = limit_bytes
        # With their sizes. An empty deque takes 600 bytes, of each idle connection.
        self._messages: list[tuple[Message, int]] = []
        self._size = 0
        self._asked = 0

    @property
    def is_confirmed(self) -> bool:
        """Whether the client has got all of them."""
        return not self._messages

    def append(self, message: Message, size: int) -> None:
        """Count `message`, which takes `size` bytes on its way."""
        self.count += 1
        self._messages.append((message, size))
        self._size += size
        while self._size > self._limit_bytes or len(self._messages) > self._limit:
            self._forget(1)

    def _forget(self, number: int) -> None:
        self._size -= sum(size for _, size in self._messages[:number])
        del self._messages[:number]

    def to_confirm(self) -> int | None:
        """The count, if the client has not been asked to confirm it yet."""
        if self._asked == self.count or (self.is_agreed and self.is_confirmed):
            return None
        self._asked = self.count
        return self.count

    def confirm(self, received: int) -> None:
        """The client has got so many of them; a number that cannot be is ignored."""
        if received <= self.count:
            self.is_agreed = True
            self._forget(max(0, len(self._messages) - (self.count - received)))

    def after(self, received: int) -> list[Message] | None:
        """The messages after the first `received`; None when they are not all here."""
        missed = self.count - received
        if not 0 <= missed <= len(self._messages):
            return None
        return [message for message, _ in self._messages[len(self._messages) - missed :]]

    def restart(self) -> None:
        """Begin to count anew. A client that does not learn of it may still come with its old count."""
        self.count = self._size = 0
        self._asked = -1
        self.is_agreed = False
        self._messages.clear()
