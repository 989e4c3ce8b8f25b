"""The hub as the network sees it: it takes in peers, hears them, and lets them go."""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Collection, Coroutine
from typing import Any, Final

import rhythm_protocol
from rhythm_protocol.binary import OP_CLOCK, OP_CURSOR, OP_MIDI
from rhythm_protocol.close import (
    ABNORMAL,
    GOING_AWAY,
    LOGIN_EXPIRED,
    LOGIN_REVOKED,
    NORMAL,
    RESTARTING,
    SILENT,
    SLOW,
    TAKEN_OVER,
    USER_BANNED,
    Close,
)
from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import Limits, Stopping, Welcome
from rhythmd.auth.auditor import AuditTrail
from rhythmd.auth.traces import TracedMute
from rhythmd.clock import server_us
from rhythmd.config import Config
from rhythmd.fairness.disk import Disk
from rhythmd.fairness.memory import Rule
from rhythmd.fairness.shares import Holder, Scope, Shares
from rhythmd.fairness.turns import Turns
from rhythmd.hub.handlers.chat import typing
from rhythmd.hub.handlers.commands import ChatMessages
from rhythmd.hub.handlers.midi import Playing
from rhythmd.hub.handlers.moderation import Moderation
from rhythmd.hub.handlers.recording import Recording
from rhythmd.hub.handlers.resume import Resuming
from rhythmd.hub.handlers.rooms import RoomMessages, transfer_owner
from rhythmd.hub.handlers.sheets import Sheets
from rhythmd.hub.handlers.timing import clock, clock_binary, metronome, timing
from rhythmd.hub.handlers.users import Authentication, cursor, cursor_binary, user_update
from rhythmd.hub.keeping.catalogue import Catalogue
from rhythmd.hub.keeping.keepers import LiveKeeper, PasswordHasher, StoredSide
from rhythmd.hub.keeping.ledger import Ledger
from rhythmd.hub.keeping.live_file import LiveFile
from rhythmd.hub.keeping.restoring import Restoration
from rhythmd.hub.ports import Arrival, Identity, LapsedLogin, LoginVerifier, Peer, SheetSource
from rhythmd.hub.recording.archive import RecordingArchive
from rhythmd.hub.recording.recorder import Recorder
from rhythmd.hub.rooms.members import BROWSER, Player
from rhythmd.hub.rooms.performance import Conductor
from rhythmd.hub.rooms.registry import Registry
from rhythmd.hub.rooms.room import Room
from rhythmd.hub.router import Fast, Handler, Router
from rhythmd.hub.sending.pacer import Pacer
from rhythmd.hub.sessions.relief import Relief
from rhythmd.hub.sessions.session import Session
from rhythmd.hub.sessions.sessions import Sessions
from rhythmd.ports import BlobStore, LiveState, Store
from rhythmd.telemetry import Stats

__all__ = ["Hub"]

CHAT_LENGTH: Final = 500
TIDY_S: Final = 1.0
PLACE_RESERVED_AFTER: Final = frozenset({ABNORMAL, GOING_AWAY, LOGIN_EXPIRED, SILENT, SLOW, RESTARTING})
GUEST_LOGS: Final = "guest-logs"
ROOM_BYTES: Final = 9_600
"""About what a room takes without its chat and its members."""
RELOAD_S: Final = 10.0  # a browser says "going away" when its page is loaded again, and when it is closed


def _moment_ms() -> int:
    """When one client shall come back: each at another moment, or the next server would meet them all at once."""
    first, last = RESTARTING.reconnect_after or (0.0, 0.0)
    return round(random.uniform(first, last) * 1000)  # noqa: S311 - spreads load, guards nothing


def _limits(config: Config) -> Limits:
    limits = config.limits
    return Limits(
        message_bytes=limits.message_bytes,
        chat_length=CHAT_LENGTH,
        chat_history=config.rooms.chat_history,
        ping_interval_s=limits.ping_interval_s,
        silence_s=limits.silence_s,
        messages_per_s=limits.messages_per_s,
        quota_refill_s=config.quota.refill_s,
        resume_s=config.hub.resume_s,
    )


def _room_bytes(room: Room) -> int:
    return ROOM_BYTES + room.chat.size


class Hub:
    """Implements `hub.ports.Receiver`. Puts its parts together, and gives each of them what it needs.

    Attributes:
        memory: counts what waits.
        pacer: of the loop.
        registry: of live rooms.
        shares: of guests and others in what all have in common.
        catalogue: of all rooms.
        sessions: of all clients.
        archive: of finished recordings.
        recorder: of recordings under way.
        conductor: of the sheets that are played.
        router: of what clients send.
    """

    def __init__(
        self,
        config: Config,
        stats: Stats,
        loop: asyncio.AbstractEventLoop,
        store: Store,
        blobs: BlobStore,
        hasher: PasswordHasher,
        verifier: LoginVerifier,
        live: LiveState,
        sheets: SheetSource,
        audit: AuditTrail,
        turns: Turns,
        disk: Disk,
    ) -> None:
        self._config = config
        self._stats = stats
        self._loop = loop
        self._tasks: set[asyncio.Task[None]] = set()
        self._tidier: asyncio.TimerHandle | None = None
        self._limits = _limits(config)
        self.memory = turns.memory
        self.pacer = Pacer(loop, stats, config.hub.flush_max_ms / 1000)
        shares = Shares(config)
        self._file = file = LiveFile(live, config.rooms.chat_history, Ledger(shares, self._make_way))
        self.registry = Registry(config, self.pacer, lambda room: LiveKeeper(room, file), shares)
        side = StoredSide(store, hasher, config.rooms)
        self.catalogue = Catalogue(self.registry, side, file, config.rooms.kept_per_account)
        self.sessions = Sessions(config, stats, self.pacer, self.registry, self.memory)
        self.archive = RecordingArchive(store, blobs, config.recording, shares, disk)
        self.shares = shares
        self.recorder = Recorder(
            config.recording, self.archive, self.registry, self.sessions, self.pacer, self._spawn, self.memory
        )
        self._relief = relief = Relief(self.sessions, self.memory, config.limits.music_buffer_bytes)
        self.memory.follow(
            Rule(GUEST_LOGS, relief.forget_guests),
            Rule("replays", self.recorder.forget_replays),
            Rule("empty-rooms", self._forget_empty_rooms),
            Rule("account-logs", relief.forget_accounts),
            Rule("chats", self._forget_chats),
            Rule("recordings", self.recorder.end_biggest),
            Rule("connected-logs", relief.forget_connected),
            Rule("clients", relief.close_slow),
        )
        self.conductor = Conductor(self.pacer, shares.performances, turns)
        self._sheets = Sheets(sheets, self.conductor, self.sessions, shares, turns)
        self._playing = Playing(stats)
        handlers, most = self._handlers(verifier, audit), config.limits.control_bytes
        self.router = Router(handlers, self._fast(), self.sessions, self._spawn, stats, most, turns)
        self.on_binary: Callable[[Session, bytes], None] = self.router.route_binary
        self.on_text: Callable[[Session, str], None] = self.router.route_text

    def _fast(self) -> dict[int, Fast]:
        """The handlers of messages with a binary twin."""
        return {OP_MIDI: self._playing.play, OP_CLOCK: clock_binary, OP_CURSOR: cursor_binary}

    def _handlers(self, verifier: LoginVerifier, audit: AuditTrail) -> dict[str, Handler]:
        """The handler of each message."""
        sessions = self.sessions
        most_players = self._config.rooms.max_players
        rooms = RoomMessages(self.registry, self.catalogue, sessions, most_players, audit, self.shares)
        moderation = Moderation(sessions, audit)
        recording = Recording(self.recorder, self.archive, sessions)
        return {
            "authenticate": Authentication(verifier, sessions.ended_logins).authenticate,
            "resume": Resuming(sessions, self.pacer, self._config.limits.write_buffer_bytes // 2).resume,
            "join-room": rooms.join_room,
            "leave-room": rooms.leave_room,
            "room-update": rooms.room_update,
            "transfer-owner": transfer_owner,
            "chat-message": ChatMessages(moderation).chat_message,
            "typing": typing,
            "user-update": user_update,
            "kick": moderation.kick,
            "ban": moderation.ban,
            "unban": moderation.unban,
            "mute": moderation.mute,
            "sanctions": moderation.sanctions,
            "clear-chat": moderation.clear_chat,
            "record": recording.record,
            "record-last": recording.record_last,
            "sheet-play": self._sheets.play,
            "sheet-stop": self._sheets.stop,
            "sheet-seek": self._sheets.seek,
            "midi-event": self._playing.midi_event,
            "clock": clock,
            "cursor": cursor,
            "timing": timing,
            "metronome": metronome,
        }

    def _make_way(self, scope: Scope, holder: Holder) -> bool:
        return self.registry.make_way(scope, holder)

    # Its life

    async def restore(self) -> None:
        """Put back who was where when the process before ended."""
        linger_s = self._config.rooms.linger_s
        await Restoration(self._file, self.registry, self.catalogue, self.sessions, linger_s).run()

    def start(self) -> None:
        self.pacer.start()
        self.recorder.start()
        self._tidy()

    def _tidy(self) -> None:
        """Every second: end what is over its time, free the rooms that nobody came to."""
        for session in self.sessions:
            self._check_time(session)
        for session in self.sessions.away.overdue():
            self.sessions.end(session, "lost")
        self.registry.sweep()
        self._file.beat()
        self._measure()
        self._tidier = self.pacer.later(TIDY_S, self._tidy)

    def _measure(self) -> None:
        """See how much waits where nobody counts."""
        memory = self.memory
        memory.of("queued").measured(sum(session.queued_bytes() for session in self.sessions))
        memory.of("room").measured(sum(map(_room_bytes, self.registry)))
        self._stats.given_up[GUEST_LOGS] += self._relief.bound_networks()

    def _forget_empty_rooms(self) -> int:
        """Give up rooms that nobody is in, the longest empty first."""
        count = 0
        while self.memory.excess > 0 and (room := self.registry.forget_longest_empty()) is not None:
            self.memory.of("room").give(_room_bytes(room))
            count += 1
        return count

    def _forget_chats(self) -> int:
        """Give up what is remembered of chat that the store has, the most first; how many rooms' that was."""
        stored = (room for room in self.registry if room.chat.size and not room.keeper.passes_ownership)
        count = 0
        for room in sorted(stored, key=lambda room: room.chat.size, reverse=True):
            if self.memory.excess <= 0:
                break
            self.memory.of("room").give(room.chat.size)
            room.chat.clear()
            count += 1
        return count

    def _check_time(self, session: Session) -> None:
        """Close a socket whose login expired, or whose client has not caught up for too long.

        The client's user keeps the seat, and comes back to it with a new login. A client that is away cannot renew
        a login, and needs a good one to come back.
        """
        if session.peer is None:
            return
        if session.identity is not None and session.identity.expires <= time.time():
            session.close(LOGIN_EXPIRED)
        elif session.delivery.slow_s() > self._config.hub.slow_close_s:
            session.close(SLOW)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run what has to wait beside the loop's other work. `work` handles its own failures."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self, seconds: float) -> None:
        """Let the handlers that wait for the store finish, for at most so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._tasks:
                    await asyncio.wait(self._tasks)

    def stop(self) -> None:
        """Tell everybody when to come back, write out what is waiting, start every close handshake."""
        self.sessions.stopping = True
        self.conductor.stop()
        for room in self.registry:
            room.news.finish()
            room.fanout.finish()
        for session in self.sessions:
            if session.peer is not None:
                session.send("stopping", Stopping(_moment_ms()))
                session.close(RESTARTING)
        self.pacer.stop()
        if self._tidier is not None:
            self._tidier.cancel()

    # Accounts, as others change them

    def end_logins(self, login_ids: Collection[str], rule: Close = LOGIN_REVOKED) -> None:
        """Close the sockets of logins that are no longer good."""
        self.sessions.ended_logins.add(login_ids)
        ended = frozenset(login_ids)
        for session in self.sessions:
            if session.identity is not None and session.identity.login_id in ended:
                self.sessions.close(session, rule)

    def end_user(self, user_id: str, rule: Close = USER_BANNED) -> None:
        """Close all sockets of a user."""
        for session in self.sessions.of_user(user_id):
            self.sessions.close(session, rule)

    def whereabouts(self, user_id: str) -> list[tuple[str, str]]:
        """The address and browser of each client of a user."""
        return [(session.player.address, session.player.browser) for session in self.sessions.of_user(user_id)]

    def change_user(self, user_id: str, roles: frozenset[str], muted_until: float) -> None:
        """Give a connected user other roles, or mute their chat until then (Unix seconds), at once.

        Guests like them who are in no room yet, and so may be the same person, are muted as well.
        """
        mute = TracedMute(user_id, muted_until)
        is_muted = muted_until > time.time()
        users = [session.player for session in self.sessions.of_user(user_id)]
        traces = {trace for player in users if player.muted_until != muted_until for trace in self._traces(player)}
        for session in self.sessions if traces or not is_muted else ():
            player = session.player
            is_spare = is_muted and player.guest and session.place is None and traces & self._traces(player)
            if is_spare or (player.traced is not None and player.traced.user_id == user_id):
                player.traced = mute
                if session.place is not None:
                    session.place.room.member_changed(session.place.member)
        for session in self.sessions.of_user(user_id):
            player = session.player
            if (player.roles, player.muted_until) == (roles, muted_until):
                continue
            player.roles = roles
            player.muted_until = muted_until
            if session.place is not None:
                session.place.room.sanctions.mark(session.place.member)  # what is below a role does not apply to it
                session.place.room.member_changed(session.place.member)

    def _traces(self, player: Player) -> set[str]:
        """What `player` has in common with others who may be the same person, as far as the operator says."""
        rooms = self._config.rooms
        counts = {True: rooms.ban_browser_days, False: rooms.ban_network_minutes}
        return {trace for trace in player.traces()[1:] if counts[trace.startswith(BROWSER)]}

    def accounts(self) -> list[Identity]:
        """The connected users who have an account, each socket's own."""
        identities = (session.identity for session in self.sessions)
        return [identity for identity in identities if identity is not None and not identity.guest]

    # Peers

    def attach(self, peer: Peer[Session], identity: Arrival) -> Session:
        """A new client: it gets a user and the `welcome`."""
        lapsed = identity.code if isinstance(identity, LapsedLogin) else None
        browser, traced = ("", None) if identity is None else (identity.browser, identity.traced)
        identity = identity if isinstance(identity, Identity) else None
        session = self.sessions.open(peer, identity, browser)
        session.login_error = lapsed
        session.player.traced = traced
        welcome = Welcome(
            user=session.player.as_user(),
            session=session.key,
            server_time=server_us(),
            version=rhythm_protocol.VERSION,
            limits=self._limits,
            login_s=None if identity is None else identity.seconds_left(),
            login_error=lapsed,
        )
        session.answer("welcome", welcome)
        if self.sessions.stopping:
            self._close_soon(session, RESTARTING)
        elif identity is not None and identity.login_id in self.sessions.ended_logins:
            self._close_soon(session, LOGIN_REVOKED)
        return session

    def _close_soon(self, session: Session, rule: Close) -> None:
        self.pacer.soon(lambda: self.sessions.close(session, rule))

    def on_pause(self, session: Session) -> None:
        """A client that reads too slowly: its music waits, what is said does not."""
        self._stats.throttled += 1
        session.delivery.pause()

    def on_drain(self, session: Session) -> None:
        session.delivery.drain()

    def on_slowed(self, session: Session) -> None:
        session.refuse(ErrorCode.RATE_LIMITED, "you send more than is read, slow down")

    def unconfirmed(self, session: Session) -> int | None:
        return session.delivery.to_confirm()

    def on_confirm(self, session: Session, number: int) -> None:
        session.delivery.log.confirm(number)

    def on_lost(self, session: Session, rule: Close) -> None:
        """The place of a client that may come back is reserved for a while."""
        session.lose()
        if rule == TAKEN_OVER or (rule in PLACE_RESERVED_AFTER and self._is_worth_waiting_for(session)):
            self._wait_for(session, RELOAD_S if rule == GOING_AWAY else self._config.hub.resume_s)
        else:
            self.sessions.end(session, "left" if rule in (NORMAL, GOING_AWAY) else "lost")

    def _is_worth_waiting_for(self, session: Session) -> bool:
        """Not for one that was nowhere and asked for nothing, of which garbage makes thousands."""
        has_answers = session.last_id is not None and not session.delivery.log.is_confirmed
        is_busy = session.place is not None or session.waiting is not None or has_answers
        return self._config.hub.resume_s > 0 and is_busy

    def _wait_for(self, session: Session, seconds: float) -> None:
        if session.place is not None and not self.sessions.stopping:
            session.place.room.part(session.place.member)
        self.sessions.wait_for(session, seconds)
