"""A transport of which the end is its connection's decision."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from rhythmd.fairness.account import Account
from rhythmd.rest.serving.source import Peer

__all__ = ["Outlet"]

Bytes = bytes | bytearray | memoryview


class Outlet(asyncio.Transport):
    """Stands before aiohttp in the place of a connection's transport.

    Args:
        transport: the connection's.
        peer: the other end.
        account: of what it costs.
        serve: counts it with those that work for the network of an address; False if these are too many.
        on_close: called when aiohttp closes it.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        peer: Peer,
        account: Account,
        serve: Callable[[str], bool],
        on_close: Callable[[], None],
    ) -> None:
        super().__init__()
        self.peer = peer
        self.account = account
        self.serve = serve
        self._written = 0
        self._transport = transport
        self._on_close = on_close
        self._is_ended = False
        self._is_paused = False  # aiohttp has enough to do
        self._is_full = False  # too much waits
        self._is_waiting = False  # others have their turn
        self._is_reading = True

    def linger(self) -> None:
        """Write nothing more; read on."""
        self._is_ended = True
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._is_paused = self._is_full = False
        self._set_reading()

    def end(self) -> None:
        """Close the connection, when everything is written."""
        self._is_ended = True
        self._transport.close()

    def hold(self, *, is_full: bool) -> None:
        """Whether what has come is so much that reading is to wait."""
        self._is_full = is_full
        self._set_reading()

    @property
    def unread(self) -> int:
        """Bytes that are written, and that the client has not taken."""
        return self._transport.get_write_buffer_size()

    @property
    def taken(self) -> int:
        """Bytes that it has."""
        return self._written - self.unread

    @property
    def is_gone(self) -> bool:
        """Whether nothing is read any more either."""
        return self._transport.is_closing()

    def wait_for_turn(self, *, is_waiting: bool) -> None:
        """Whether reading is to wait until the connection has its turn."""
        self._is_waiting = is_waiting
        self._set_reading()

    def release(self) -> asyncio.Transport:
        """The transport itself, for somebody else, and read from."""
        self._is_ended = True
        self._is_paused = self._is_full = self._is_waiting = False
        self._set_reading()
        return self._transport

    # What aiohttp uses of a transport

    def write(self, data: Bytes) -> None:
        self._written += len(data)
        self._transport.write(data)

    def writelines(self, list_of_data: Iterable[Bytes]) -> None:
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        return self._transport.can_write_eof()

    def close(self) -> None:
        self._on_close()

    def abort(self) -> None:
        self._is_ended = True
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._is_ended or self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._transport.get_protocol()

    def pause_reading(self) -> None:
        self._is_paused = True
        self._set_reading()

    def resume_reading(self) -> None:
        self._is_paused = False
        self._set_reading()

    def _set_reading(self) -> None:
        wanted = not self._is_paused and not self._is_full and not self._is_waiting
        if wanted is not self._is_reading and not self._transport.is_closing():
            self._is_reading = wanted
            (self._transport.resume_reading if wanted else self._transport.pause_reading)()
