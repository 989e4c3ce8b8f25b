"""TLS records as they come in: few of them in one turn, on the account of who sends them.

The TLS layer decrypts all that it has in one go, and most of what it reads is never seen behind it: empty records, new
keys, attempts to begin again. Records of one byte cost as much as large ones.

What comes out of the layer is charged behind it. Here those bytes are charged that carry (nearly) nothing: what came in
beyond `CARRYING` times what came out, a record in the making aside. So a frame of its own record, an upload and a whole
handshake are free, however fast they come, and records without an end are not, however they are filled up.
"""

import asyncio
import ssl
from time import monotonic
from typing import Any, Final, Protocol, cast

from rhythmd.fairness.account import Account
from rhythmd.fairness.turns import Turns

__all__ = ["PART_BYTES", "CountedTls", "Records"]

PART_BYTES: Final = 2_048
"""That the TLS layer gets at a time: some 90 records of one byte each."""
BUFFER: Final = memoryview(bytearray(PART_BYTES))
"""Of all connections: what is read into it is taken out at once."""
CARRYING: Final = 6
"""A byte that comes out explains so many that came in: the shortest frame of a client, of six bytes, takes 28 with TLS
1.3 and 35 with TLS 1.2 if it has a record to itself."""
MAKING_BYTES: Final = 20_480
"""That may come in before anything comes out: a whole record (RFC 8446, 5.2), and what waits in the layer."""
EMPTY_PRICE: Final = 128
"""Bytes that are charged for one that carries nothing: at 262,144 bytes a second that is 75 new keys a second, or 120
bytes in records of their own. It is so low that fifty who flood the loop are each above it."""


class CountedTls(ssl.SSLObject):
    """The library's side of an encrypted connection. It counts what has come out.

    Attributes:
        plain: bytes, from the beginning.
    """

    plain = 0

    def read(self, size: int = 1_024, buffer: Any = None) -> bytes:
        """The next bytes, of one record. Where they go into a buffer, it counts as full."""
        data = super().read(size, buffer)
        self.plain += len(data) if buffer is None else size
        return data


class TlsLayer(Protocol):
    """The protocol that an event loop puts before an encrypted connection."""

    def get_buffer(self, sizehint: int, /) -> memoryview: ...

    def buffer_updated(self, nbytes: int, /) -> None: ...

    def eof_received(self) -> bool | None: ...

    def connection_lost(self, exc: Exception | None, /) -> None: ...

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...


class EncryptedTransport(Protocol):
    """An encrypted connection's side towards who reads and writes plain bytes, as event loops have it."""

    def set_read_buffer_limits(self, high: int) -> None: ...

    def get_read_buffer_size(self) -> int: ...

    def get_write_buffer_size(self) -> int: ...


class Records(asyncio.BufferedProtocol):
    """Stands between a connection's transport and its TLS layer, and lets in what it is the connection's turn for.

    Args:
        transport: the connection's own.
        turns: of all connections.
        account: of what it costs.
        prepaid_s: of the loop's time, for the handshake, that is charged already.
        unread_bytes: that may wait for a client which goes on sending as many without reading them.
    """

    __slots__ = (
        "_counted", "_empty", "_encrypted", "_held", "_ignored", "_input", "_is_waiting", "_layer", "_paying", "_plain",
        "_prepaid_s", "_transport", "_turns", "_unread_bytes", "account",
    )  # fmt: skip

    def __init__(
        self, transport: asyncio.Transport, turns: Turns, account: Account, prepaid_s: float, unread_bytes: int
    ) -> None:
        self._transport = transport
        self._turns = turns
        self.account = account
        self._prepaid_s = prepaid_s
        self._unread_bytes = unread_bytes
        self._layer: TlsLayer | None = None
        self._encrypted: EncryptedTransport | None = None
        self._held = b""  # what waits for its turn
        self._is_waiting = False
        self._ignored = 0  # bytes of a client that reads nothing
        self._input = Account(turns.prices, account.network)  # of bytes that carry nothing, and of nothing else
        self._paying: asyncio.TimerHandle | None = None  # until these are no more than may be
        self._counted: CountedTls | None = None
        self._plain = 0  # bytes that have come out
        self._empty = 0  # that came in, and nothing came out for

    def begin(self, early: bytes) -> None:
        """The TLS layer is the transport's protocol, and begins within this turn of the loop.

        Args:
            early: what was read already.
        """
        self._layer = cast(TlsLayer, self._transport.get_protocol())
        self._transport.set_protocol(self)
        if early:
            asyncio.get_running_loop().call_soon(self.receive, early)

    def opened(self, encrypted: asyncio.Transport) -> None:
        """The handshake is over. What nobody wants yet stays with the layer, which then decrypts all of it at once."""
        self._encrypted = cast(EncryptedTransport, encrypted)
        self._encrypted.set_read_buffer_limits(PART_BYTES)
        self._counted = cast(CountedTls, encrypted.get_extra_info("ssl_object"))

    def receive(self, data: bytes) -> None:
        """Some bytes have come."""
        start = monotonic()
        if self._is_waiting or not self.account.may_go_on(start) or self._input.input_wait_s(start):
            self._hold(data)
            return
        paid_at = self.account.network.paid_at
        self._feed(data[:PART_BYTES])
        self._charge(start, paid_at)
        if len(data) > PART_BYTES:
            self._hold(data[PART_BYTES:])

    def take_turn(self) -> bool:
        """Implements `fairness.turns.Waiter`. What is done here is not charged: others had their turn before."""
        if self._layer is None or self._transport.is_closing():
            self._held = b""
            return False
        now = monotonic()
        if wait_s := self._input.input_wait_s(now):
            self._wait_until_paid(now, wait_s)
            return False
        if self._held:
            data, self._held = self._held[:PART_BYTES], self._held[PART_BYTES:]
            self._feed(data)
            return True
        self._is_waiting = False
        # Where the layer has stopped reading, it goes on by itself.
        if self._encrypted is None or self._encrypted.get_read_buffer_size() < PART_BYTES:
            self._transport.resume_reading()
        return False

    def _wait_until_paid(self, now: float, wait_s: float) -> None:
        """Nothing is read until then. A client that goes on for too long is cut off: no frame could say why."""
        if self._input.flooding_since is None:
            self._input.flooding_since = now
        elif self._input.is_flooding(now):
            self._turns.cut_off(self.account.network, "tls-flooding")
            self.abort()
            return
        self._paying = self._turns.wait_until_paid(self, wait_s)

    def abort(self) -> None:
        self._transport.abort()

    def _hold(self, data: bytes) -> None:
        self._held += data
        self._transport.pause_reading()
        if not self._is_waiting:
            self._is_waiting = True
            self._turns.wait(self)

    def _feed(self, data: bytes) -> None:
        layer, view = self._layer, memoryview(data)
        while layer is not None and view:
            buffer = layer.get_buffer(len(view))
            size = min(len(buffer), len(view))
            buffer[:size] = view[:size]
            layer.buffer_updated(size)
            view, layer = view[size:], self._layer
        self._look_at_answers(len(data))
        self._look_for_content(len(data))

    def _look_for_content(self, size: int) -> None:
        """So many bytes came in. What is not explained by what came out is charged, like bytes behind the layer."""
        self._empty += size
        if self._counted is None:  # much may come before the end of the handshake is known here
            return
        plain = self._counted.plain
        self._empty = max(0, self._empty - CARRYING * (plain - self._plain))
        self._plain = plain
        if self._empty > MAKING_BYTES:
            self._input.charge_input(monotonic(), EMPTY_PRICE * (self._empty - MAKING_BYTES))
            self._empty = MAKING_BYTES

    def _charge(self, start: float, paid_at: float) -> None:
        """The time since `start`, when the network's account stood at `paid_at`; less what is charged already."""
        end = monotonic()
        charged_s = (self.account.network.paid_at - max(paid_at, start)) / self._turns.prices.network
        spent_s = end - start - max(0.0, charged_s)
        prepaid_s = min(self._prepaid_s, spent_s) if self._encrypted is None else 0.0
        self._prepaid_s -= prepaid_s
        if spent_s > prepaid_s:
            self.account.charge_work(end - spent_s + prepaid_s, end)

    def _look_at_answers(self, size: int) -> None:
        """The layer answers by itself, to new keys for instance; nobody else sees how much of that is not read."""
        if self._encrypted is None or self._encrypted.get_write_buffer_size() <= self._unread_bytes:
            self._ignored = 0
            return
        self._ignored += size
        if self._ignored > self._unread_bytes:
            self.abort()

    # What the event loop calls

    def get_buffer(self, sizehint: int) -> memoryview:
        return BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        self.receive(bytes(BUFFER[:nbytes]))

    def eof_received(self) -> bool | None:
        return None if self._layer is None else self._layer.eof_received()

    def pause_writing(self) -> None:
        if self._layer is not None:
            self._layer.pause_writing()

    def resume_writing(self) -> None:
        if self._layer is not None:
            self._layer.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        layer, self._layer, self._held = self._layer, None, b""
        self._encrypted = self._counted = None
        if self._paying is not None:
            self._paying.cancel()
            self._paying = None
        if layer is not None:
            layer.connection_lost(exc)
