"""What is given up of clients when more waits than may: what they could have missed, then the slowest of them."""

from collections import defaultdict
from collections.abc import Iterable
from operator import itemgetter
from time import monotonic
from typing import Final

from rhythm_protocol.close import SLOW
from rhythmd.fairness.memory import Memory
from rhythmd.hub.sessions.session import Session
from rhythmd.hub.sessions.sessions import Sessions

__all__ = ["Relief"]

CLOSING_S: Final = 1.0
"""After which those who were closed are gone, with what waited for them; before nobody else is closed."""


class Relief:
    """Gives up logs of control messages, and closes clients that read too slowly.

    A client without its log that comes back gets its room as it is. Of those who are away those go first of whose
    network the most is kept, and of one network the longest away.

    Args:
        sessions: of all clients.
        memory: says whether something has to be given up.
        music_bytes: more than these wait for a client that counts as slow.
    """

    def __init__(self, sessions: Sessions, memory: Memory, music_bytes: int) -> None:
        self._sessions = sessions
        self._memory = memory
        self._music_bytes = music_bytes
        self._nobody_until = 0.0

    def bound_networks(self) -> int:
        """Give up logs of those networks of which more is kept than may be; how many."""
        most = self._memory.network_limit
        return sum(session.delivery.log.give_up() for size, session in self._away(self._sessions.away) if size > most)

    def forget_guests(self) -> int:
        """Give up logs of guests who are away."""
        return self._forget_away(session for session in self._sessions.away if session.player.guest)

    def forget_accounts(self) -> int:
        """Give up logs of others who are away."""
        return self._forget_away(session for session in self._sessions.away if not session.player.guest)

    def forget_connected(self) -> int:
        """Give up the biggest logs of clients that are here: they miss nothing as long as they stay."""
        here = (session for session in self._sessions if session.peer is not None)
        return self._forget(sorted(here, key=_log_size, reverse=True))

    def close_slow(self) -> int:
        """Close clients for which much waits, the most first; none that reads well."""
        now = monotonic()
        if now < self._nobody_until:
            return 0
        waiting = ((self._waiting(session), session) for session in self._sessions)
        slow = sorted(((size, one) for size, one in waiting if size > self._music_bytes), key=itemgetter(0))
        left, count = self._memory.excess, 0
        while slow and left > 0:
            size, session = slow.pop()
            if session.peer is not None:
                session.peer.drop(SLOW)
            left -= size
            count += 1
            self._nobody_until = now + CLOSING_S
        return count

    def _forget_away(self, sessions: Iterable[Session]) -> int:
        return self._forget(session for _, session in self._away(sessions))

    def _forget(self, sessions: Iterable[Session]) -> int:
        """Give up their logs, in this order, until that is enough."""
        count = 0
        for session in sessions:
            if self._memory.excess <= 0:
                break
            count += session.delivery.log.give_up()
        return count

    def _away(self, sessions: Iterable[Session]) -> list[tuple[int, Session]]:
        """In the order in which they give up their logs, each with what its network keeps until it does so."""
        networks: defaultdict[str, list[Session]] = defaultdict(list)
        for session in sessions:
            networks[self._sessions.away.network(session)].append(session)
        found: list[tuple[int, Session]] = []
        for members in networks.values():
            size = 0
            for session in reversed(members):
                size += _log_size(session)
                found.append((size, session))
        return sorted(found, key=itemgetter(0), reverse=True)

    @staticmethod
    def _waiting(session: Session) -> int:
        """Bytes that wait for a client, or came from it and were not its turn."""
        peer, backlog = session.peer, session.delivery.backlog
        if peer is None:
            return 0
        return peer.waiting_bytes() + peer.unread_bytes() + (0 if backlog is None else backlog.size)


def _log_size(session: Session) -> int:
    return session.delivery.log.size
