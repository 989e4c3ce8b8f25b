"""What every handler works with, and the few acts that several of them share."""

import asyncio
import secrets
from collections.abc import Coroutine
from functools import partial
from typing import Any, Final

from rhythm_protocol.close import SLOW, Close
from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import Error, RoomLeft
from rhythmd.config import Config
from rhythmd.errors import Refused
from rhythmd.hub.identity import Authenticator, EndedLogins, Identity
from rhythmd.hub.keeping.continuity import Continuity
from rhythmd.hub.keeping.stored_rooms import KeptRooms, PasswordHasher
from rhythmd.hub.ports import Peer
from rhythmd.hub.recording.archive import Recordings
from rhythmd.hub.recording.recorder import Recorder
from rhythmd.hub.rooms.members import Member, Profile
from rhythmd.hub.rooms.registry import Registry
from rhythmd.hub.rooms.room import Room
from rhythmd.hub.sending.pacer import Pacer
from rhythmd.hub.sessions.away import Away
from rhythmd.hub.sessions.session import Session
from rhythmd.ports import BlobStore, LiveState, Store
from rhythmd.telemetry import Stats

__all__ = ["Context"]

COLOURS: Final = (
    "#e6194b", "#f58231", "#ffe119", "#bfef45", "#3cb44b", "#42d4f4", "#4363d8", "#911eb4", "#f032e6", "#fabed4",
    "#ffd8b1", "#aaffc3", "#dcbeff", "#9a6324", "#808000", "#469990",
)  # fmt: skip


class Context:
    """The hub's state: sessions, rooms, pacing, counters."""

    def __init__(
        self,
        config: Config,
        stats: Stats,
        loop: asyncio.AbstractEventLoop,
        store: Store,
        blobs: BlobStore,
        hasher: PasswordHasher,
        authenticator: Authenticator,
        live: LiveState,
    ) -> None:
        self.config = config
        self.authenticator = authenticator
        self._loop = loop
        self._tasks: set[asyncio.Task[None]] = set()
        self.stats = stats
        self.pacer = Pacer(loop, stats, config.hub.flush_max_ms / 1000)
        self.continuity = Continuity(live, config.rooms.chat_history)
        self.registry = Registry(config, self.pacer, self.continuity)
        self.kept = KeptRooms(store, hasher, self.registry, config.rooms)
        self.sessions: dict[str, Session] = {}  # by session key
        self.away = Away(config.hub.resume_s, config.limits.connections, config.limits.connections_per_address)
        self.recordings = Recordings(store, blobs, config.recording)
        self.recorder = Recorder(
            config.recording, self.recordings, self.registry, self.sessions, self.pacer, self.spawn
        )
        self.ended_logins = EndedLogins()
        self.stopping = False

    def new_session(self, peer: Peer[Session], identity: Identity | None) -> Session:
        """A session for a known user or for a new guest. Guests are given a name and a colour."""
        name = identity.name if identity else None
        colour = identity.colour if identity else None
        profile = Profile(
            identity.user_id if identity else secrets.token_hex(8),
            name or f"Guest {1000 + secrets.randbelow(9000)}",
            colour or secrets.choice(COLOURS),
            peer.address,
            guest=identity is None or identity.guest,
            bot=peer.bot,
        )
        if identity is not None:
            profile.roles = identity.roles
            profile.status_text = identity.status_text
            profile.muted_until = identity.muted_until
        session = Session(profile, identity, self.config, self._close_as_slow)
        session.bind(peer)
        session.speak()
        self.sessions[session.key] = session
        return session

    def restore_session(self, key: str, profile: Profile, identity: Identity | None) -> Session:
        """A session from before the server's start; its client is away."""
        session = Session(profile, identity, self.config, self._close_as_slow, key)
        session.log.restart()
        self.sessions[key] = session
        return session

    def wait_for(self, session: Session) -> None:
        """The client of `session` is away and may come back; if too many are, another one may not any more."""
        gives_way = self.away.add(session)
        if gives_way is not None:
            self.end(gives_way, "lost")

    def _close_as_slow(self, session: Session) -> None:
        """Not at once: its room is in the middle of writing, and whom it has not reached would hear of it first."""
        if session.peer is not None:
            self.pacer.soon(partial(session.peer.close, SLOW))

    def close(self, session: Session, rule: Close) -> None:
        """Close the socket of `session`; one whose client is away ends."""
        if session.peer is not None:
            session.peer.close(rule)
        else:
            self.end(session, "lost")

    def end(self, session: Session, reason: str) -> None:
        """`session` is over, and who waits for it need not wait longer."""
        self.leave(session, reason)
        self.away.discard(session)
        self.sessions.pop(session.key, None)
        session.waiting = None
        session.settle()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run what has to wait beside the loop's other work. `work` handles its own failures."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish_tasks(self) -> None:
        """Wait for what was spawned."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def place(self, session: Session) -> tuple[Room, Member]:
        """The room `session` is in and its place there. Raises Refused when it is in none."""
        if session.room is None or session.member is None:
            raise Refused(ErrorCode.NOT_IN_ROOM, "join a room first")
        return session.room, session.member

    def require_connected(self, session: Session) -> None:
        """Raise Refused when `session` was lost while its message waited."""
        if session.key not in self.sessions:
            raise Refused(ErrorCode.CONNECTION_LOST, "the connection is gone")

    def seat(self, session: Session, room: Room, *, as_owner: bool) -> Member:
        """Give `session` a place in `room`, as its connection is at this moment."""
        session.room = room
        session.member = member = room.add(session, as_owner=as_owner)
        self.continuity.login_changed(session.key, session.identity)
        if session.peer is None:
            room.part(member)
        elif session.is_silent:
            room.fanout.suspend(member)
        elif session.is_held:
            room.fanout.hold(member)
        return member

    def leave(self, session: Session, reason: str) -> None:
        """Take `session` out of its room, if it is in one; an empty room is freed."""
        room, member = session.room, session.member
        if room is None or member is None:
            return
        session.room = session.member = None
        room.remove(member, reason)
        self.continuity.seat_left(session.key)
        self.registry.free(room)

    def expel(self, room: Room, member: Member, reason: str, message: str, seconds: int | None = None) -> None:
        """Take `member` out of `room` and tell them why."""
        session = self.sessions[member.key]
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
