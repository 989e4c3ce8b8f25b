"""All sessions of this server: how they begin, go into rooms and out again, and end."""

import secrets
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from time import monotonic, time
from typing import Final

from rhythm_protocol.close import SLOW, Close
from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import RoomLeft
from rhythmd.addresses import customer_network, is_loopback
from rhythmd.auth.guesses import RoomGuesses
from rhythmd.clock import server_ms
from rhythmd.config import Config
from rhythmd.errors import Refused
from rhythmd.fairness.memory import Holding, Memory
from rhythmd.hub.ports import Identity, Peer
from rhythmd.hub.rooms.members import Member, Player
from rhythmd.hub.rooms.registry import Registry
from rhythmd.hub.rooms.room import Room
from rhythmd.hub.sending.pacer import Pacer
from rhythmd.hub.sessions.session import Session
from rhythmd.telemetry import Stats

__all__ = ["Away", "EndedLogins", "Sessions"]

SESSION_BYTES: Final = 8_192
"""About what a session that is away takes, with its seat and without its log."""
REMEMBERED_S: Final = 60.0  # longer than any identification takes

COLOURS: Final = (
    "#e6194b", "#f58231", "#ffe119", "#bfef45", "#3cb44b", "#42d4f4", "#4363d8", "#911eb4", "#f032e6", "#fabed4",
    "#ffd8b1", "#aaffc3", "#dcbeff", "#9a6324", "#808000", "#469990",
)  # fmt: skip


class Away:
    """Sessions whose client is gone and may come back.

    They are bounded, in all and for each address but loopback: beyond that the longest away gives way.

    Args:
        seconds: for which a session may be away at most.
        holding: counts the memory that they take.
    """

    def __init__(self, seconds: float, limit: int, limit_per_address: int, holding: Holding) -> None:
        self._seconds = seconds
        self._limit = limit
        self._limit_per_address = limit_per_address
        self._holding = holding
        self._since: dict[Session, float] = {}  # the longest away first
        self._networks: dict[Session, str] = {}  # when they went: who comes back may do so from elsewhere
        self._per_network: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._since)

    def __iter__(self) -> Iterator[Session]:
        """The longest away first."""
        return iter(self._since)

    def network(self, session: Session) -> str:
        """Where one of them was connected."""
        return self._networks[session]

    def add(self, session: Session, seconds: float | None = None) -> Session | None:
        """`session` is away from now on, for fewer `seconds` if given; one that has to give way for it."""
        shorter = 0.0 if seconds is None else max(self._seconds - seconds, 0.0)
        self._since[session] = monotonic() - shorter
        network = self._networks[session] = customer_network(session.player.address)
        self._per_network[network] += 1
        self._holding.take(SESSION_BYTES)
        if not is_loopback(session.player.address) and self._per_network[network] > self._limit_per_address:
            return next(other for other in self._since if self._networks[other] == network)
        return next(iter(self._since)) if len(self._since) > self._limit else None

    def discard(self, session: Session) -> None:
        """`session` is back, or ended."""
        if self._since.pop(session, None) is None:
            return
        self._holding.give(SESSION_BYTES)
        network = self._networks.pop(session)
        self._per_network[network] -= 1
        if not self._per_network[network]:
            del self._per_network[network]

    def overdue(self) -> list[Session]:
        """Those who did not come back in time."""
        oldest = monotonic() - self._seconds
        return [session for session, since in self._since.items() if since <= oldest]


class EndedLogins:
    """The ids of logins that ended a moment ago.

    A login may be looked up in the store just before its end, and the answer come just after it.
    """

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until: dict[str, float] = {}  # the oldest first

    def add(self, login_ids: Iterable[str]) -> None:
        now = monotonic()
        while self._until and next(iter(self._until.values())) <= now:
            del self._until[next(iter(self._until))]
        self._until |= dict.fromkeys(login_ids, now + REMEMBERED_S)

    def __contains__(self, login_id: str) -> bool:
        return login_id in self._until


class Sessions:
    """The sessions by key, connected and away.

    Args:
        config: the limits.
        stats: counts refusals.
        pacer: of the loop.
        registry: of live rooms; a room that the last session leaves is freed there.
        memory: counts what waits.

    Attributes:
        ended_logins: logins that ended a moment ago.
        away: the sessions whose client is gone and may come back.
        guesses: at the passwords of rooms.
        stopping: the server goes down, and takes nothing new.
    """

    def __init__(self, config: Config, stats: Stats, pacer: Pacer, registry: Registry, memory: Memory) -> None:
        self._config = config
        self._stats = stats
        self._pacer = pacer
        self._registry = registry
        self._memory = memory
        self._sessions: dict[str, Session] = {}
        self.away = Away(
            config.hub.resume_s, config.limits.connections, config.limits.connections_per_address, memory.of("away")
        )
        self.ended_logins = EndedLogins()
        self.guesses = RoomGuesses(config.auth, server_ms)
        self.stopping = False

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[Session]:
        """All sessions of this moment, whatever becomes of them meanwhile."""
        return iter(list(self._sessions.values()))

    def __contains__(self, key: str) -> bool:
        return key in self._sessions

    def get(self, key: str) -> Session | None:
        return self._sessions.get(key)

    def of_user(self, user_id: str) -> list[Session]:
        return [session for session in self._sessions.values() if session.player.id == user_id]

    def of_member(self, member: Member) -> Session:
        """The session that sits there."""
        return self._sessions[member.occupant.key]

    # Beginning and ending

    def open(self, peer: Peer[Session], identity: Identity | None, browser: str = "") -> Session:
        """A session for a known user or for a new guest. Guests are given a name and a colour."""
        name = identity.name if identity else None
        colour = identity.colour if identity else None
        player = Player(
            identity.user_id if identity else secrets.token_hex(8),
            name or f"Guest {1000 + secrets.randbelow(9000)}",
            colour or secrets.choice(COLOURS),
            peer.address,
            guest=identity is None or identity.guest,
            bot=peer.bot,
        )
        player.browser = browser
        player.since = time() if player.guest or identity is None else identity.made
        if identity is not None:
            player.roles = identity.roles
            player.status_text = identity.status_text
            player.muted_until = identity.muted_until
        session = self._add(player, identity)
        session.connect(peer)
        return session

    def restore(self, key: str, player: Player, identity: Identity | None) -> Session:
        """A session from before the server's start; its client is away."""
        session = self._add(player, identity, key)
        session.delivery.log.restart()
        return session

    def _add(self, player: Player, identity: Identity | None, key: str | None = None) -> Session:
        session = Session(player, identity, self._config, self._stats.refusals, self._close_as_slow, self._memory, key)
        self._sessions[session.key] = session
        return session

    def _close_as_slow(self, session: Session) -> None:
        """Not at once: its room is in the middle of writing, and whom it has not reached would hear of it first."""
        if session.peer is not None:
            self._pacer.soon(partial(session.peer.close, SLOW))

    def wait_for(self, session: Session, seconds: float | None = None) -> None:
        """The client of `session` is away and may come back; if too many are, another one may not any more.

        Args:
            seconds: for which it may, if they are fewer than usual.
        """
        gives_way = self.away.add(session, seconds)
        if gives_way is not None:
            self.end(gives_way, "lost")

    def close(self, session: Session, rule: Close) -> None:
        """Close the socket of `session`; one whose client is away ends."""
        if session.peer is not None:
            session.peer.close(rule)
        else:
            self.end(session, "lost")

    def end(self, session: Session, reason: str) -> None:
        """`session` is over, and whoever waits for it need not wait longer."""
        self.leave(session, reason)
        self.away.discard(session)
        self.forget(session)
        session.waiting = None
        session.settle()

    def forget(self, session: Session) -> None:
        """`session` is nobody's any more: it ended, or its socket speaks for another one."""
        self._sessions.pop(session.key, None)
        session.delivery.end()

    def require_connected(self, session: Session) -> None:
        """Raise Refused when `session` was lost while its message waited."""
        if session.key not in self._sessions:
            raise Refused(ErrorCode.CONNECTION_LOST, "the connection is gone")

    def require_still_in(self, session: Session, room: Room) -> None:
        """Raise Refused when `session` was lost, or has left `room`, while its message waited."""
        self.require_connected(session)
        if session.require_place().room is not room:
            raise Refused(ErrorCode.NOT_IN_ROOM, "you have left this room")

    def require_running(self) -> None:
        """Raise Refused when the server goes down."""
        if self.stopping:
            raise Refused(ErrorCode.STOPPING, "the server is going down")

    # In a room

    def seat(self, session: Session, room: Room, *, as_owner: bool) -> Member:
        """Give `session` a place in `room`."""
        member = room.add(session, as_owner=as_owner)
        session.sit(room, member)
        if session.peer is None:
            room.part(member)
        return member

    def take_over(self, session: Session, room: Room, member: Member) -> None:
        """Give `session` the seat of its user's older one. The room hears only what is different about the user."""
        older = self.of_member(member)
        room.release(member)
        room.fanout.discard(member.delivery)
        room.playout.forget(member.slot)
        room.keeper.seat_left(member)
        older.place = None
        older.send("room-left", RoomLeft(room.id, "replaced", "you joined from somewhere else"))
        before = member.as_user()
        member.give_to(session)
        room.sanctions.seat(member, before.name)
        member.reconnecting = session.peer is None
        if member.as_user() == before:
            room.keeper.seat_taken(member)
        else:
            room.member_changed(member)
        room.fanout.add(member.delivery)
        session.sit(room, member)
        if room.owner is None and room.keeper.passes_ownership:
            room.pass_ownership()

    def leave(self, session: Session, reason: str) -> None:
        """Take `session` out of its room, if it is in one; an empty room is freed."""
        if session.place is None:
            return
        room, member = session.place
        session.place = None
        room.remove(member, reason)
        self._registry.free(room)

    def expel(self, room: Room, member: Member, reason: str, message: str, seconds: int | None = None) -> None:
        """Take `member` out of `room` and tell them why."""
        session = self.of_member(member)
        self.leave(session, reason)
        session.send("room-left", RoomLeft(room.id, reason, message, seconds))
