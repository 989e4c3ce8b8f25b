"""What aiohttp's parser refuses, answered as everything else is: it is no request, so no handler hears of it."""

import re
from collections.abc import Callable
from typing import Any, Final

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_exceptions import BadHttpMethod, LineTooLong
from aiohttp.web_protocol import RequestHandler

from rhythm_protocol.errors import ErrorCode
from rhythmd.rest.serving.envelope import ApiError

__all__ = ["HttpServer"]

HEAD_BYTES: Final = 8_190
"""Of a path with its query, and of each header's name or value."""
HEADERS: Final = 128

# A request line whose method is a token (RFC 9110, 5.6.2), as the parser quotes it.
_UNKNOWN_METHOD: Final = re.compile(r"Invalid method.*b['\"][\w!#$%&'*+.^`|~-]+ \S", re.DOTALL | re.ASCII)
_PATH: Final = "bytearray("
"""How the parser quotes a path; the rest of a head it quotes as `bytes`."""

Refusal = Callable[[ApiError], bytes]
"""Gives the whole answer."""


class _Whole(web.StreamResponse):
    """An answer that is bytes already; the connection ends behind it."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self._content = content

    @property
    def keep_alive(self) -> bool:
        return False

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        await request.writer.write_eof(self._content)
        return request.writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to send."""


class _Handler(RequestHandler):
    """aiohttp's protocol, with our words for what it refuses."""

    refusal: Refusal

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        super().handle_error(request, status, exc, message)  # which logs it, and raises if an answer has begun
        return _Whole(self.refusal(_translate(exc)))


class HttpServer(web.Server):
    """Makes aiohttp's protocols.

    Args:
        handler: of requests.
        refusal: of what is none.
        options: of aiohttp's RequestHandler, and the `request_factory`.
    """

    def __init__(self, handler: Any, refusal: Refusal, *, request_factory: Any, **options: Any) -> None:
        super().__init__(handler, request_factory=request_factory)
        self._refusal = refusal
        self._options = {"max_line_size": HEAD_BYTES, "max_field_size": HEAD_BYTES, "max_headers": HEADERS, **options}

    def __call__(self) -> RequestHandler:
        protocol = _Handler(self, loop=self._loop, **self._options)
        protocol.refusal = self._refusal
        return protocol


def _translate(error: BaseException | None) -> ApiError:
    """What was wrong, without a byte of what was sent."""
    text = str(getattr(error, "message", ""))
    if isinstance(error, LineTooLong) and _PATH in text:
        return ApiError(ErrorCode.URI_TOO_LONG, f"a path may have at most {HEAD_BYTES} bytes")
    if isinstance(error, LineTooLong) or text == "Too many headers received":
        message = f"a request may have {HEADERS} headers of {HEAD_BYTES} bytes"
        return ApiError(ErrorCode.HEADERS_TOO_LARGE, message)
    if isinstance(error, BadHttpMethod) and _UNKNOWN_METHOD.search(text):
        return ApiError(ErrorCode.NOT_IMPLEMENTED, "there is no such method here")
    if hasattr(error, "code"):
        return ApiError(ErrorCode.BAD_REQUEST, "this is no HTTP request")
    return ApiError(ErrorCode.INTERNAL_ERROR, "the server failed at this request")
