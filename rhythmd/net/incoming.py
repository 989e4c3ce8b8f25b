"""One connection from its beginning until somebody takes it over: its turn, a PROXY header, TLS."""

import asyncio
import socket
from time import monotonic
from typing import Final, Protocol, cast

from rhythmd.addresses import customer_network, is_loopback
from rhythmd.fairness.account import NetworkAccount
from rhythmd.fairness.turns import Turns
from rhythmd.net.encryption import Encryption, NoEncryption
from rhythmd.net.places import Place, Waiting
from rhythmd.net.proxy_protocol import ProxyHeaderError, read_proxy_header
from rhythmd.telemetry import net_log

__all__ = ["IncomingConnection", "Reception"]

OPENING_S: Final = 0.00004
"""What the event loop needs to make a transport and to end it, which nobody measures."""
ENDING_S: Final = 1.0
"""For which a connection that makes room may still end in good order."""
LOCAL: Final = "127.0.0.1"


class Reception(Protocol):
    """Where connections come in."""

    loop: asyncio.AbstractEventLoop
    turns: Turns
    encryption: Encryption | None
    proxies: NetworkAccount

    @property
    def handshake_s(self) -> float: ...

    def is_trusted(self, address: str) -> bool:
        """Whether it may send PROXY headers; its connections are many clients'."""

    def http_side(self, incoming: "IncomingConnection") -> asyncio.Protocol:
        """What takes the connection over."""

    def refuse(self, incoming: "IncomingConnection", transport: asyncio.Transport) -> None:
        """Say that there are too many, and end the connection."""

    def forget(self, incoming: "IncomingConnection") -> None:
        """It is gone."""


class IncomingConnection(asyncio.Protocol):
    """Waits for its turn, looks for a PROXY header, begins TLS and hands over. Stays behind as the connection's entry
    in the counts.

    Attributes:
        address: of who connected or, if that is a trusted proxy that says so, of the client.
        is_encrypted: whether such a proxy says that the client speaks TLS with it.
        account: of what it costs. Its network is its client's; while that is not known, that of all such connections.
        place: that it holds.
    """

    __slots__ = (
        "_early", "_is_known", "_is_over", "_is_refused", "_raw", "_reception", "_spent_s", "_starting", "_timer",
        "_transport", "account", "address", "is_encrypted", "place",
    )  # fmt: skip

    def __init__(self, reception: Reception, address: str) -> None:
        self._reception = reception
        self._early = b""
        self._is_known = False
        self._is_over = False
        self._is_refused = False
        self._raw: socket.socket | None = None  # while it waits for its turn
        self._spent_s = OPENING_S  # that is not charged yet
        self._starting: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None  # while a PROXY header may come, or a refusal be read
        self._transport: asyncio.Transport | None = None
        self.account = reception.turns.account(LOCAL)
        if reception.is_trusted(address):
            self.account.network = reception.proxies
        self.address = address
        self.is_encrypted = False
        self.place: Place | None = None

    def begin(self, raw: socket.socket, start: float) -> None:
        """Take it from here, or when it is its turn. It was accepted at `start`."""
        if self.account.may_go_on(start):
            self._open(raw)
        else:
            self._raw = raw
            self._reception.turns.wait(self)
        self._spent(start)

    def take_turn(self) -> bool:
        """Implements `fairness.turns.Waiter`. Another turn is its network's, once that is known."""
        start = monotonic()
        raw, self._raw = self._raw, None
        transport = self._transport
        if raw is not None:
            self._open(raw)
        elif transport is None or self._is_over or transport.is_closing():
            return False
        elif self._is_known:
            self._go_on(transport)
        elif self._look_for_header(transport):
            self._is_known = True
            if self.account.may_go_on(start):
                self._go_on(transport)
            else:
                self._reception.turns.wait(self)
        self._spent(start)
        return False

    def _open(self, raw: socket.socket) -> None:
        self._starting = self._reception.loop.create_task(self._make_transport(raw))

    async def _make_transport(self, raw: socket.socket) -> None:
        try:
            await self._reception.loop.connect_accepted_socket(lambda: self, raw)
        except OSError as error:  # it is gone again
            net_log.info("%s: %s", self.address, error)
            raw.close()
            self.gone()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        start = monotonic()
        transport = self._transport = cast(asyncio.Transport, transport)  # uvloop's is one without saying so
        if self._is_over:
            transport.abort()
        elif self._reception.is_trusted(self.address):
            self._timer = self._reception.loop.call_later(self._reception.handshake_s, transport.abort)
        else:
            self._go_on(transport)
        self._spent(start)

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        self._early += data
        if self._timer is not None and self._transport is not None:
            # Never at once: a proxy's connections are many, and may all be heard of in the same moment.
            self._transport.pause_reading()
            self._reception.turns.wait(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Only when nobody has taken over yet."""
        self._set_timer_off()
        self.gone()

    def claim(self, address: str) -> bool:
        """Count this connection, and what it costs, with those of an address's network; False if these are too many.

        Loopback has no limit of its own: a whole machine shares it.
        """
        return self._claim(address, is_socket=False)

    def claim_socket(self, address: str) -> bool:
        """The same for one that is about to become a socket."""
        return self._claim(address, is_socket=True)

    def _claim(self, address: str, *, is_socket: bool) -> bool:
        if self.place is None:
            return False
        if is_loopback(address):
            self.account.network = self._reception.turns.network(address)
            return True
        network = customer_network(address)
        if not (self.place.claim_socket(network) if is_socket else self.place.claim(network)):
            return False
        self.account.network = self._reception.turns.network(address)
        self._spent(monotonic())
        return True

    def serve(self, address: str) -> bool:
        """Count this connection of a proxy with those that work for an address's network, until it works for another
        one; False if these are too many.
        """
        return self.place is not None and (is_loopback(address) or self.place.claim(customer_network(address)))

    def rest(self) -> None:
        """All is answered, and nothing is asked."""
        if self.place is not None:
            self.place.wait(Waiting.IDLE)

    def work(self) -> None:
        """Something is asked."""
        if self.place is not None:
            self.place.wait(None)

    def stall(self) -> None:
        """The client does not read an answer."""
        if self.place is not None:
            self.place.wait(Waiting.UNREAD)

    def keep(self) -> None:
        """It is a socket from here on."""
        if self.place is not None:
            self.place.keep()

    def end(self) -> None:
        """It is about to end, and counts no more with those of its network."""
        if self.place is not None:
            self.place.end()

    def gone(self) -> None:
        """The connection is lost."""
        self._is_over = True
        if self.place is not None:
            self.place.leave()
            self.place = None
        if not self._is_refused:
            self._transport = None
        self._reception.forget(self)

    def abort(self) -> None:
        raw, self._raw = self._raw, None
        self._is_over = True
        if raw is not None:
            raw.close()
            self.gone()
        elif self._transport is not None:
            self._transport.abort()

    def make_room(self, *, is_read: bool) -> None:
        """Implements `net.places.Holder`."""
        net_log.info("%s makes room for another connection", self.address)
        transport = self._transport
        if transport is None or not is_read:
            self.abort()
        else:
            transport.close()  # when its last answer is written, which is perhaps of this very moment
            self._reception.loop.call_later(ENDING_S, transport.abort)

    def close(self) -> None:
        """End a refused connection."""
        if self._transport is not None:
            self._transport.close()

    def _spent(self, start: float) -> None:
        """The loop has worked for it since `start`; whose work that is may turn out later."""
        now = monotonic()
        self._spent_s += now - start
        if self.place is not None and self.place.scope is not None:
            self.account.charge_work(now, now + self._spent_s)
            self._spent_s = 0.0

    def _look_for_header(self, transport: asyncio.Transport) -> bool:
        """Whether what came is enough to know the client, and it may go on in this turn already."""
        try:
            header = read_proxy_header(self._early)
        except ProxyHeaderError as error:
            net_log.warning("%s sent a bad PROXY header: %s", self.address, error)
            transport.abort()
            return False
        if header is None:
            transport.resume_reading()
            return False
        self._set_timer_off()
        self._early = self._early[header.size :]
        self.is_encrypted = header.is_encrypted
        if header.address is not None:
            self.address = header.address
        if self._reception.is_trusted(self.address) or self.claim(self.address):
            return True
        self._is_refused, self._early = True, b""
        self.gone()
        self._reception.refuse(self, transport)
        return False

    def _go_on(self, transport: asyncio.Transport) -> None:
        transport.resume_reading()
        if self._reception.encryption is None:
            self._hand_over(transport)
        else:
            self._starting = self._reception.loop.create_task(self._start_tls(self._reception.encryption, transport))

    async def _start_tls(self, encryption: Encryption, transport: asyncio.Transport) -> None:
        transport.pause_reading()
        early, self._early = self._early, b""
        try:
            # This protocol, not the successor: what the client says first may come before `start` returns.
            encrypted = await encryption.start(transport, self, self.account, early)
        except NoEncryption as error:
            net_log.info("%s: no TLS: %s", self.address, error)
            transport.abort()
            self.gone()
            return
        self._transport = encrypted
        self._hand_over(encrypted)

    def _hand_over(self, transport: asyncio.Transport) -> None:
        """Give the connection to the HTTP side, with what came of it already."""
        early, self._early = self._early, b""
        successor = self._reception.http_side(self)
        transport.set_protocol(successor)
        successor.connection_made(transport)
        if early:
            successor.data_received(early)

    def _set_timer_off(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
