"""What a WebSocket connection is to the hub, which asks it and closes it, and how it ends."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, Protocol

from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from rhythm_protocol.close import ABNORMAL, FLOODING, Close, close_rule, left_with
from rhythmd.config import LimitsConfig
from rhythmd.fairness.account import Account
from rhythmd.fairness.protocol import FairProtocol
from rhythmd.fairness.turns import Turns
from rhythmd.hub.ports import Encoding, Receiver, SessionT
from rhythmd.net.heartbeat import Heartbeat
from rhythmd.net.transports import CLOSE_S, end_output
from rhythmd.telemetry import Stats

__all__ = ["Accepted", "PeerConnection", "Wiring"]

DROP_S: Final = 0.5
"""In which a client that does not read may still find out why it is closed."""


@dataclass(frozen=True, slots=True)
class Wiring(Generic[SessionT]):
    """Everything that the connections of a listener share."""

    loop: asyncio.AbstractEventLoop
    limits: LimitsConfig
    receiver: Receiver[SessionT]
    stats: Stats
    heartbeat: Heartbeat
    turns: Turns


class Accepted(Protocol):
    """A connection's entry in the counts."""

    def end(self) -> None:
        """It is about to end."""

    def gone(self) -> None:
        """It is lost; called once."""


class PeerConnection(FairProtocol, Generic[SessionT]):
    """The side of a connection that the hub sees, `hub.ports.Peer`; `Connection` adds what comes in.

    Args:
        wiring: what all connections share.
        transport: its own.
        protocol: the state machine.
        encoding: of its messages.
        account: of what it costs.
        address: of the client.
        accepted: its entry in the counts.
        bot: whether the client calls itself one.
    """

    __slots__ = (
        "_accepted",
        "_counted",
        "_fast",
        "_protocol",
        "_session",
        "_timer",
        "_unsent",
        "_wiring",
        "address",
        "bot",
        "encoding",
        "transport",
        "write",
    )

    def __init__(
        self,
        wiring: Wiring[SessionT],
        transport: asyncio.Transport,
        protocol: ServerProtocol,
        encoding: Encoding,
        account: Account,
        address: str,
        accepted: Accepted,
        *,
        bot: bool,
    ) -> None:
        super().__init__(wiring.turns, account, transport)
        self.transport = transport
        self._wiring = wiring
        self._accepted = accepted
        self._protocol = protocol
        self.address = address
        self.encoding = encoding
        self.bot = bot
        self.write: Callable[[bytes], None] = transport.write
        self._session: SessionT | None = None
        self._fast: SessionT | None = None  # the session, while the fast path may be taken
        self._timer: asyncio.TimerHandle | None = None
        self._unsent = wiring.turns.memory.of("unsent")
        self._counted = 0  # of what waits for the client, as far as the budget knows

    def waiting_bytes(self) -> int:
        size = self.transport.get_write_buffer_size()
        if size != self._counted:
            self._unsent.take(size - self._counted)
            self._counted = size
        return size

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._unsent.give(self._counted)
        self._counted = 0

    def pause_writing(self) -> None:
        self.waiting_bytes()
        if self._session is not None:
            self._wiring.receiver.on_pause(self._session)

    def resume_writing(self) -> None:
        self.waiting_bytes()
        if self._session is not None:
            self._wiring.receiver.on_drain(self._session)

    def slowed(self) -> None:
        if self._session is not None:
            self._wiring.receiver.on_slowed(self._session)

    def flooding(self) -> None:
        self.close(FLOODING)

    # Its end

    def close(self, rule: Close) -> None:
        protocol = self._protocol
        if protocol.state is not OPEN or self._session is None:
            return
        if rule is FLOODING:
            self._wiring.turns.flooded(self.account.network)
        self._wiring.stats.closes[rule.name] += 1
        protocol.send_close(rule.code, rule.name)
        self._send_pending(protocol)
        self._detach(rule)
        self._set_timer(self._wiring.loop.call_later(CLOSE_S, self.abort))

    def drop(self, rule: Close) -> None:
        self.close(rule)
        self._set_timer(self._wiring.loop.call_later(DROP_S, self.abort))

    def abort(self) -> None:
        """Drop the connection at once."""
        self.transport.abort()

    def _fail(self, protocol: ServerProtocol, rule: Close, reason: str) -> None:
        """The peer broke the rules of WebSocket: close without waiting for its answer."""
        protocol.fail(rule.code, reason)
        self._send_pending(protocol)

    def _send_pending(self, protocol: ServerProtocol) -> None:
        """Write what the state machine wants written; its end of stream ends ours."""
        for data in protocol.data_to_send():
            if self.waiting_bytes() > self._wiring.limits.write_buffer_bytes:
                self.abort()  # it asks for pongs and does not read them
            elif data:
                self.write(data)
            else:
                self._detach(self._end(protocol))
                self._set_timer(end_output(self.transport, self._wiring.loop))

    def _end(self, protocol: ServerProtocol) -> Close:
        """Why the state machine ends the stream: the client closed, or broke the rules."""
        if protocol.close_rcvd is not None:
            return left_with(protocol.close_rcvd.code)
        if protocol.close_sent is None:
            return ABNORMAL
        rule = close_rule(protocol.close_sent.code)
        self._wiring.stats.closes[rule.name] += 1
        return rule

    def _detach(self, rule: Close) -> None:
        """From here on nobody hears or writes here."""
        self._fast = None
        session, self._session = self._session, None
        if session is not None:
            self._accepted.end()
            self._wiring.receiver.on_lost(session, rule)

    def _set_timer(self, timer: asyncio.TimerHandle | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = timer
