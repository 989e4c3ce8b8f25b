"""What asyncio's transports do not do by themselves: hold little in the kernel, and end without losing the end."""

import asyncio
import socket
from typing import Final

__all__ = ["CLOSE_S", "RECEIVE_BUFFER", "end_output", "keep_little"]

SEND_BUFFER: Final = 65_536  # the kernel doubles it; what is on its way and not acknowledged counts, too
UNSENT: Final = 16_384
RECEIVE_BUFFER: Final = 65_536
"""Bytes that a client may send and nobody has read; the kernel doubles it. Messages are small. Without a bound it grows
to megabytes, which the kernel holds for whoever waits for a turn, and copies for whoever sends what nobody wants.
"""
CLOSE_S: Final = 5.0  # for the other side to close, too


def keep_little(raw: socket.socket) -> None:
    """Bound what waits in the kernel for a socket, in both directions.

    Old notes there cannot be taken back, and hide that a client is slow.

    TCP_NOTSENT_LOWAT (Linux, macOS) leaves what the connection needs on its way alone.
    """
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)


def end_output(transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> asyncio.TimerHandle:
    """Close our side, go on reading, and give up after `CLOSE_S`; the timer of that.

    Closing both at once while bytes are still coming in would reset the connection, and what was written could be lost.
    """
    if transport.can_write_eof() and not transport.is_closing():
        transport.write_eof()
    else:
        transport.close()
    return loop.call_later(CLOSE_S, transport.abort)
