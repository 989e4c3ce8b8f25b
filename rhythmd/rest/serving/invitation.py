"""`Expect: 100-continue`: a body is asked for when nothing but the body itself can be refused any more."""

from typing import Final

from aiohttp import HttpVersion11, hdrs, web

from rhythm_protocol.errors import ErrorCode
from rhythmd.rest.serving.envelope import ApiError

__all__ = ["check_length", "invite_body"]

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


def check_length(request: web.BaseRequest, most_bytes: int) -> None:
    """Raise ApiError (`too-large`) for a body that says of itself that it has more bytes than that."""
    if (request.content_length or 0) > most_bytes:
        message = f"this may have at most {most_bytes} bytes"
        raise ApiError(ErrorCode.TOO_LARGE, message, headers={"Connection": "close"})


async def invite_body(request: web.BaseRequest) -> None:
    """Let a client send its body that waits to be asked for it (RFC 9110, 10.1.1)."""
    if request.version >= HttpVersion11 and request.headers.get(hdrs.EXPECT, "").lower() == "100-continue":
        await request.writer.write(CONTINUE)
