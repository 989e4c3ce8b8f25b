"""One client: its user, the way to it, and the room it is in."""

import asyncio
import secrets
from collections import Counter, deque
from collections.abc import Callable
from time import monotonic
from typing import Final, NamedTuple

from rhythm_protocol.close import Close
from rhythm_protocol.control import Envelope
from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import Error, Right
from rhythmd.config import Config
from rhythmd.errors import Refused
from rhythmd.fairness.memory import Memory
from rhythmd.hub.ports import Identity, Peer
from rhythmd.hub.rooms.members import Member, Player
from rhythmd.hub.rooms.quota import TokenBucket
from rhythmd.hub.rooms.room import Room
from rhythmd.hub.sending.delivery import ControlLog, Delivery
from rhythmd.hub.sending.outbound import ControlMessage

__all__ = ["Place", "Session", "require_right"]


ENVELOPE_BYTES: Final = 200
"""About what a message that waits takes beside its data."""


class Place(NamedTuple):
    """Where a session is."""

    room: Room
    member: Member


class Session:
    """A client. It outlives its socket for a while, so that the client can come back to it.

    Args:
        player: the user.
        identity: what they proved to be; None for one who proved nothing.
        config: the limits.
        refusals: counts errors by code.
        on_overflow: called when more waits for the client than may.
        memory: counts what waits.
        key: of a session from before the server's start.

    Attributes:
        key: what the client shows to resume; tells sessions apart.
        peer: the socket; None while the client is away.
        delivery: what the client gets.
        place: the room and the member that it is there; None while it is in no room.
        waiting: messages behind one whose handler waits.
        last_id: of the last message with an id that was handled.
        login_error: why the login that its browser showed does not count; None if it did, or showed none.
    """

    __slots__ = (
        "_idle", "_refusals", "bucket", "delivery", "identity", "key", "last_id", "login_error", "peer", "place",
        "player", "waiting",
    )  # fmt: skip

    def __init__(
        self,
        player: Player,
        identity: Identity | None,
        config: Config,
        refusals: Counter[str],
        on_overflow: Callable[["Session"], None],
        memory: Memory,
        key: str | None = None,
    ) -> None:
        limits = config.limits
        self.player = player
        self.identity = identity
        self.key = key or secrets.token_urlsafe(16)
        self.peer: Peer[Session] | None = None
        log = ControlLog(config.hub.resume_messages, limits.write_buffer_bytes // 2, memory.of("log"))
        self.delivery = Delivery(
            log, limits.write_buffer_bytes, limits.music_buffer_bytes, lambda: on_overflow(self), memory.of("backlog")
        )
        self.waiting: deque[Envelope] | None = None
        self.bucket = TokenBucket(limits.messages_per_s, limits.messages_burst, monotonic())
        self.last_id: int | None = None
        self.login_error: ErrorCode | None = None
        self.place: Place | None = None
        self._refusals = refusals
        self._idle: asyncio.Future[None] | None = None

    def require_place(self) -> Place:
        """Where the session is. Raises Refused when it is in no room."""
        if self.place is None:
            raise Refused(ErrorCode.NOT_IN_ROOM, "join a room first")
        return self.place

    def sit(self, room: Room, member: Member) -> None:
        """The session is in `room` from now on, there as `member`."""
        self.place = Place(room, member)

    # Its client

    def send(self, type_: str, data: object, id_: int | None = None) -> int:
        """Send one message to this client; its size in bytes."""
        message = ControlMessage(type_, data, id_)
        self.delivery.send(message)
        return len(message.frame(self.delivery.encoding))

    def answer(self, type_: str, data: object, id_: int | None = None) -> int:
        """Send what this client has caused and has to account for; its size in bytes."""
        size = self.send(type_, data, id_)
        if self.peer is not None:
            self.peer.account.charge_answer(monotonic(), size)
        return size

    def refuse(self, code: ErrorCode, message: str, field: str | None = None, id_: int | None = None) -> None:
        """Answer this client with an `error`; nobody else hears of it."""
        self.count_refusal(code)
        self.answer("error", Error(code, message, field), id_)

    def count_refusal(self, code: ErrorCode) -> None:
        """Count a refusal that the client is not told of, because it knows already."""
        self._refusals[code] += 1

    def connect(self, peer: "Peer[Session]") -> None:
        """The client of a new session is here."""
        self.peer = peer
        self.delivery.connect(peer)

    def resume(self, peer: "Peer[Session]", *, is_slow: bool) -> None:
        """The client is back on another socket; it gets nothing before `delivery.bring_up_to_date`."""
        self.peer = peer
        self.delivery.resume(peer, is_slow=is_slow)

    def lose(self) -> None:
        """The client is away."""
        self.peer = None
        self.delivery.lose()

    def close(self, rule: Close) -> None:
        """Close the client's socket, if it has one."""
        if self.peer is not None:
            self.peer.close(rule)

    # What it waits for

    async def idle(self) -> None:
        """Return when no message of this client waits any more."""
        while self.waiting is not None:
            if self._idle is None:
                self._idle = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._idle)

    def queued_bytes(self) -> int:
        """Memory that they take."""
        return sum(ENVELOPE_BYTES + len(envelope.data) for envelope in self.waiting) if self.waiting else 0

    def settle(self) -> None:
        """All its messages are handled."""
        if self._idle is not None:
            self._idle.set_result(None)
            self._idle = None


def require_right(session: Session, right: Right) -> None:
    """Raise Refused (`not-in-room`, `not-owner`) unless `session` has this right now."""
    if right is Right.ANYBODY:
        return
    room, member = session.require_place()
    is_owner = room.owner is member
    is_allowed = is_owner or (right is Right.MODERATOR and member.player.is_moderator)
    if right is not Right.MEMBER and not is_allowed:
        raise Refused(ErrorCode.NOT_OWNER, "only the room's owner may do this")
