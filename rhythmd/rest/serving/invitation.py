"""What is done for a body when nothing but the body itself can be refused any more: it is asked for, and let in."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from aiohttp import HttpVersion11, hdrs, web

from rhythm_protocol.errors import ErrorCode
from rhythmd.rest.serving.envelope import ApiError

__all__ = ["check_length", "invite_body", "widened"]

UPLOAD_BUFFER: Final = 524_288
"""Bytes that a client may send and nobody has read, while a file is read that it may send: that takes a round trip for
so many. The kernel doubles it, and has a bound of its own (`net.core.rmem_max`).
"""
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


@contextmanager
def widened(transport: asyncio.BaseTransport | None) -> Iterator[None]:
    """A larger receive buffer for as long as the block lasts."""
    raw: socket.socket | None = None if transport is None else transport.get_extra_info("socket")
    before = 0
    if raw is not None:
        with suppress(OSError, ValueError):  # the connection is lost
            before = raw.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UPLOAD_BUFFER)
    try:
        yield
    finally:
        if raw is not None and before:
            with suppress(OSError, ValueError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, before)
