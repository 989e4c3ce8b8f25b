"""How much the kernel may hold for a client that does not read."""

import socket
from typing import Final

__all__ = ["keep_little_unsent"]

SEND_BUFFER: Final = 65_536  # the kernel doubles it; what is on its way and not acknowledged counts, too
UNSENT: Final = 16_384


def keep_little_unsent(raw: socket.socket) -> None:
    """Bound what waits in the kernel: old notes there cannot be taken back, and hide that a client is slow.

    TCP_NOTSENT_LOWAT (Linux, macOS) leaves what the connection needs on its way alone.
    """
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)
