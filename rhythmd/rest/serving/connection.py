"""The connection in front of aiohttp's protocol."""

import asyncio
from collections.abc import Callable

from aiohttp.web_protocol import RequestHandler

__all__ = ["HttpConnection"]


class HttpConnection(asyncio.Protocol):
    """Passes everything on to aiohttp's protocol, tells when the connection is gone, and does not wait for ever.

    aiohttp gives a client all the time in the world for the head of a request.

    Args:
        protocol: aiohttp's.
        on_gone: called when the connection is lost.
        head_s: seconds from the first byte of a request in which its head must be here.
    """

    def __init__(self, protocol: RequestHandler, on_gone: Callable[[], None], head_s: float) -> None:
        self._protocol = protocol
        self._on_gone = on_gone
        self._head_s = head_s
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.BaseTransport | None = None
        self._answering = False
        self._head_since: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._protocol.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._head_since is None and not self._answering:
            self._head_since = self._loop.time()
            if self._timer is None:
                self._timer = self._loop.call_later(self._head_s, self._look)
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
        self._on_gone()

    def request_began(self) -> None:
        """The head of a request is here."""
        self._answering = True
        self._head_since = None

    def request_ended(self) -> None:
        """Its answer is on its way."""
        self._answering = False

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
