"""One client: its user, its socket while it has one, and the room it is in."""

import asyncio
import secrets
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Final

from rhythm_protocol.control import Envelope
from rhythmd.config import Config
from rhythmd.hub.identity import Identity
from rhythmd.hub.ports import Encoding, Peer
from rhythmd.hub.rooms.members import Member, Profile
from rhythmd.hub.rooms.quota import TokenBucket
from rhythmd.hub.rooms.room import Room
from rhythmd.hub.sending.control_log import ControlLog
from rhythmd.hub.sending.outbound import Message, Packet

__all__ = ["Session"]

NEVER: Final = float("inf")


def _ignore(_frame: bytes) -> None:
    """Where messages to a client that is gone end."""


class Session:
    """Outlives its socket for a while, so that a client can come back to it.

    Attributes:
        key: what the client shows to resume; tells sessions apart.
        peer: None while the client is away.
        room, member: both set or both None.
        waiting: messages behind one whose handler waits.
        held_since: `monotonic` time since which its music is held back; `inf` when it is not.
        last_id: of the last message with an id that was handled.
        is_silent: nothing is written: the client is away, about to be told what it missed, or about to be closed.

    Args:
        on_overflow: called, once, when more waits for the client than may.
    """

    __slots__ = (
        "_idle", "_limit", "_on_overflow", "bucket", "encoding", "held_since", "identity", "is_silent", "key",
        "last_id", "log", "member", "peer", "profile", "room", "waiting", "write",
    )  # fmt: skip

    def __init__(
        self,
        profile: Profile,
        identity: Identity | None,
        config: Config,
        on_overflow: Callable[["Session"], None],
        key: str | None = None,
    ) -> None:
        limits = config.limits
        self.profile = profile
        self.identity = identity
        self.key = key or secrets.token_urlsafe(16)
        self.peer: Peer[Session] | None = None
        self.encoding = Encoding.BINARY
        self.write: Callable[[bytes], None] = _ignore
        self.log = ControlLog(config.hub.resume_messages, limits.write_buffer_bytes // 2)
        self.waiting: deque[Envelope] | None = None
        self.bucket = TokenBucket(limits.messages_per_s, limits.messages_burst, monotonic())
        self.held_since = NEVER
        self.last_id: int | None = None
        self.room: Room | None = None
        self.member: Member | None = None
        self.is_silent = True
        self._limit = limits.write_buffer_bytes
        self._on_overflow = on_overflow
        self._idle: asyncio.Future[None] | None = None

    # Writing

    def send(self, type_: str, data: object, id_: int | None = None) -> None:
        """Tell this client."""
        self.tell(Packet(type_, data, id_))

    def tell(self, message: Message) -> None:
        """Write one control message; one that does not arrive is there when the client comes back."""
        frame = message.frame(self.encoding)
        self.log.append(message, len(frame))
        self.write(frame)

    def send_uncounted(self, type_: str, data: object, id_: int | None = None) -> None:
        """Write what no resume brings again."""
        self.write(Packet(type_, data, id_).frame(self.encoding))

    # Its socket

    def bind(self, peer: "Peer[Session]") -> None:
        """The client is here; nothing is written to it before `speak`."""
        self.peer = peer
        self.encoding = peer.encoding
        self._write_to(_ignore)

    def speak(self) -> None:
        """From here on everything is written."""
        self.is_silent = False
        self._choose_write()

    def unbind(self) -> None:
        """The client is away."""
        self.peer = None
        self.held_since = NEVER
        self.is_silent = True
        self._write_to(_ignore)

    def hold(self) -> None:
        """The client reads too slowly: see to it that what waits for it stays bounded."""
        self.held_since = monotonic()
        self._choose_write()

    def drain(self) -> None:
        """The client reads again."""
        self.held_since = NEVER
        self._choose_write()

    @property
    def is_held(self) -> bool:
        return self.held_since < NEVER

    def _choose_write(self) -> None:
        if self.peer is not None and not self.is_silent:
            self._write_to(self._write_bounded if self.is_held else self.peer.write)

    def _write_to(self, write: Callable[[bytes], None]) -> None:
        self.write = write
        if self.member is not None:
            self.member.bind(self)

    def _write_bounded(self, frame: bytes) -> None:
        peer = self.peer
        if peer is None:
            return
        if peer.waiting_bytes() + len(frame) <= self._limit:
            peer.write(frame)
        else:
            self.is_silent = True  # for good: what came behind a gap would be counted as what is missing
            self._write_to(_ignore)
            self._on_overflow(self)

    # What it waits for

    async def idle(self) -> None:
        """Return when no message of this client waits any more."""
        while self.waiting is not None:
            if self._idle is None:
                self._idle = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._idle)

    def settle(self) -> None:
        """All its messages are handled."""
        if self._idle is not None:
            self._idle.set_result(None)
            self._idle = None
