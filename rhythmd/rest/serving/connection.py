"""The connection in front of aiohttp's protocol."""

import asyncio
from time import monotonic
from typing import Any, Final, Protocol, cast

from aiohttp import hdrs

from rhythmd.fairness.account import Account
from rhythmd.fairness.protocol import FairProtocol
from rhythmd.fairness.turns import Turns
from rhythmd.rest.serving.envelope import ApiError
from rhythmd.rest.serving.intake import Intake
from rhythmd.rest.serving.outlet import Outlet
from rhythmd.rest.serving.protocol import HttpProtocol, nothing
from rhythmd.rest.serving.source import Peer
from rhythmd.telemetry import rest_log

__all__ = ["Accepted", "HttpConnection"]

LINGER_S: Final = 2.0
"""For which what a client still sends is read and thrown away when its connection has ended, so that it sees the answer
(RFC 9112, 9.6).
"""
TURN_S: Final = 0.0005
"""Of the loop's time; then others have their turn."""
PART_BYTES: Final = 4_096
LINE_BYTES: Final = 10
"""Where the lines of a chunked body are shorter, each counts as a frame: a chunk of a byte costs as much as one."""
THROWN_BYTES: Final = 1_024
"""That are read to be thrown away, and count as a frame."""
HELD_BYTES: Final = 65_536
"""That may come behind a request which is not answered; then the client has to wait."""


class Accepted(Protocol):
    """An accepted connection, as its listener knows it."""

    @property
    def address(self) -> str:
        """Of who connected, or whom a PROXY header names."""

    @property
    def is_encrypted(self) -> bool:
        """Whether a PROXY header says so of the client's own connection."""

    @property
    def account(self) -> Account:
        """Of what it costs."""

    def claim_socket(self, address: str) -> bool:
        """Count it with the sockets of an address's network; False if these are too many."""

    def serve(self, address: str) -> bool:
        """Count it with those that work for an address's network; False if these are too many."""

    def rest(self) -> None:
        """All is answered: it may make room for others."""

    def work(self) -> None:
        """Something is asked."""

    def stall(self) -> None:
        """The client does not read its answer."""

    def keep(self) -> None:
        """It is no connection for HTTP any more."""

    def end(self) -> None:
        """It is about to end."""

    def gone(self) -> None:
        """It is lost."""


class HttpConnection(FairProtocol):
    """Gives aiohttp's protocol one request after the other, and ends the connection when all is said.

    aiohttp gives a client all the time in the world for the head of a request, knows no end of what a client sends but
    the end of the connection, and ends a connection so that an answer may be lost.

    Args:
        protocol: aiohttp's.
        accepted: the connection.
        turns: of all connections.
        head_s: seconds in which the head of a request must be here, from its first byte, or from the connection's
            beginning.
        unread_s: seconds in which the client must read some of what waits for it.

    Attributes:
        peer: who connected.
        is_over: the client has ended its side.
    """

    kind = "body"
    counts_bytes = False  # a file has many, and a proxy sends those of many clients

    def __init__(
        self, protocol: HttpProtocol, accepted: Accepted, turns: Turns, head_s: float, unread_s: float
    ) -> None:
        super().__init__(turns, accepted.account, self)
        self._protocol = protocol
        self.accepted = accepted
        self.peer = Peer(accepted.address, accepted.is_encrypted)
        self.is_over = False
        self._head_s = head_s
        self._unread_s = unread_s
        self._taken = 0
        self._reading: asyncio.TimerHandle | None = None  # while the client has something to read
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._intake = Intake()
        self._unsent = turns.memory.of("unsent")
        self._unsent_size = 0  # of what waits for the client, as far as the budget knows
        self._outlet: Outlet | None = None
        self._is_refused = False
        self._head_since: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._outlet = Outlet(
            cast(asyncio.Transport, transport), self.peer, self.account, self.accepted.serve, self._finish
        )
        self._wait_for_head()
        self._protocol.on_answered = self._answered
        self._protocol.connection_made(self._outlet)

    def work_off(self, data: bytes, at: int) -> int:
        intake, until = self._intake, monotonic() + TURN_S
        while at < len(data):
            if self._outlet is None or self._outlet.is_closing():
                self.account.frames += (len(data) - at) // THROWN_BYTES
                return len(data)
            part = data[at : at + PART_BYTES]
            at += len(part)
            if intake.is_in_chunks and (lines := part.count(b"\r\n")) > len(part) // LINE_BYTES:
                self.account.frames += lines
            intake.held += part
            self._go_on()
            if monotonic() > until:
                break
        return at

    def flooding(self) -> None:
        self.abort()

    def abort(self) -> None:
        if self._outlet is not None:
            self._outlet.abort()

    # What it waits for its turn with: the connection, which others stop reading for their own reasons

    def is_closing(self) -> bool:
        return self._outlet is None or self._outlet.is_gone

    def pause_reading(self) -> None:
        if self._outlet is not None:
            self._outlet.wait_for_turn(is_waiting=True)

    def resume_reading(self) -> None:
        if self._outlet is not None:
            self._outlet.wait_for_turn(is_waiting=False)

    def eof_received(self) -> bool:
        """Whether there is something to answer yet. TLS has no half of a connection, so there it is over."""
        outlet = self._outlet
        self.is_over = True
        if outlet is None or outlet.is_closing() or not outlet.can_write_eof():
            return False
        if not self._protocol.pending:
            return False
        self._go_on()
        return True

    def pause_writing(self) -> None:
        self._protocol.pause_writing()
        self._count_unsent()
        self._watch_reading()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()
        self._count_unsent()
        (self.accepted.work if self._protocol.pending else self.accepted.rest)()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._protocol.connection_lost(exc)
        self._end()
        self.accepted.gone()

    def _count_unsent(self) -> None:
        """What waits for the client to read is more, or less."""
        size = 0 if self._outlet is None else self._outlet.unread
        self._unsent.take(size - self._unsent_size)
        self._unsent_size = size

    def half_read_bytes(self) -> int:
        return 0 if self._outlet is None else len(self._intake.held) + self._intake.body_bytes

    def _finish(self) -> None:
        """End the connection: nothing more is written. A client that is still sending gets time to read the answer."""
        outlet = self._outlet
        if outlet is None or (outlet.is_closing() and not self._protocol.is_ended):
            return
        is_read = self._protocol.is_read and not self._intake.held and not self._is_refused
        self._watch_reading()
        if self.is_over or is_read or self._protocol.is_ended:
            outlet.end()
            return
        self._intake.held = b""
        self._head_since = None
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(LINGER_S, outlet.end)
        outlet.linger()

    def release(self) -> tuple[asyncio.Transport, bytes]:
        """Take the connection away from aiohttp, in the middle of a request that asks for another protocol.

        The transport, and the bytes that came behind the request. What the handler returns is sent nowhere.
        """
        assert self._outlet is not None, "there is a request, so there is a connection"  # noqa: S101
        transport = self._outlet.release()
        self.accepted.keep()
        behind = _Behind()
        reader: Any = behind  # aiohttp knows readers of WebSocket frames only, and asks no more of them
        self._protocol.set_parser(reader)
        self._protocol.transport = None  # so that it does not close what is not its own any more
        super().connection_lost(None)
        self._protocol.connection_lost(None)
        self._end()
        return transport, bytes(behind.data) + self._intake.held

    def _go_on(self) -> None:
        """Give the parser what it may have now."""
        outlet, intake = self._outlet, self._intake
        if outlet is None or outlet.is_closing() or self._is_refused:
            return
        intake.settle()
        try:
            while taken := intake.take():
                self._feed(taken)
        except ApiError as error:
            self._refuse(outlet, error)
            return
        self.count_unread()
        outlet.hold(is_full=len(intake.held) > HELD_BYTES)
        if intake.is_in_head and self._head_since is None:
            self._wait_for_head()
        if self.is_over and not intake.has_more:
            self._protocol.break_off()

    def _feed(self, data: bytes) -> None:
        intake = self._intake
        fed = self._protocol.feed(data)
        if fed.is_refused:
            self._is_refused = True
            intake.stop()
            return
        if fed.request is None:
            return
        self.accepted.work()
        if not intake.is_head_taken:
            intake.mix()
            return
        self._head_since = None
        length = int(fed.request.headers.get(hdrs.CONTENT_LENGTH, 0))
        intake.begin(length=length, is_chunked=fed.request.chunked, body=fed.body)
        if not fed.body.is_eof():
            fed.body.on_eof(self._body_ended)

    def _body_ended(self) -> None:
        self._loop.call_soon(self._go_on)

    def _answered(self) -> None:
        self._intake.answered()
        self.count_unread()
        if not self._protocol.pending:
            self.accepted.rest()
        if self._intake.held or self.is_over:
            self._go_on()

    def _refuse(self, outlet: Outlet, error: ApiError) -> None:
        """Answer what is no request; nothing is left to be answered before it."""
        rest_log.info("a request is refused: %s", error.message)
        self._is_refused = True
        outlet.write(self._protocol.refusal(error))
        outlet.close()

    def _wait_for_head(self) -> None:
        self._head_since = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(self._head_s, self._look)

    def _look(self) -> None:
        """Close the connection if it has been sending a head for too long.

        One timer for many requests: one for each would be felt.
        """
        self._timer = None
        if self._head_since is None or self._outlet is None:
            return
        left_s = self._head_since + self._head_s - self._loop.time()
        if left_s > 0:
            self._timer = self._loop.call_later(left_s, self._look)
        else:
            self._outlet.end()

    def _watch_reading(self) -> None:
        """From here on the client must read, and does not hold a place for longer by reading nothing."""
        if self._outlet is not None:
            self.accepted.stall()
            if self._reading is None:
                self._taken = self._outlet.taken
                self._reading = self._loop.call_later(self._unread_s, self._look_at_reading)

    def _look_at_reading(self) -> None:
        self._reading = None
        outlet = self._outlet
        if outlet is None or not outlet.unread:
            return
        if outlet.taken > self._taken:
            self._taken = outlet.taken
            self._reading = self._loop.call_later(self._unread_s, self._look_at_reading)
        else:
            rest_log.info("%s does not read its answer", self.peer.address)
            outlet.abort()

    def _end(self) -> None:
        """Nothing more is heard of it, and nothing keeps it in memory."""
        for timer in (self._timer, self._reading):
            if timer is not None:
                timer.cancel()
        self._outlet = None
        self._count_unsent()
        self._protocol.on_answered = nothing


class _Behind:
    """Keeps what aiohttp has read behind an upgrade request."""

    def __init__(self) -> None:
        self.data = bytearray()

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self.data += data
        return False, b""

    def feed_eof(self) -> None:
        """It ends here."""
