"""The port: every connection is accepted and counted here, and given to the HTTP side.

A trusted proxy may begin a connection with a PROXY header, in front of TLS, too: so TLS begins here, behind it.
"""

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Final, cast

from rhythmd.addresses import Networks, canonical_address, customer_network, is_loopback
from rhythmd.config import LimitsConfig
from rhythmd.fairness.turns import Turns
from rhythmd.net.proxy_protocol import ProxyHeaderError, read_proxy_header
from rhythmd.telemetry import net_log

__all__ = ["IncomingConnection", "Listener"]

BACKLOG: Final = 128
"""Connections that may wait. All of them are accepted in one turn of the loop."""
ACCEPT_S: Final = 0.0002
"""Of the loop's time, which nobody measures."""
LINGER_S: Final = 1.0
"""For which what a client sends is still read when it was refused, so that a reset does not overtake the answer."""
MOST_LINGERING: Final = 64
"""Refused connections that are open beside all others. Those beyond are closed at once."""
LOCAL: Final = "127.0.0.1"


class Listener:
    """Accepts, counts and hands over connections.

    Args:
        limits: of connections and handshakes.
        trusted_proxies: networks that may send PROXY headers; their connections are many clients'.
        http_factory: builds the protocol for a connection, which calls `gone` when that is lost.
        refusal: makes the answer to a connection that is one too many.
        turns: of all connections.
    """

    def __init__(
        self,
        limits: LimitsConfig,
        trusted_proxies: Sequence[str],
        http_factory: Callable[["IncomingConnection"], asyncio.Protocol],
        refusal: Callable[[], bytes],
        turns: Turns,
    ) -> None:
        self._limits = limits
        self._trusted = Networks(trusted_proxies)
        self._refusal = refusal
        self.turns = turns
        self.http_factory = http_factory
        self.loop = asyncio.get_running_loop()
        self.tls: ssl.SSLContext | None = None
        self._servers: list[asyncio.Server] = []
        self._open: set[IncomingConnection] = set()
        self._refused: set[IncomingConnection] = set()
        self._per_network: Counter[str] = Counter()
        self._empty = asyncio.Event()

    @property
    def connections(self) -> int:
        """Connections open now, HTTP included."""
        return len(self._open)

    @property
    def handshake_s(self) -> float:
        return self._limits.handshake_s

    async def start(self, hosts: Sequence[str], port: int, tls: ssl.SSLContext | None = None) -> int:
        """Listen on each host; the port, which is the same everywhere and the system's choice when `port` is 0.

        With `tls` everything is encrypted. Raises OSError.
        """
        self.tls = tls
        for host in hosts:
            server = await self._listen(host, port)
            self._servers.append(server)
            bound: int = server.sockets[0].getsockname()[1]
            port = bound
        return port

    async def _listen(self, host: str, port: int) -> asyncio.Server:
        try:
            return await self.loop.create_server(lambda: IncomingConnection(self), host, port, backlog=BACKLOG)
        except UnicodeError:  # an empty label, or one of more than 63 characters
            raise OSError(f"{host} is no name of a host") from None

    def stop_accepting(self) -> None:
        for server in self._servers:
            server.close()

    async def drain(self, seconds: float) -> None:
        """Wait until all connections are gone, abort what is left after `seconds`."""
        for refused in list(self._refused):
            refused.abort()
        if not self._open:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        except TimeoutError:
            for incoming in list(self._open):
                incoming.abort()

    def is_trusted(self, address: str) -> bool:
        return address in self._trusted

    def admit(self, incoming: "IncomingConnection") -> bool:
        """Count a connection in, or say that there are too many."""
        if len(self._open) >= self._limits.connections:
            return False
        self._open.add(incoming)
        self._empty.clear()
        return True

    def claim(self, network: str) -> bool:
        """Count a connection of this network in, or say that it has too many."""
        if self._per_network[network] >= self._limits.connections_per_address:
            return False
        self._per_network[network] += 1
        return True

    def forget(self, incoming: "IncomingConnection", network: str | None) -> None:
        self._open.discard(incoming)
        self._refused.discard(incoming)
        if not self._open:
            self._empty.set()
        if network is not None:
            self._per_network[network] -= 1
            if not self._per_network[network]:
                del self._per_network[network]

    def refuse(self, incoming: "IncomingConnection", transport: asyncio.Transport) -> None:
        """Say that there are too many, where that can be read, and end the connection."""
        net_log.warning("%s refused: too many connections", incoming.address)
        if self.tls is None:
            transport.write(self._refusal())
        if self.tls is not None or len(self._refused) >= MOST_LINGERING:
            transport.close()
            return
        transport.write_eof()
        self._refused.add(incoming)
        incoming.end_in(LINGER_S)


class IncomingConnection(asyncio.Protocol):
    """Looks for a PROXY header, begins TLS and hands over. Stays behind as its entry in the listener's count.

    Attributes:
        address: of who connected or, if that is a trusted proxy that says so, of the client.
        is_encrypted: whether such a proxy says that the client speaks TLS with it.
    """

    __slots__ = (
        "_early", "_is_refused", "_listener", "_network", "_starting", "_timer", "_transport", "account", "address",
        "is_encrypted",
    )  # fmt: skip

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._early = b""
        self._is_refused = False
        self._network: str | None = None  # the one whose connections it is counted with
        self._timer: asyncio.TimerHandle | None = None  # while a PROXY header may come, or a refusal be read
        self._starting: asyncio.Task[None] | None = None
        self.address = LOCAL
        self.account = listener.turns.account(LOCAL)
        self.is_encrypted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)  # uvloop's is one without saying so
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self.address = canonical_address(peer[0]) if peer else LOCAL
        if not self._listener.admit(self):
            self._refuse(transport)
        elif self._listener.is_trusted(self.address):
            self._timer = self._listener.loop.call_later(self._listener.handshake_s, transport.abort)
        elif self.claim(self.address):
            self._go_on()
        else:
            self._refuse(transport)

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        self._early += data
        if self._timer is not None:
            self._look_for_header()

    def connection_lost(self, exc: Exception | None) -> None:
        """Only when nobody has taken over yet."""
        self._set_timer_off()
        self.gone()

    def claim(self, address: str) -> bool:
        """Count this connection with those of an address's network, if it is not yet; False if these are too many.

        Loopback has no limit of its own: a whole machine shares it.
        """
        if self._network is not None or is_loopback(address):
            return True
        network = customer_network(address)
        if not self._listener.claim(network):
            return False
        self._network = network
        self.account.network = self._listener.turns.network(address)
        now = monotonic()
        self.account.charge_work(now, now + ACCEPT_S)
        return True

    def gone(self) -> None:
        """The connection is lost."""
        self._listener.forget(self, self._network)
        self._network = None

    def abort(self) -> None:
        self._transport.abort()

    def end_in(self, seconds: float) -> None:
        """Close the connection then, if its client has not."""
        self._timer = self._listener.loop.call_later(seconds, self._transport.close)

    def _refuse(self, transport: asyncio.Transport) -> None:
        self.gone()
        self._is_refused, self._early = True, b""
        self._listener.refuse(self, transport)

    def _look_for_header(self) -> None:
        try:
            header = read_proxy_header(self._early)
        except ProxyHeaderError as error:
            net_log.warning("%s sent a bad PROXY header: %s", self.address, error)
            self._transport.abort()
            return
        if header is None:
            return
        self._set_timer_off()
        self._early = self._early[header.size :]
        self.is_encrypted = header.is_encrypted
        if header.address is not None:
            self.address = header.address
        if self._listener.is_trusted(self.address) or self.claim(self.address):
            self._go_on()
        else:
            self._refuse(self._transport)

    def _go_on(self) -> None:
        if self._listener.tls is None:
            self._hand_over(self._transport)
        else:
            self._starting = self._listener.loop.create_task(self._start_tls(self._listener.tls))

    async def _start_tls(self, tls: ssl.SSLContext) -> None:
        loop, transport = self._listener.loop, self._transport
        transport.pause_reading()
        early, self._early = self._early, b""
        if early:
            # `start_tls` gives the connection to the TLS layer in two turns of the loop, and reading begins after them.
            loop.call_soon(loop.call_soon, _feed, transport, early)
        try:
            # This protocol, not the successor: what the client says first may come before `start_tls` returns.
            encrypted = await loop.start_tls(
                transport, self, tls, server_side=True, ssl_handshake_timeout=self._listener.handshake_s
            )
        except (OSError, TimeoutError) as error:
            net_log.info("%s: no TLS: %s", self.address, error)
            transport.abort()
            self.gone()
            return
        if encrypted is None or encrypted.is_closing():
            self.gone()
            return
        self._transport = encrypted
        self._hand_over(encrypted)

    def _hand_over(self, transport: asyncio.Transport) -> None:
        """Give the connection to the HTTP side, with what came of it already."""
        early, self._early = self._early, b""
        successor = self._listener.http_factory(self)
        transport.set_protocol(successor)
        successor.connection_made(transport)
        if early:
            successor.data_received(early)

    def _set_timer_off(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _feed(transport: asyncio.Transport, data: bytes) -> None:
    """Give the TLS layer bytes that were read before it was there, as a transport does."""
    layer = cast(asyncio.BufferedProtocol, transport.get_protocol())
    view = memoryview(data)
    while view:
        buffer = memoryview(layer.get_buffer(len(view)))
        size = min(len(buffer), len(view))
        buffer[:size] = view[:size]
        layer.buffer_updated(size)
        view = view[size:]
