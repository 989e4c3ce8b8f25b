"""What every handler works with, and the few acts that several of them share."""

import asyncio
import secrets
from typing import Final

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import Error, RoomLeft
from rhythmd.config import Config
from rhythmd.errors import Refused
from rhythmd.hub.member import Member, Profile
from rhythmd.hub.pacer import Pacer
from rhythmd.hub.peer import Peer
from rhythmd.hub.registry import Registry
from rhythmd.hub.room import Room
from rhythmd.hub.session import Session
from rhythmd.telemetry import Stats

__all__ = ["Context"]

COLOURS: Final = (
    "#e6194b", "#f58231", "#ffe119", "#bfef45", "#3cb44b", "#42d4f4", "#4363d8", "#911eb4", "#f032e6", "#fabed4",
    "#ffd8b1", "#aaffc3", "#dcbeff", "#9a6324", "#808000", "#469990",
)  # fmt: skip


class Context:
    """The hub's state: sessions, rooms, pacing, counters."""

    def __init__(self, config: Config, stats: Stats, loop: asyncio.AbstractEventLoop) -> None:
        self.config = config
        self.stats = stats
        self.pacer = Pacer(loop, stats, config.hub.flush_max_ms / 1000)
        self.registry = Registry(config, self.pacer)
        self.sessions: dict[str, Session] = {}  # by user id
        self.stopping = False

    def new_guest(self, peer: Peer) -> Session:
        """A session for somebody without an account: a name and a colour are given."""
        id_ = secrets.token_hex(8)
        profile = Profile(
            id_, f"Guest {1000 + secrets.randbelow(9000)}", secrets.choice(COLOURS), peer.address,
            guest=True, bot=peer.bot,
        )  # fmt: skip
        session = self.sessions[id_] = Session(profile, peer, self.config.limits)
        return session

    def place(self, session: Session) -> tuple[Room, Member]:
        """The room `session` is in and its place there. Raises Refused when it is in none."""
        if session.room is None or session.member is None:
            raise Refused(ErrorCode.NOT_IN_ROOM, "join a room first")
        return session.room, session.member

    def leave(self, session: Session, reason: str) -> None:
        """Take `session` out of its room, if it is in one; an empty room is freed."""
        room, member = session.room, session.member
        if room is None or member is None:
            return
        session.room = session.member = None
        room.remove(member, reason)
        self.registry.free(room)

    def expel(self, room: Room, member: Member, reason: str, message: str, seconds: int | None = None) -> None:
        """Take `member` out of `room` and tell them why."""
        session = self.sessions[member.profile.id]
        self.leave(session, reason)
        session.send("room-left", RoomLeft(room.id, reason, message, seconds))

    def refuse(
        self,
        session: Session,
        code: ErrorCode,
        message: str,
        field: str | None = None,
        id_: int | None = None,
    ) -> None:
        """Answer `session` with an `error`; nobody else hears of it."""
        self.stats.refusals[code] += 1
        session.send("error", Error(code, message, field), id_)
