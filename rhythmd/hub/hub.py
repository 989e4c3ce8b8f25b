"""The hub as the network sees it: it takes in peers, hears them, and lets them go."""

import asyncio
from typing import Final

import rhythm_protocol
from rhythm_protocol.close import RESTARTING, SLOW
from rhythm_protocol.messages import Limits, Stopping, Welcome
from rhythmd.config import Config
from rhythmd.hub.clock import now_us
from rhythmd.hub.context import Context
from rhythmd.hub.packet import Packet
from rhythmd.hub.peer import Peer
from rhythmd.hub.router import route_binary, route_text
from rhythmd.hub.session import Session
from rhythmd.telemetry import Stats

__all__ = ["Hub"]

CHAT_LENGTH: Final = 500


def _ignore(_frame: bytes) -> None:
    """Where messages to a client that is gone end."""


class Hub:
    """Implements `hub.peer.Receiver`."""

    def __init__(self, context: Context) -> None:
        self.context = context
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
        )

    def start(self) -> None:
        self.context.pacer.start()

    def attach(self, peer: Peer, identity: Identity | None) -> Session:
        """A new client: it gets a user and the `welcome`."""
        session = self.context.new_session(peer, identity)
        session.send(
            "welcome",
            Welcome(
                user=session.profile.as_user(),
                session=session.key,
                server_time=now_us(),
                version=rhythm_protocol.VERSION,
                limits=self._limits,
            ),
        )
        return session

    def on_binary(self, session: Session, payload: bytes) -> None:
        route_binary(self.context, session, payload)

    def on_text(self, session: Session, payload: str) -> None:
        route_text(self.context, session, payload)

    def on_pause(self, session: Session) -> None:
        """A client that stopped reading: it comes back to music that is right rather than late."""
        session.peer.close(SLOW)

    def on_lost(self, session: Session) -> None:
        session.write = _ignore
        self.context.leave(session, "lost")
        self.context.sessions.pop(session.key, None)

    def stop(self, reconnect_after_s: float) -> None:
        """Tell everybody, write out what is waiting, start every close handshake."""
        self.context.stopping = True
        farewell = Packet("stopping", Stopping(round(reconnect_after_s * 1000)))
        for room in self.context.registry:
            room.fanout.flush()
        for session in list(self.context.sessions.values()):
            session.write(farewell.frame(session.encoding))
            session.peer.close(RESTARTING)
        self.context.pacer.stop()
