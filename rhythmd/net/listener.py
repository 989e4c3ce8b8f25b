"""The port: every connection is accepted and counted here, and given to the HTTP side.

A trusted proxy may begin a connection with a PROXY header, in front of TLS, too: so TLS begins here, behind it.
"""

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic
from typing import Final

from rhythmd.addresses import Networks, canonical_address, customer_network
from rhythmd.config import LimitsConfig
from rhythmd.fairness.account import NetworkAccount
from rhythmd.fairness.turns import Turns
from rhythmd.net.acceptor import Acceptor
from rhythmd.net.encryption import Encryption
from rhythmd.net.incoming import IncomingConnection
from rhythmd.net.places import Places
from rhythmd.telemetry import net_log

__all__ = ["Listener"]

LINGER_S: Final = 1.0
"""For which a refused connection stays, so that a reset does not overtake the answer when its client still sends."""
MOST_LINGERING: Final = 64
"""Refused connections that are open beside all others. One more ends the first of them."""


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
        self.http_side = http_factory
        self.loop = asyncio.get_running_loop()
        self.encryption: Encryption | None = None
        self.proxies = NetworkAccount()
        self.places = Places(limits)
        self._acceptor = Acceptor(self.receive, lambda: turns.is_busy, self.places.make_room)
        self._open: set[IncomingConnection] = set()
        self._refused: deque[tuple[float, socket.socket | IncomingConnection]] = deque()  # and when they end
        self._timer: asyncio.TimerHandle | None = None  # of the first of these
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
        if tls is not None:
            self.encryption = Encryption(tls, self.handshake_s, self.turns, self._limits.write_buffer_bytes)
        return await self._acceptor.listen(hosts, port)

    def stop_accepting(self) -> None:
        self._acceptor.close()

    async def drain(self, seconds: float) -> None:
        """Wait until all connections are gone, abort what is left after `seconds`."""
        while self._refused:
            self._end_first()
        if self._timer is not None:
            self._timer.cancel()
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

    def receive(self, raw: socket.socket, host: str) -> None:
        """Count a connection in, or say that there are too many."""
        start = monotonic()
        incoming = IncomingConnection(self, canonical_address(host))
        is_proxy = self.is_trusted(incoming.address)
        incoming.place = self.places.enter(incoming, None if is_proxy else customer_network(incoming.address))
        if incoming.place is None or not (is_proxy or incoming.claim(incoming.address)):
            incoming.gone()
            self._refuse(raw, incoming.address, start)
            return
        self._open.add(incoming)
        self._empty.clear()
        incoming.begin(raw, start)

    def forget(self, incoming: IncomingConnection) -> None:
        self._open.discard(incoming)
        if not self._open:
            self._empty.set()

    def refuse(self, incoming: IncomingConnection, transport: asyncio.Transport) -> None:
        """Say that there are too many, where that can be read, and end the connection."""
        net_log.warning("%s refused: too many connections", incoming.address)
        if self.encryption is not None:
            transport.close()
            return
        transport.write(self._refusal())
        transport.write_eof()
        self._linger(incoming)

    def _refuse(self, raw: socket.socket, address: str, start: float) -> None:
        """The same before there is a transport, which is the most of what a connection costs."""
        net_log.warning("%s refused: too many connections", address)
        if self.encryption is not None:
            raw.close()
            return
        with suppress(OSError):  # it is gone again
            raw.send(self._refusal())
            raw.shutdown(socket.SHUT_WR)
        self._linger(raw)
        self.turns.account(address).charge_work(start, monotonic())

    def _linger(self, refused: socket.socket | IncomingConnection) -> None:
        if len(self._refused) >= MOST_LINGERING:
            self._end_first()
        self._refused.append((monotonic() + LINGER_S, refused))
        if self._timer is None:
            self._timer = self.loop.call_later(LINGER_S, self._end_due)

    def _end_due(self) -> None:
        now = monotonic()
        while self._refused and self._refused[0][0] <= now:
            self._end_first()
        self._timer = self.loop.call_later(self._refused[0][0] - now, self._end_due) if self._refused else None

    def _end_first(self) -> None:
        _, refused = self._refused.popleft()
        refused.close()
