"""One connected client: its user, its socket, and the room it is in."""

import secrets
from collections import deque
from collections.abc import Callable
from time import monotonic

from rhythm_protocol.control import Envelope
from rhythmd.config import LimitsConfig
from rhythmd.hub.identity import Identity
from rhythmd.hub.member import Member, Profile
from rhythmd.hub.packet import Packet
from rhythmd.hub.peer import Encoding, Peer
from rhythmd.hub.quota import TokenBucket
from rhythmd.hub.room import Room

__all__ = ["Session"]


class Session:
    """`room` and `member` are both set or both None."""

    __slots__ = ("bucket", "encoding", "identity", "key", "member", "peer", "profile", "room", "waiting", "write")

    def __init__(self, profile: Profile, peer: Peer, limits: LimitsConfig, identity: Identity | None) -> None:
        self.profile = profile
        self.peer = peer
        self.encoding: Encoding = peer.encoding
        self.write: Callable[[bytes], None] = peer.write
        self.key = secrets.token_urlsafe(16)
        self.identity = identity
        self.waiting: deque[Envelope] | None = None  # messages behind one whose handler waits
        self.bucket = TokenBucket(limits.messages_per_s, limits.messages_burst, monotonic())
        self.room: Room | None = None
        self.member: Member | None = None

    def send(self, type_: str, data: object, id_: int | None = None) -> None:
        """Write one control message to this client."""
        self.write(Packet(type_, data, id_).frame(self.encoding))
