"""Which session a client resumes after a lost connection, and how much of it has come: PROTOCOL.md, "Resuming"."""

from typing import Final

from rhythm_protocol.messages import SERVER_MESSAGES, Resume, ResumeAck

__all__ = ["UNCOUNTED", "SessionCounter"]

UNCOUNTED: Final = frozenset(type_ for type_, row in SERVER_MESSAGES.items() if not row.is_counted)
"""The types that say how things are now, and are not sent again. The ack of a resume is not counted either."""


class SessionCounter:
    """The count of what comes in a session, carried over from one socket to the next.

    The client calls it for every control message, in the order in which they come. A client that comes back and does
    not want to resume calls `forget` first.

    Attributes:
        session: the token of the session that this socket speaks for; None before the first welcome.
        received: how many counted control messages of it have come.
    """

    __slots__ = ("_earlier", "received", "session")

    def __init__(self) -> None:
        self.session: str | None = None
        self.received = 0
        self._earlier: Resume | None = None

    @property
    def resume(self) -> Resume | None:
        """What to send first on a socket that got its welcome; None if there is no session to resume."""
        return self._earlier

    def welcomed(self, session: str) -> None:
        """A new socket got its `welcome`, with this token."""
        # If no answer has settled an earlier session yet, that one is resumed, not the one that this socket replaces.
        if self._earlier is None and self.session is not None:
            self._earlier = Resume(self.session, self.received)
        self.session = session
        self.received = 0

    def heard(self, type_: str) -> None:
        """A control message came. The ack of a resume may come here too, because `resumed` sets the count anew."""
        if type_ not in UNCOUNTED:
            self.received += 1

    def resumed(self, ack: ResumeAck) -> None:
        """The server answered the `resume`: this socket speaks for the earlier session."""
        self.session = ack.session
        self.received = self._earlier.received if self._earlier is not None and ack.recovered else 0
        self._earlier = None

    def refused(self) -> None:
        """An error answered the `resume`: the session of this socket's welcome is the one that continues."""
        self._earlier = None

    def forget(self) -> None:
        """The session is over; the next socket starts afresh."""
        self.session = None
        self._earlier = None
