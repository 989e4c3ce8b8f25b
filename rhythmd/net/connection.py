"""One open WebSocket connection: frames, flow control, close.

The fast path stands in front of `websockets`' Sans-I/O state machine: a complete, final, masked binary frame under 126
bytes, while no fragmented message is open, is decoded in place. Every other frame goes, whole, to the state machine.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic

from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.speedups import apply_mask

from rhythm_protocol.close import ABNORMAL, INVALID_DATA, SILENT, UNSUPPORTED_DATA, Close, close_rule, left_with
from rhythm_protocol.websocket import server_frame
from rhythmd.config import LimitsConfig
from rhythmd.hub.ports import Arrival, Encoding, Receiver, SessionT
from rhythmd.net.frames import FrameError, frame_size
from rhythmd.net.gathering import Gathering
from rhythmd.net.heartbeat import Heartbeat
from rhythmd.net.transports import CLOSE_S, end_output, keep_little_unsent
from rhythmd.telemetry import Stats, net_log

__all__ = ["Connection", "Wiring"]

FINAL_BINARY: Final = 0x82
MASKED: Final = 0x80
SHORT: Final = 126
PING: Final = b"\x89\x00"  # no payload: any pong is a sign of life
SHORT_HEAD: Final = 6  # two bytes and the mask
OPCODE: Final = 0x0F
PING_OPCODE: Final = 0x9
NUMBER_SIZE: Final = 8


@dataclass(frozen=True, slots=True)
class Wiring(Generic[SessionT]):
    """Everything that the connections of a listener share."""

    loop: asyncio.AbstractEventLoop
    limits: LimitsConfig
    receiver: Receiver[SessionT]
    stats: Stats
    heartbeat: Heartbeat


class Connection(asyncio.Protocol, Generic[SessionT]):
    """One open connection; implements `hub.ports.Peer`. `on_gone` is called once, when the transport is lost."""

    __slots__ = (
        "_fast", "_gathering", "_on_binary", "_on_gone", "_protocol", "_quiet", "_session", "_tail", "_timer",
        "_transport", "_wanted", "_wiring", "address", "bot", "encoding", "heard", "write",
    )  # fmt: skip

    def __init__(
        self,
        wiring: Wiring[SessionT],
        transport: asyncio.Transport,
        protocol: ServerProtocol,
        encoding: Encoding,
        address: str,
        on_gone: Callable[[], None],
        *,
        bot: bool,
    ) -> None:
        self._wiring = wiring
        self._transport = transport
        self._protocol = protocol
        self._on_gone = on_gone
        self.address = address
        self.encoding = encoding
        self.bot = bot
        self.write: Callable[[bytes], None] = transport.write
        self.heard = True
        self._quiet = 0
        self._session: SessionT | None = None
        self._on_binary = wiring.receiver.on_binary
        self._fast: SessionT | None = None  # the session, while the fast path may be taken
        self._tail = b""  # bytes of a frame that is not whole yet
        self._wanted = 0  # its size, once known
        self._gathering = Gathering(is_text_expected=encoding is Encoding.TEXT)
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, identity: Arrival, data: bytes) -> None:
        """The handshake is answered. `data` came right behind it."""
        self._transport.set_write_buffer_limits(high=self._wiring.limits.music_buffer_bytes)
        raw = self._transport.get_extra_info("socket")
        if raw is not None:
            keep_little_unsent(raw)
        self._wiring.heartbeat.add(self)
        self._wiring.stats.connections_opened += 1
        net_log.info("%s connected (%s)", self.address, self.encoding.name.lower())
        self._session = self._wiring.receiver.attach(self, identity)
        self._set_fast(self._protocol)
        if data:
            self._receive(data, 0)

    def connection_lost(self, exc: Exception | None) -> None:
        self._set_timer(None)
        self._wiring.heartbeat.discard(self)
        self._detach(ABNORMAL)
        self._on_gone()
        net_log.info("%s disconnected%s", self.address, f" ({exc})" if exc else "")

    def eof_received(self) -> bool | None:
        return None  # the transport closes itself

    # Receiving

    def data_received(self, data: bytes) -> None:
        self.heard = True
        self._wiring.stats.bytes_in += len(data)
        if self._tail:
            if len(self._tail) + len(data) < self._wanted:
                self._tail += data
                self._look(self._protocol)
                return
            data = self._tail + data
            self._tail = b""
        self._receive(data, 0)

    def _receive(self, data: bytes, at: int) -> None:
        """Take the frames out of `data` from index `at` on; keep what is no whole frame."""
        end = len(data)
        while at < end:
            session = self._fast
            if session is not None and end - at >= SHORT_HEAD and data[at] == FINAL_BINARY:
                length = data[at + 1] - MASKED
                stop = at + SHORT_HEAD + length
                if 0 <= length < SHORT and stop <= end:
                    payload = apply_mask(data[at + SHORT_HEAD : stop], data[at + 2 : at + SHORT_HEAD])
                    self._on_binary(session, payload)
                    at = stop
                    continue
            at = self._receive_frame(data, at)
            if not at:
                return

    def _receive_frame(self, data: bytes, at: int) -> int:
        """Give the frame at `at` to the state machine. Index after it; 0 when there is nothing to go on with."""
        protocol = self._protocol
        if protocol.eof_sent:
            return 0
        limit = self._wiring.limits.message_bytes - (protocol.current_size or 0)
        try:
            size = frame_size(data, at, limit)
        except FrameError as error:
            self._fail(protocol, error.rule, error.reason)
            return 0
        if not size or at + size > len(data):
            self._tail = data[at:]
            self._wanted = size
            self._look(protocol)
            return 0
        if data[at] & OPCODE == Opcode.CLOSE:
            protocol.current_size = None  # fragments may never be finished (RFC 6455, 5.4)
        protocol.receive_data(data[at : at + size])
        self._take_events(protocol)
        return at + size

    def _take_events(self, protocol: ServerProtocol) -> None:
        for frame in protocol.events_received():
            if not isinstance(frame, Frame) or self._session is None:
                continue
            if frame.opcode is Opcode.PONG:
                self._take_pong(bytes(frame.data))
            else:
                self._take_frame(frame)
        self._set_fast(protocol)
        self._send_pending(protocol)

    def _take_frame(self, frame: Frame) -> None:
        """Gather fragments; hand whole messages on."""
        if frame.opcode is Opcode.CONT or frame.opcode is Opcode.TEXT or frame.opcode is Opcode.BINARY:
            try:
                if (payload := self._gathering.add(frame)) is not None:
                    self._take_message(payload, is_text=self._gathering.is_text)
            except UnicodeDecodeError:
                self._fail(self._protocol, INVALID_DATA, "text is not UTF-8")

    def _look(self, protocol: ServerProtocol) -> None:
        """See what has come of a frame that is not whole."""
        if self._wanted and self._session is not None:
            try:
                self._gathering.look(self._tail, is_open=protocol.current_size is not None)
            except UnicodeDecodeError:
                self._fail(protocol, INVALID_DATA, "text is not UTF-8")

    def _take_message(self, payload: bytes, *, is_text: bool) -> None:
        session = self._session
        if session is None:
            return
        if is_text is not (self.encoding is Encoding.TEXT):
            self.close(UNSUPPORTED_DATA)
        elif not is_text:
            self._on_binary(session, payload)
        else:
            self._wiring.receiver.on_text(session, payload.decode())

    def _set_fast(self, protocol: ServerProtocol) -> None:
        possible = self.encoding is Encoding.BINARY and protocol.current_size is None
        self._fast = self._session if possible else None

    # Flow control and silence

    def waiting_bytes(self) -> int:
        return self._transport.get_write_buffer_size()

    def pause_writing(self) -> None:
        if self._session is not None:
            self._wiring.receiver.on_pause(self._session)

    def resume_writing(self) -> None:
        if self._session is not None:
            self._wiring.receiver.on_drain(self._session)

    def hand_to(self, session: SessionT) -> None:
        self._session = session
        self._set_fast(self._protocol)

    def check_silence(self, sweeps_to_ping: int, sweeps_to_close: int) -> None:
        """One visit of the heartbeat: ping, or close, when nothing was heard for so many visits."""
        self._ask_to_confirm()
        if self.heard:
            self.heard = False
            self._quiet = 0
            return
        self._quiet += 1
        if self._quiet >= sweeps_to_close:
            self.close(SILENT)
        elif self._quiet % sweeps_to_ping == 0 and self._session is not None:
            self.write(PING)

    def _ask_to_confirm(self) -> None:
        """A pong brings a ping's payload back (RFC 6455, 5.5.3), from behind all that was written before the ping."""
        number = None if self._session is None else self._wiring.receiver.unconfirmed(self._session)
        if number is not None:
            self.write(server_frame(PING_OPCODE, number.to_bytes(NUMBER_SIZE, "big")))

    def _take_pong(self, payload: bytes) -> None:
        if self._session is not None and len(payload) == NUMBER_SIZE:
            self._wiring.receiver.on_confirm(self._session, int.from_bytes(payload, "big"))

    # Closing

    def close(self, rule: Close) -> None:
        protocol = self._protocol
        if protocol.state is not OPEN or self._session is None:
            return
        self._wiring.stats.closes[rule.name] += 1
        protocol.send_close(rule.code, rule.name)
        self._send_pending(protocol)
        self._detach(rule)
        self._set_timer(self._wiring.loop.call_later(CLOSE_S, self.abort))

    def abort(self) -> None:
        """Drop the connection at once."""
        self._transport.abort()

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
                self._set_timer(end_output(self._transport, self._wiring.loop))

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
            self._wiring.receiver.on_lost(session, rule)

    def _set_timer(self, timer: asyncio.TimerHandle | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = timer
