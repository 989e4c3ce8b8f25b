"""Sessions whose client is gone and may come back."""

from collections import Counter
from time import monotonic

from rhythmd.addresses import is_loopback
from rhythmd.hub.sessions.session import Session

__all__ = ["Away"]


class Away:
    """Bounded, in all and for each address but loopback: beyond that the longest away gives way.

    Args:
        seconds: for which a session may be away.
    """

    def __init__(self, seconds: float, limit: int, limit_per_address: int) -> None:
        self._seconds = seconds
        self._limit = limit
        self._limit_per_address = limit_per_address
        self._since: dict[Session, float] = {}  # the longest away first
        self._per_address: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._since)

    def add(self, session: Session) -> Session | None:
        """`session` is away from now on; one that has to give way for it."""
        self._since[session] = monotonic()
        self._per_address[session.profile.address] += 1
        if (
            not is_loopback(session.profile.address)
            and self._per_address[session.profile.address] > self._limit_per_address
        ):
            return next(other for other in self._since if other.profile.address == session.profile.address)
        return next(iter(self._since)) if len(self._since) > self._limit else None

    def discard(self, session: Session) -> None:
        """`session` is back, or ended."""
        if self._since.pop(session, None) is None:
            return
        self._per_address[session.profile.address] -= 1
        if not self._per_address[session.profile.address]:
            del self._per_address[session.profile.address]

    def overdue(self) -> list[Session]:
        """Those who did not come back in time."""
        oldest = monotonic() - self._seconds
        return [session for session, since in self._since.items() if since <= oldest]
