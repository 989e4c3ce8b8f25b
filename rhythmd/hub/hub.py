"""The hub as the network sees it: it takes in peers, hears them, and lets them go."""

import asyncio
import contextlib
import random
import time
from collections.abc import Collection
from time import monotonic
from typing import Final

import rhythm_protocol
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
from rhythm_protocol.messages import Limits, Stopping, Welcome
from rhythmd.clock import server_us
from rhythmd.hub.identity import Identity
from rhythmd.hub.ports import Peer
from rhythmd.hub.router import route_binary, route_text
from rhythmd.hub.sessions.context import Context
from rhythmd.hub.sessions.session import Session

__all__ = ["Hub"]

CHAT_LENGTH: Final = 500
TIDY_S: Final = 1.0
PLACE_HELD_AFTER: Final = frozenset({ABNORMAL, SILENT, SLOW, RESTARTING})
LEFT_BY: Final = frozenset({NORMAL, GOING_AWAY})


def _moment_ms() -> int:
    """When one client shall come back: each at another moment, or the next server would meet them all at once."""
    first, last = RESTARTING.reconnect_after or (0.0, 0.0)
    return round(random.uniform(first, last) * 1000)  # noqa: S311 - spreads load, guards nothing


class Hub:
    """Implements `hub.peer.Receiver`."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._tidier: asyncio.TimerHandle | None = None
        config = context.config
        limits = config.limits
        self._limits = Limits(
            message_bytes=limits.message_bytes,
            chat_length=CHAT_LENGTH,
            chat_history=config.rooms.chat_history,
            ping_interval_s=limits.ping_interval_s,
            silence_s=limits.silence_s,
            messages_per_s=limits.messages_per_s,
            quota_refill_s=config.quota.refill_s,
            resume_s=config.hub.resume_s,
        )
        self._slow_close_s = config.hub.slow_close_s

    def start(self) -> None:
        self.context.pacer.start()
        self._tidy()

    def _tidy(self) -> None:
        """Every second: end what is over its time, free the rooms that nobody came to."""
        for session in list(self.context.sessions.values()):
            self._check_time(session)
        for session in self.context.away.overdue():
            self.context.end(session, "lost")
        self.context.registry.sweep()
        self.context.continuity.beat()
        self._tidier = self.context.pacer.later(TIDY_S, self._tidy)

    def _check_time(self, session: Session) -> None:
        """Close a socket whose login expired, or whose client has not caught up for too long.

        Who is away cannot renew a login, and needs a good one to come back.
        """
        if session.peer is None:
            return
        if session.identity is not None and session.identity.expires <= time.time():
            session.peer.close(LOGIN_EXPIRED)
        elif monotonic() - session.held_since > self._slow_close_s:
            self.context.close(session, SLOW)

    def end_logins(self, login_ids: Collection[str], rule: Close = LOGIN_REVOKED) -> None:
        """Close the sockets of logins that are no longer good."""
        self.context.ended_logins.add(login_ids)
        for session in list(self.context.sessions.values()):
            if session.identity is not None and session.identity.login_id in login_ids:
                self.context.close(session, rule)

    def end_user(self, user_id: str, rule: Close = USER_BANNED) -> None:
        """Close all sockets of a user."""
        for session in self._sessions_of(user_id):
            self.context.close(session, rule)

    def change_user(self, user_id: str, roles: frozenset[str], muted_until: float) -> None:
        """Give a connected user other roles, or mute their chat until then (Unix seconds), at once."""
        for session in self._sessions_of(user_id):
            if (session.profile.roles, session.profile.muted_until) == (roles, muted_until):
                continue
            session.profile.roles = roles
            session.profile.muted_until = muted_until
            if session.room is not None and session.member is not None:
                session.room.member_changed(session.member)

    def members(self) -> list[Identity]:
        """The connected users who have an account, each socket's own."""
        identities = (session.identity for session in self.context.sessions.values())
        return [identity for identity in identities if identity is not None and not identity.guest]

    def _sessions_of(self, user_id: str) -> list[Session]:
        return [session for session in self.context.sessions.values() if session.profile.id == user_id]

    def attach(self, peer: Peer[Session], identity: Identity | None) -> Session:
        """A new client: it gets a user and the `welcome`."""
        session = self.context.new_session(peer, identity)
        session.send_uncounted(
            "welcome",
            Welcome(
                user=session.profile.as_user(),
                session=session.key,
                server_time=server_us(),
                version=rhythm_protocol.VERSION,
                limits=self._limits,
            ),
        )
        if self.context.stopping:
            self._close_soon(session, RESTARTING)
        elif identity is not None and identity.login_id in self.context.ended_logins:
            self._close_soon(session, LOGIN_REVOKED)
        return session

    def _close_soon(self, session: Session, rule: Close) -> None:
        self.context.pacer.soon(lambda: self.context.close(session, rule))

    def on_binary(self, session: Session, payload: bytes) -> None:
        route_binary(self.context, session, payload)

    def on_text(self, session: Session, payload: str) -> None:
        route_text(self.context, session, payload)

    def on_pause(self, session: Session) -> None:
        """A client that reads too slowly: its music waits, what is said does not."""
        self.context.stats.held_back += 1
        session.hold()
        if session.room is not None and session.member is not None:
            session.room.fanout.hold(session.member)

    def on_drain(self, session: Session) -> None:
        session.drain()
        if session.is_silent:
            return  # it hears music once it has what it missed
        if session.room is not None and session.member is not None:
            session.room.fanout.resume(session.member)

    def unconfirmed(self, session: Session) -> int | None:
        return None if session.is_silent else session.log.to_confirm()

    def on_confirm(self, session: Session, number: int) -> None:
        session.log.confirm(number)

    def on_lost(self, session: Session, rule: Close) -> None:
        """The place of a client that may come back is held for a while."""
        session.unbind()
        if rule == TAKEN_OVER or (rule in PLACE_HELD_AFTER and self._is_worth_waiting_for(session)):
            self._wait_for(session)
        else:
            self.context.end(session, "left" if rule in LEFT_BY else "lost")

    def _is_worth_waiting_for(self, session: Session) -> bool:
        """Not for one that was nowhere and asked for nothing, of which garbage makes thousands."""
        has_answers = session.last_id is not None and not session.log.is_confirmed
        is_busy = session.room is not None or session.waiting is not None or has_answers
        return self.context.config.hub.resume_s > 0 and is_busy

    def _wait_for(self, session: Session) -> None:
        if session.room is not None and session.member is not None and not self.context.stopping:
            session.room.part(session.member)
        self.context.wait_for(session)

    async def settle(self, seconds: float) -> None:
        """Let the handlers that wait for the store finish, for at most so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.context.finish_tasks()

    def stop(self) -> None:
        """Tell everybody when to come back, write out what is waiting, start every close handshake."""
        self.context.stopping = True
        for room in self.context.registry:
            room.fanout.finish()
        for session in list(self.context.sessions.values()):
            if session.peer is not None:
                session.send("stopping", Stopping(_moment_ms()))
                session.peer.close(RESTARTING)
        self.context.pacer.stop()
        if self._tidier is not None:
            self._tidier.cancel()
