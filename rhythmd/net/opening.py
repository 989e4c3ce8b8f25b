"""The way from an upgrade request, which the HTTP side has read, to an open WebSocket connection."""

import asyncio
from collections.abc import Iterable
from typing import Generic

from rhythmd.fairness.account import Account
from rhythmd.hub.ports import Arrival, SessionT
from rhythmd.net.connection import Connection
from rhythmd.net.handshake import Handshake
from rhythmd.net.peer import Accepted, Wiring

__all__ = ["Opener", "Opening"]


class Opening(Generic[SessionT]):
    """One upgrade request that may be granted, and nothing stands in the way of."""

    __slots__ = ("_handshake", "_wiring", "bot")

    def __init__(self, wiring: Wiring[SessionT], handshake: Handshake, *, bot: bool) -> None:
        self._wiring = wiring
        self._handshake = handshake
        self.bot = bot

    def begin(
        self,
        transport: asyncio.Transport,
        account: Account,
        address: str,
        identity: Arrival,
        early: bytes,
        accepted: Accepted,
    ) -> None:
        """Answer, and give the connection to the hub.

        Args:
            transport: nobody else's any more.
            account: of what it costs.
            address: of the client.
            identity: of who is known, or why the cookie that was shown proves nothing.
            early: bytes that came right behind the request.
            accepted: its entry in the counts.
        """
        transport.write(self._handshake.answer)
        handshake = self._handshake
        connection = Connection(
            self._wiring, transport, handshake.protocol, handshake.encoding, account, address, accepted, bot=self.bot
        )
        transport.set_protocol(connection)
        transport.resume_reading()
        connection.begin(identity, early)


class Opener(Generic[SessionT]):
    """Looks at upgrade requests for the HTTP side.

    Args:
        wiring: what the WebSocket connections share.
    """

    def __init__(self, wiring: Wiring[SessionT]) -> None:
        self._wiring = wiring

    def negotiate(self, headers: Iterable[tuple[str, str]], *, bot: bool, cookie: str = "") -> Opening[SessionT]:
        """What the request is answered with, if it is granted. Raises Refused: `upgrade-required`, `bad-request`.

        Args:
            headers: of the request.
            bot: whether the client calls itself one.
            cookie: that the client is given; "" for none.
        """
        return Opening(self._wiring, Handshake(headers, self._wiring.limits.message_bytes, cookie), bot=bot)
