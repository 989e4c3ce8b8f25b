"""One connected client: its user, its socket, and the room it is in."""

import secrets
from time import monotonic

from rhythmd.config import LimitsConfig
from rhythmd.hub.member import Member, Profile
from rhythmd.hub.packet import Packet
from rhythmd.hub.peer import Encoding, Peer
from rhythmd.hub.quota import TokenBucket
from rhythmd.hub.room import Room

__all__ = ["Session"]


class Session:
    """`room` and `member` are both set or both None."""

    __slots__ = ("bucket", "encoding", "member", "peer", "profile", "room", "token", "write")

    def __init__(self, profile: Profile, peer: Peer, limits: LimitsConfig) -> None:
        self.profile = profile
        self.peer = peer
        self.encoding: Encoding = peer.encoding
        self.write = peer.write
        self.token = secrets.token_urlsafe(16)
        self.bucket = TokenBucket(limits.messages_per_s, limits.messages_burst, monotonic())
        self.room: Room | None = None
        self.member: Member | None = None

    def send(self, type_: str, data: object, id_: int | None = None) -> None:
        """Write one control message to this client."""
        self.write(Packet(type_, data, id_).frame(self.encoding))
