"""The WebSocket side of rhythmd with an echo behind it, in the place of the hub.

A program that tests WebSocket servers wants its messages back, and the hub sends none back. So the handshake and the
connections are those of the server, and what receives their messages is not.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.parser import BytesHeaderParser
from typing import Final, NamedTuple, cast

from rhythm_protocol.close import Close
from rhythm_protocol.websocket import BINARY, TEXT, server_frame
from rhythmd.config import LimitsConfig
from rhythmd.fairness.turns import Turns
from rhythmd.hub.ports import Arrival, Peer
from rhythmd.net.heartbeat import Heartbeat
from rhythmd.net.opening import Opener
from rhythmd.net.peer import Wiring
from rhythmd.telemetry import Stats

__all__ = ["echoing"]

_LIMITS: Final = LimitsConfig(
    message_bytes=16 * 2**20, write_buffer_bytes=64 * 2**20, frames_per_s=10**9, bytes_per_s=10**12
)
_END_OF_HEAD: Final = b"\r\n\r\n"


class _Talk(NamedTuple):
    """One connection, which is all that an echo knows of a client."""

    peer: "Peer[_Talk]"


class _Echo:
    """Sends every message back; implements `hub.ports.Receiver`."""

    def attach(self, peer: Peer[_Talk], identity: Arrival) -> _Talk:
        return _Talk(peer)

    def on_binary(self, session: _Talk, payload: bytes) -> None:
        session.peer.write(server_frame(BINARY, payload))

    def on_text(self, session: _Talk, payload: str) -> None:
        session.peer.write(server_frame(TEXT, payload.encode()))

    def on_pause(self, session: _Talk) -> None:
        pass

    def on_drain(self, session: _Talk) -> None:
        pass

    def on_slowed(self, session: _Talk) -> None:
        pass

    def unconfirmed(self, session: _Talk) -> int | None:
        return None

    def on_confirm(self, session: _Talk, number: int) -> None:
        pass

    def on_lost(self, session: _Talk, rule: Close) -> None:
        pass


class _Uncounted:
    """An entry in no counts."""

    def end(self) -> None:
        pass

    def gone(self) -> None:
        pass


class _Request(asyncio.Protocol):
    """Reads one upgrade request, and hands its connection over."""

    def __init__(self, opener: Opener[_Talk], turns: Turns) -> None:
        self._opener = opener
        self._turns = turns
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass

    def data_received(self, data: bytes) -> None:
        self._head += data
        head, found, early = self._head.partition(_END_OF_HEAD)
        if found:
            headers = BytesHeaderParser().parsebytes(head.partition(b"\r\n")[2])
            opening = self._opener.negotiate(headers.items(), bot=False)
            account = self._turns.account("127.0.0.1")
            opening.begin(self._transport, account, "127.0.0.1", None, early, _Uncounted())


@asynccontextmanager
async def echoing() -> AsyncIterator[str]:
    """The address of an echo, which is there for as long as the block lasts."""
    loop = asyncio.get_running_loop()
    heartbeat = Heartbeat(loop, _LIMITS.ping_interval_s, _LIMITS.silence_s)
    stats = Stats()
    turns = Turns(loop, _LIMITS, stats)
    wiring: Wiring[_Talk] = Wiring(loop, _LIMITS, _Echo(), stats, heartbeat, turns)
    opener = Opener(wiring)
    server = await loop.create_server(lambda: _Request(opener, turns), "127.0.0.1", 0)
    heartbeat.start()
    try:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        heartbeat.stop()
        server.close()
