"""The beginning of TLS: an asymmetric signature for each connection, by far the most that a stranger is given."""

import asyncio
import ssl
from time import monotonic
from typing import Final
from weakref import WeakValueDictionary

from rhythmd.fairness.account import Account, NetworkAccount
from rhythmd.fairness.turns import Turns
from rhythmd.net.records import CountedTls, Records

__all__ = ["Encryption", "NoEncryption", "handshake_cost_s"]

UNKNOWN_COST_S: Final = 0.002
MOST_AT_ONCE: Final = 16
"""Handshakes of one network that are under way: if all of them come to their costly step at once, others wait for so
many signatures."""
MANY_AT_ONCE: Final = 8
MOST_FLIGHTS: Final = 8
SHORT_S: Final = 2.0
"""For each of them when there are many: who is slow does not keep others of the network waiting."""
PATIENCE_S: Final = 0.5
"""For which one is left alone before it makes room for another one of its network."""


class NoEncryption(Exception):
    """The client speaks no TLS, or is too slow, or gone."""


class Encryption:
    """Begins TLS on connections.

    Args:
        context: with the certificate.
        handshake_s: seconds that a client has.
        turns: of all connections.
        unread_bytes: that may wait for a client which goes on sending without reading them.

    Attributes:
        cost_s: seconds that a handshake takes here, with this certificate.
    """

    def __init__(self, context: ssl.SSLContext, handshake_s: float, turns: Turns, unread_bytes: int) -> None:
        context.options |= ssl.OP_NO_RENEGOTIATION  # each would be one more signature (before TLS 1.3)
        context.sslobject_class = CountedTls
        self._context = context
        self._unread_bytes = unread_bytes
        self._handshake_s = handshake_s
        self._turns = turns
        self._loop = asyncio.get_running_loop()
        self._networks: WeakValueDictionary[NetworkAccount, _Handshakes] = WeakValueDictionary()
        self.cost_s = handshake_cost_s(context)

    async def start(
        self, transport: asyncio.Transport, protocol: asyncio.Protocol, account: Account, early: bytes
    ) -> asyncio.Transport:
        """The encrypted transport, with `protocol`. Raises NoEncryption.

        Args:
            transport: nothing is read from it.
            protocol: gets what is decrypted.
            account: pays.
            early: what was read already.
        """
        under_way = self._networks.get(account.network)
        if under_way is None:
            under_way = self._networks[account.network] = _Handshakes()
        try:
            async with asyncio.timeout(self._handshake_s):
                await under_way.enter()
        except TimeoutError:
            raise NoEncryption("others of its network are first") from None
        try:
            await self._turns.turn(account)
            seconds = self._handshake_s if under_way.count < MANY_AT_ONCE else min(self._handshake_s, SHORT_S)
            now = monotonic()
            account.charge_work(now, now + self.cost_s)
            records = Records(transport, self._turns, account, self.cost_s, self._unread_bytes)
            # `start_tls` gives the connection to the TLS layer before this is called, and reading begins after it.
            self._loop.call_soon(records.begin, early)
            under_way.begin(transport)
            encrypted = await self._loop.start_tls(
                transport, protocol, self._context, server_side=True, ssl_handshake_timeout=seconds
            )
        except (OSError, TimeoutError) as error:
            raise NoEncryption(str(error)) from error
        finally:
            under_way.leave(transport)
        if encrypted is None or encrypted.is_closing():
            raise NoEncryption("the client is gone")
        records.opened(encrypted)
        return encrypted


class _Handshakes:
    """Those of one network that are under way, and those that wait for a place: who came last is the next one.

    So a newcomer waits for one place, not behind hundreds that somebody else began and may never end. The first of
    these makes room for it.

    Attributes:
        count: of those that are under way.
    """

    __slots__ = ("__weakref__", "_begun", "_waiting", "count")

    def __init__(self) -> None:
        self.count = 0
        self._begun: dict[asyncio.Transport, float] = {}  # and when; the first comes first
        self._waiting: list[asyncio.Future[None]] = []

    async def enter(self) -> None:
        """Return when one may begin."""
        if self.count < MOST_AT_ONCE:
            self.count += 1
            return
        self._make_room()
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():  # it has got one in the same moment
                self._next()
            elif place in self._waiting:
                self._waiting.remove(place)
            raise

    def begin(self, transport: asyncio.Transport) -> None:
        """From here on it is its client that takes long."""
        self._begun[transport] = monotonic()

    def leave(self, transport: asyncio.Transport) -> None:
        """One is over: its place is the next one's."""
        self._begun.pop(transport, None)
        self._next()

    def _make_room(self) -> None:
        """The one that was begun first ends, unless that was only now."""
        transport = next(iter(self._begun), None)
        if transport is not None and monotonic() - self._begun[transport] >= PATIENCE_S:
            del self._begun[transport]
            transport.abort()

    def _next(self) -> None:
        while self._waiting:
            place = self._waiting.pop()
            if not place.done():
                place.set_result(None)
                return
        self.count -= 1


def handshake_cost_s(context: ssl.SSLContext) -> float:
    """Seconds that the server's side of a handshake takes, as one in memory tells."""
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname = False
    client_context.verify_mode = ssl.CERT_NONE
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server)
    server = context.wrap_bio(to_server, to_client, server_side=True)
    spent = 0.0
    for _ in range(MOST_FLIGHTS):
        if _is_done(client):
            return spent
        start = monotonic()
        _is_done(server)
        spent += monotonic() - start
    return UNKNOWN_COST_S


def _is_done(side: ssl.SSLObject) -> bool:
    """Whether its part of the handshake is over, after what the other one has said."""
    try:
        side.do_handshake()
    except ssl.SSLError:  # it wants to read, or gives up
        return False
    return True
