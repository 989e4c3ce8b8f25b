"""One port: `GET /ws` stays with the hub, anything else goes to the HTTP side of the same process."""

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, Generic, cast

from rhythmd.addresses import canonical_address, is_loopback
from rhythmd.hub.ports import SessionT
from rhythmd.net.connection import Wiring
from rhythmd.net.handshake import http_error
from rhythmd.net.opening import Opening
from rhythmd.telemetry import net_log

__all__ = ["Listener"]

WEBSOCKET: Final = b"GET /ws"
AFTER_PATH: Final = b" ?"
BACKLOG: Final = 4_096

OnGone = Callable[[], None]
HttpFactory = Callable[[OnGone], asyncio.Protocol]


class Listener(Generic[SessionT]):
    """Accepts, counts and hands over connections.

    Args:
        wiring: what the WebSocket connections share.
        http_factory: builds the protocol for an HTTP connection; it calls its argument when the connection is gone.
    """

    def __init__(self, wiring: Wiring[SessionT], http_factory: HttpFactory) -> None:
        self._wiring = wiring
        self._http_factory = http_factory
        self._servers: list[asyncio.Server] = []
        self._open: set[IncomingConnection[SessionT]] = set()
        self._per_address: Counter[str] = Counter()
        self._empty = asyncio.Event()

    @property
    def connections(self) -> int:
        """Connections open now, HTTP included."""
        return len(self._open)

    async def start(self, hosts: Sequence[str], port: int, tls: ssl.SSLContext | None = None) -> int:
        """Listen on each host; the port, which is the same everywhere and the system's choice when `port` is 0.

        With `tls` everything is encrypted. Raises OSError.
        """
        for host in hosts:
            server = await self._wiring.loop.create_server(
                lambda: IncomingConnection(self),
                host,
                port,
                backlog=BACKLOG,
                ssl=tls,
                ssl_handshake_timeout=None if tls is None else self.handshake_s,
            )
            self._servers.append(server)
            bound: int = server.sockets[0].getsockname()[1]
            port = bound
        self._wiring.heartbeat.start()
        return port

    def stop_accepting(self) -> None:
        for server in self._servers:
            server.close()
        self._wiring.heartbeat.stop()

    async def drain(self, seconds: float) -> None:
        """Wait until all connections are gone, abort what is left after `seconds`."""
        if not self._open:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        except TimeoutError:
            for incoming in list(self._open):
                incoming.abort()

    def admit(self, incoming: "IncomingConnection[SessionT]", address: str) -> bool:
        """Count a connection in, or say that there are too many."""
        limits = self._wiring.limits
        if len(self._open) >= limits.connections or (
            not is_loopback(address) and self._per_address[address] >= limits.connections_per_address
        ):
            return False
        self._open.add(incoming)
        self._empty.clear()
        self._per_address[address] += 1
        return True

    def forget(self, incoming: "IncomingConnection[SessionT]", address: str) -> None:
        self._open.discard(incoming)
        if not self._open:
            self._empty.set()
        self._per_address[address] -= 1
        if not self._per_address[address]:
            del self._per_address[address]

    def successor(self, incoming: "IncomingConnection[SessionT]", *, is_websocket: bool) -> asyncio.Protocol:
        """The protocol that takes over from `incoming`."""
        if is_websocket:
            return Opening(self._wiring, incoming.address, incoming.gone)
        return self._http_factory(incoming.gone)

    @property
    def handshake_s(self) -> float:
        return self._wiring.limits.handshake_s

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self._wiring.loop


class IncomingConnection(asyncio.Protocol, Generic[SessionT]):
    """Looks at a connection's first bytes and hands it on. Stays behind as its entry in the listener's count."""

    __slots__ = ("_head", "_listener", "_timer", "_transport", "address")

    def __init__(self, listener: Listener[SessionT]) -> None:
        self._listener = listener
        self._head = b""
        self._timer: asyncio.TimerHandle | None = None
        self.address = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)  # uvloop's is one without saying so
        self._transport = transport
        peer = transport.get_extra_info("peername")
        address = canonical_address(peer[0]) if peer else "127.0.0.1"
        if not self._listener.admit(self, address):
            net_log.warning("%s refused: too many connections", address)
            transport.write(http_error("503 Service Unavailable", "too many connections", "Retry-After: 10\r\n"))
            transport.close()
            return
        self.address = address
        self._timer = self._listener.loop.call_later(self._listener.handshake_s, transport.abort)

    def data_received(self, data: bytes) -> None:
        if self._timer is None:
            return
        self._head += data
        # A path that only begins with /ws is HTTP's; until the byte after it is there, nobody knows.
        if WEBSOCKET.startswith(self._head):
            return
        self._timer.cancel()
        self._timer = None
        head = self._head
        is_websocket = head.startswith(WEBSOCKET) and head[len(WEBSOCKET)] in AFTER_PATH
        successor = self._listener.successor(self, is_websocket=is_websocket)
        self._transport.set_protocol(successor)
        successor.connection_made(self._transport)
        successor.data_received(head)

    def connection_lost(self, exc: Exception | None) -> None:
        """Only when nobody has taken over yet."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self.gone()

    def gone(self) -> None:
        self._listener.forget(self, self.address)

    def abort(self) -> None:
        self._transport.abort()
