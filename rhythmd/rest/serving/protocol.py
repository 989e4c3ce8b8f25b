"""aiohttp's protocol, with its own refusals in our words: of what is no HTTP, and of what is too long."""

import re
from typing import Any, Final

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMethod, LineTooLong
from aiohttp.web_protocol import RequestHandler

from rhythm_protocol.errors import ErrorCode
from rhythmd.rest.serving.cached import LastResponse
from rhythmd.rest.serving.dispatcher import Dispatcher
from rhythmd.rest.serving.envelope import ApiError
from rhythmd.telemetry import rest_log

__all__ = ["HttpProtocol"]

KEEPALIVE_S: Final = 75.0
LINGER_S: Final = 2.0
"""For which a body that was refused is still read and thrown away, so that its sender sees the answer."""
READ_BYTES: Final = 65_536
"""Of a body, for each connection, before the client has to wait; at twice as many it does. aiohttp has 256 KiB."""
LINE_BYTES: Final = 8_190
"""Of a request's target, and of each header."""
OPTIONS: Final[dict[str, Any]] = {
    "access_log": None,
    "logger": rest_log.getChild("http"),
    "keepalive_timeout": KEEPALIVE_S,
    "lingering_time": LINGER_S,
    "read_bufsize": READ_BYTES,
    "max_line_size": LINE_BYTES,
    "max_field_size": LINE_BYTES,
    "auto_decompress": False,  # nobody needs it, and a small body may become a large one
}
TOO_MANY: Final = "Too many headers"
# aiohttp's message shows the line that it could not read: RFC 9110, 9.1, has a method be a token.
OTHER_METHOD: Final = re.compile(r"b'[\w!#$%&*+.^`|~-]+ \S+ HTTP/1\.[01]'", re.ASCII)


class HttpProtocol(RequestHandler):
    """Reads requests of one connection and gives them to the dispatcher.

    Args:
        server: aiohttp's, which knows all connections.
        dispatcher: answers in the name of the parser, too.
    """

    __slots__ = ("_dispatcher",)

    def __init__(self, server: web.Server, dispatcher: Dispatcher) -> None:
        super().__init__(server, loop=dispatcher.loop, **OPTIONS)
        self._dispatcher = dispatcher

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


def _refusal(exc: BaseException | None) -> ApiError:
    """What is wrong, without a byte of the client's."""
    if isinstance(exc, BadHttpMethod) and OTHER_METHOD.search(exc.message):
        return ApiError(ErrorCode.NOT_IMPLEMENTED, "the server does not know this method")
    if isinstance(exc, LineTooLong):
        if isinstance(exc.args[0], bytearray):  # so it is with targets
            return ApiError(ErrorCode.URI_TOO_LONG, f"a request's target may have at most {LINE_BYTES} bytes")
        return ApiError(ErrorCode.HEADERS_TOO_LARGE, f"a header may have at most {LINE_BYTES} bytes")
    if exc is not None and TOO_MANY in str(exc):
        return ApiError(ErrorCode.HEADERS_TOO_LARGE, "a request may have at most 128 headers")
    return ApiError(ErrorCode.BAD_REQUEST, "this is not HTTP/1.1, or is not well-formed")
