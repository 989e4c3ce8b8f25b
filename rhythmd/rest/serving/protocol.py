"""aiohttp's protocol, with its own refusals in our words: of what is no HTTP, and of what is too long."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from aiohttp import StreamReader, hdrs, web
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import BadHttpMethod, LineTooLong
from aiohttp.http_writer import StreamWriter
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import RequestHandler
from multidict import CIMultiDict

from rhythm_protocol.errors import ErrorCode
from rhythmd.rest.serving.cached import LastResponse
from rhythmd.rest.serving.dispatcher import Dispatcher
from rhythmd.rest.serving.envelope import ApiError
from rhythmd.rest.serving.intake import LINE_BYTES, not_http
from rhythmd.telemetry import rest_log

__all__ = ["Fed", "HttpProtocol", "nothing", "request_factory"]

VERSION: Final = "HTTP/1.1"
OLD_VERSION: Final = "HTTP/1.0"
DISCARD_S: Final = 2.0
"""For which a body that nobody reads is still read, so that its connection can be used for the next request."""
READ_BYTES: Final = 65_536
"""Of a body, for each connection, before the client has to wait; at twice as many it does. aiohttp has 256 KiB."""
OPTIONS: Final[dict[str, Any]] = {
    "access_log": None,
    "logger": rest_log.getChild("http"),
    "lingering_time": DISCARD_S,
    "read_bufsize": READ_BYTES,
    "max_line_size": LINE_BYTES,
    "max_field_size": LINE_BYTES,
    "auto_decompress": False,  # nobody needs it, and a small body may become a large one
}


class _Writer(StreamWriter):
    """Answers with the version that the server speaks, not with that of the request (RFC 9110, 6.2)."""

    async def write_headers(self, status_line: str, headers: CIMultiDict[str]) -> None:
        if status_line.startswith(OLD_VERSION):
            status_line = VERSION + status_line.removeprefix(OLD_VERSION)
            headers.setdefault(hdrs.CONNECTION, "close")  # which goes without saying in the old version
        await super().write_headers(status_line, headers)


def request_factory(body_bytes: int) -> Callable[..., web.BaseRequest]:
    """Makes aiohttp's requests, whose bodies have so many bytes at most."""
    loop = asyncio.get_running_loop()

    def make(
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: RequestHandler,
        _writer: StreamWriter,
        task: asyncio.Task[None],
    ) -> web.BaseRequest:
        writer = _Writer(protocol, loop)
        return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=body_bytes)

    return make


class Fed(NamedTuple):
    """What the parser made of some bytes.

    Args:
        requests: of which the head ended, and refusals.
        request: the last of them, if it is no refusal.
        body: of that request.
        is_refused: whether the parser can read nothing more.
    """

    requests: int
    request: RawRequestMessage | None
    body: StreamReader
    is_refused: bool


class HttpProtocol(RequestHandler):
    """Reads requests of one connection and gives them to the dispatcher.

    Args:
        server: aiohttp's, which knows all connections.
        dispatcher: answers in the name of the parser, too.
        keep_alive_s: seconds for which a connection without a request is kept.

    Attributes:
        is_over: nothing more comes after what has been parsed.
        on_answered: called after each answer, which has been written.
    """

    __slots__ = ("_answered", "_body", "_dispatcher", "_finished", "is_over", "on_answered")

    def __init__(self, server: web.Server, dispatcher: Dispatcher, keep_alive_s: float) -> None:
        super().__init__(server, loop=dispatcher.loop, keepalive_timeout=keep_alive_s, **OPTIONS)
        self._dispatcher = dispatcher
        self._answered = 0
        self._body: StreamReader | None = None  # of the last request
        self._finished: StreamReader | None = None  # the body of the request that was answered last
        self.is_over = False
        self.on_answered: Callable[[], None] = nothing

    @property
    def refusal(self) -> Callable[[ApiError], bytes]:
        """Makes the whole answer to what is no request."""
        return self._dispatcher.refusal

    @property
    def pending(self) -> int:
        """Requests that have come and are not answered."""
        return self._request_count - self._answered

    @property
    def is_read(self) -> bool:
        """Whether all has been read that belongs to the requests so far."""
        return not self._messages and (self._body is None or self._body.is_eof())

    @property
    def is_ended(self) -> bool:
        """Whether aiohttp has given the connection up, without an answer."""
        return self._force_close

    def feed(self, data: bytes) -> Fed:
        """Parse. A refusal in the middle of a body goes to who reads that."""
        before = self._request_count
        self.data_received(data)
        count = self._request_count - before
        if not count:
            return Fed(0, None, EMPTY_PAYLOAD, is_refused=False)
        message, body = self._messages[-1]
        if isinstance(message, RawRequestMessage):
            self._body = body
            return Fed(count, message, body, is_refused=False)
        if self._body is not None and not self._body.is_eof():
            self._messages.pop()
            self._request_count -= 1
            self.break_off()
        self.is_over = True
        return Fed(count, None, EMPTY_PAYLOAD, is_refused=True)

    def break_off(self) -> None:
        """No more of the last request's body comes, or nothing that can be read."""
        self.is_over = True
        body = self._body
        if body is None or body.is_eof():
            return
        if body is self._finished:  # and so it is only being thrown away
            self.close()
        else:
            body.set_exception(web.RequestPayloadError("the body broke off"))
        body.feed_eof()

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        body = self._body
        if body is not None and not body.is_eof() and body.exception() is None:
            body.set_exception(ConnectionResetError("the connection is lost"))  # for a request that waits for its turn
        if self._finished is not None:
            self._finished.feed_eof()  # nobody needs to wait for what was only to be thrown away
        self._body = self._finished = None  # which refer to here: a circle, with all that has come of a body

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer; the last one says that it is the last."""
        if self.transport is not None:
            self._finished = request.content
        if (self.is_over and not self._messages) or not request.content.is_eof():
            resp.force_close()  # to throw away what of a body still comes would cost more than another connection
        sending = super().finish_response(request, resp, start_time)
        result = await self._dispatcher.paid_by(request, sending)
        self._answered += 1
        if not resp.keep_alive:
            self._lingering_time = 0.0  # whose connection ends reads on when it has said so
        self.on_answered()
        if self.is_over and not self._messages:
            self.close()
        return result

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what the parser refuses; the connection ends with it. What a handler fails at is not here."""
        error = _refusal(exc)
        rest_log.info("a request is refused: %s", error.message)
        return LastResponse(self._dispatcher.refusal(error))


def nothing() -> None:
    """Nobody is told."""


def _refusal(exc: BaseException | None) -> ApiError:
    """What is wrong, without a byte of the client's."""
    if isinstance(exc, BadHttpMethod):  # and the line has the form that it must have, or it would not be here
        return ApiError(ErrorCode.NOT_IMPLEMENTED, "the server does not know this method")
    if isinstance(exc, LineTooLong):
        return ApiError(ErrorCode.HEADERS_TOO_LARGE, f"a header may have at most {LINE_BYTES} bytes")
    return not_http()
