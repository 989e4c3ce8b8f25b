"""The connection in front of aiohttp's protocol."""

import asyncio
from typing import Any, Protocol, cast

from aiohttp.web_protocol import RequestHandler

from rhythmd.fairness.account import Account
from rhythmd.rest.serving.source import Peer

__all__ = ["Accepted", "HttpConnection"]


class Accepted(Protocol):
    """An accepted connection, as its listener knows it."""

    @property
    def address(self) -> str:
        """Of who connected, or whom a PROXY header names."""

    @property
    def is_encrypted(self) -> bool:
        """Whether a PROXY header says so of the client's own connection."""

    @property
    def account(self) -> Account:
        """Of what it costs."""

    def claim(self, address: str) -> bool:
        """Count it with those of an address's network, if it is not yet; False if these are too many."""

    def gone(self) -> None:
        """It is lost."""


class HttpConnection(asyncio.Protocol):
    """Passes everything on to aiohttp's protocol, tells when the connection is gone, and does not wait for ever.

    aiohttp gives a client all the time in the world for the head of a request.

    Args:
        protocol: aiohttp's.
        accepted: the connection.
        head_s: seconds in which the head of a request must be here, from its first byte, or from the connection's
            beginning.

    Attributes:
        peer: who connected.
    """

    def __init__(self, protocol: RequestHandler, accepted: Accepted, head_s: float) -> None:
        self._protocol = protocol
        self.accepted = accepted
        self.peer = Peer(accepted.address, accepted.is_encrypted)
        self._head_s = head_s
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None
        self._answering = False
        self._head_since: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._wait_for_head()
        self._protocol.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._head_since is None and not self._answering:
            self._wait_for_head()
        self._protocol.data_received(data)

    def eof_received(self) -> None:
        self._protocol.eof_received()

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._protocol.connection_lost(exc)
        self.accepted.gone()

    def request_began(self) -> None:
        """The head of a request is here."""
        self._answering = True
        self._head_since = None

    def request_ended(self) -> None:
        """Its answer is on its way."""
        self._answering = False

    def release(self) -> tuple[asyncio.Transport, bytes]:
        """Take the connection away from aiohttp, in the middle of a request that asks for another protocol.

        The transport, and the bytes that came behind the request. What the handler returns is sent nowhere.
        """
        assert self._transport is not None, "there is a request, so there is a connection"  # noqa: S101
        if self._timer is not None:
            self._timer.cancel()
        behind = _Behind()
        reader: Any = behind  # aiohttp knows readers of WebSocket frames only, and asks no more of them
        self._protocol.set_parser(reader)
        self._protocol.transport = None  # so that it does not close what is not its own any more
        self._protocol.connection_lost(None)
        return self._transport, bytes(behind.data)

    def _wait_for_head(self) -> None:
        self._head_since = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(self._head_s, self._look)

    def _look(self) -> None:
        """Close the connection if it has been sending a head for too long.

        One timer for many requests: one for each would be felt.
        """
        self._timer = None
        if self._head_since is None or self._transport is None:
            return
        left_s = self._head_since + self._head_s - self._loop.time()
        if left_s > 0:
            self._timer = self._loop.call_later(left_s, self._look)
        else:
            self._transport.close()


class _Behind:
    """Keeps what aiohttp has read behind an upgrade request."""

    def __init__(self) -> None:
        self.data = bytearray()

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self.data += data
        return False, b""

    def feed_eof(self) -> None:
        """It ends here."""
