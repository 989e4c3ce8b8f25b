"""The listening sockets, and the loop's turns at accepting: a few connections at a time, however many wait.

`loop.create_server` accepts all of the backlog in one go, and whoever plays meanwhile waits for that.
"""

import asyncio
import errno
import socket
from collections.abc import Callable, Sequence
from typing import Any, Final

from rhythmd.net.transports import RECEIVE_BUFFER
from rhythmd.telemetry import net_log

__all__ = ["Acceptor"]

BACKLOG: Final = 1_024
"""Connections that may wait in the kernel, which has a bound of its own (`net.core.somaxconn`)."""
MANY: Final = 16
"""Connections that are accepted before others have their turn: about a millisecond of work."""
FEW: Final = 4
"""The same while somebody waits for a turn."""
UNSENT: Final = 65_536
"""Bytes that may wait in the kernel to be sent. What is on its way is not among them, so that no download is slower."""
PAUSE_S: Final = 0.1
"""For which nobody is accepted when the system has nothing left to accept them with."""
SHORT: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

Receive = Callable[[socket.socket, str], None]


class Acceptor:
    """Accepts connections and gives each to `receive`, with the address that it comes from.

    Args:
        receive: takes a connection; it must not fail.
        is_busy: whether somebody waits for a turn of the loop.
        make_room: ends a connection that holds a place and does nothing; False if there is none.
    """

    def __init__(self, receive: Receive, is_busy: Callable[[], bool], make_room: Callable[[], bool]) -> None:
        self._loop = asyncio.get_running_loop()
        self._receive = receive
        self._is_busy = is_busy
        self._make_room = make_room
        self._sockets: list[socket.socket] = []
        self._pause: asyncio.TimerHandle | None = None
        self._is_short = False  # and has said so, since when nobody was left waiting

    async def listen(self, hosts: Sequence[str], port: int) -> int:
        """Listen on each host; the port, which is the same everywhere and the system's choice when `port` is 0.

        Raises OSError.
        """
        try:
            for host in hosts:
                for family, place in await self._places(host, port):
                    bound = _listening(family, (place[0], port, *place[2:]))
                    self._sockets.append(bound)
                    port = bound.getsockname()[1]
        except OSError:
            self.close()
            raise
        self._watch()
        return port

    async def _places(self, host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[Any, ...]]]:
        """What a name stands for: families and addresses, each once."""
        try:
            found = await self._loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        except UnicodeError:  # an empty label, or one of more than 63 characters
            raise OSError(f"{host} is no name of a host") from None
        return list(dict.fromkeys((family, place) for family, _, _, _, place in found))

    def close(self) -> None:
        """Accept nobody any more. Those that wait in the kernel are reset."""
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        for bound in self._sockets:
            self._loop.remove_reader(bound)
            bound.close()
        self._sockets.clear()

    def _watch(self) -> None:
        self._pause = None
        for bound in self._sockets:
            self._loop.add_reader(bound, self._accept, bound)

    def _accept(self, bound: socket.socket) -> None:
        """Take some of those that wait; the loop calls again while more do."""
        for number in range(FEW if self._is_busy() else MANY):
            try:
                raw, place = bound.accept()
            except BlockingIOError:
                self._is_short = False
                return
            except ConnectionError:  # of a client that is gone again
                continue
            except OSError as error:
                if not number:  # or perhaps nobody waits any more: it is not known without a descriptor
                    self._rest(error)
                return
            raw.setblocking(False)
            self._receive(raw, place[0])

    def _rest(self, error: OSError) -> None:
        """Make room, and accept nobody for a while: those that wait would have the loop call again and again."""
        if not self._is_short:
            self._is_short = True
            net_log.error("nobody can be accepted: %s", error.strerror)
        for bound in self._sockets:
            self._loop.remove_reader(bound)
        if error.errno in SHORT:
            for _ in range(MANY):
                if not self._make_room():
                    break
        self._pause = self._loop.call_later(PAUSE_S, self._watch)


def _listening(family: socket.AddressFamily, place: tuple[Any, ...]) -> socket.socket:
    """A socket that listens at this address. Raises OSError."""
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setblocking(False)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what a server before it left is in its way
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        _keep_little(bound)
        bound.bind(place)
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        raise OSError(error.errno, f"cannot listen on {place[0]}, port {place[1]}: {error.strerror}") from None
    return bound


def _keep_little(bound: socket.socket) -> None:
    """Bound what the kernel keeps for each connection; accepted ones inherit it from the one that listens."""
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)
