"""What comes in on a WebSocket connection: bytes, frames, messages.

`FairProtocol.data_received` has the bytes worked off, at once or when it is their turn. The fast path stands in front
of `websockets`' Sans-I/O state machine: a complete, final, masked binary frame under 126 bytes, while no fragmented
message is open, is decoded in place. Every other frame goes, whole, to the state machine.
"""

import asyncio
from time import monotonic
from typing import Final

from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol
from websockets.speedups import apply_mask

from rhythm_protocol.close import ABNORMAL, INVALID_DATA, SILENT, UNSUPPORTED_DATA
from rhythm_protocol.websocket import server_frame
from rhythmd.fairness.account import UNCHARGED, Account
from rhythmd.hub.ports import Arrival, Encoding, SessionT
from rhythmd.net.frames import FrameError, frame_size
from rhythmd.net.gathering import Gathering
from rhythmd.net.peer import Accepted, PeerConnection, Wiring
from rhythmd.net.transports import keep_little
from rhythmd.telemetry import net_log

__all__ = ["Connection"]

FINAL_BINARY: Final = 0x82
MASKED: Final = 0x80
SHORT: Final = 126
PING: Final = b"\x89\x00"  # no payload: any pong is a sign of life
SHORT_HEAD: Final = 6  # two bytes and the mask
OPCODE: Final = 0x0F
TURN_S: Final = 0.0005
"""Of the loop's time, and so many frames, for one connection; then others have their turn."""
TURN_FRAMES: Final = 32
PING_OPCODE: Final = 0x9
NUMBER_SIZE: Final = 8


class Connection(PeerConnection[SessionT]):
    """One open connection; implements `hub.ports.Peer`."""

    __slots__ = ("_gathering", "_on_binary", "_quiet", "_tail", "_wanted", "heard")

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
        super().__init__(wiring, transport, protocol, encoding, account, address, accepted, bot=bot)
        self.heard = True
        self._quiet = 0
        self._on_binary = wiring.receiver.on_binary
        self._tail = b""  # bytes of a frame that is not whole yet
        self._wanted = 0  # its size, once known
        self._gathering = Gathering(is_text_expected=encoding is Encoding.TEXT)

    def begin(self, identity: Arrival, data: bytes) -> None:
        """The handshake is answered. `data` came right behind it."""
        self.transport.set_write_buffer_limits(high=self._wiring.limits.music_buffer_bytes)
        raw = self.transport.get_extra_info("socket")
        if raw is not None:
            keep_little(raw)
        self._wiring.heartbeat.add(self)
        self._wiring.stats.connections_opened += 1
        net_log.info("%s connected (%s)", self.address, self.encoding.name.lower())
        self._session = self._wiring.receiver.attach(self, identity)
        self._set_fast(self._protocol)
        if data:
            self.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._set_timer(None)
        self._wiring.heartbeat.discard(self)
        self._detach(ABNORMAL)
        self._protocol.parser.close()  # a generator that refers to it: a circle
        self._accepted.gone()
        net_log.info("%s disconnected%s", self.address, f" ({exc})" if exc else "")

    def eof_received(self) -> bool | None:
        return None  # the transport closes itself

    # Receiving

    def data_received(self, data: bytes) -> None:
        account, session = self.account, self._fast
        size = len(data)
        # Most of what comes is one short frame. A few of these cost less than to look what they cost.
        if (
            account.frames < UNCHARGED
            and session is not None
            and size >= SHORT_HEAD
            and data[0] == FINAL_BINARY
            and data[1] == size - SHORT_HEAD + MASKED
            and size - SHORT_HEAD < SHORT
            and self._held is None
            and not self._tail
        ):
            account.frames += 1
            self.heard = True
            self._wiring.stats.bytes_in += size
            self._on_binary(session, apply_mask(data[SHORT_HEAD:], data[2:SHORT_HEAD]))
        else:
            if account.frames:
                account.charge_time_of_frames(monotonic())
            super().data_received(data)

    def work_off(self, data: bytes, at: int) -> int:
        self.heard = True
        reached = self._receive(data, at) if not self._tail else self._go_on(data, at)
        self._wiring.stats.bytes_in += reached - at
        return reached

    def _go_on(self, data: bytes, at: int) -> int:
        """The same, in the middle of a frame."""
        kept = len(self._tail)
        if kept + len(data) - at < self._wanted:
            self._tail += data[at:]
            self.count_unread()
            self._look(self._protocol)
            return len(data)
        data = self._tail + data[at:]
        self._tail = b""
        reached = at + self._receive(data, 0) - kept
        self.count_unread()
        return reached

    def _receive(self, data: bytes, at: int) -> int:
        """Take frames out of `data` from index `at` on, for a moment; keep what is no whole frame.

        The index that was reached.
        """
        end = len(data)
        frames = 0
        until = 0.0
        while at < end:
            if frames:
                now = monotonic()
                until = until or now + TURN_S
                if now > until or frames == TURN_FRAMES:
                    break
            frames += 1
            session = self._fast
            if session is not None and end - at >= SHORT_HEAD and data[at] == FINAL_BINARY:
                length = data[at + 1] - MASKED
                stop = at + SHORT_HEAD + length
                if 0 <= length < SHORT and stop <= end:
                    payload = apply_mask(data[at + SHORT_HEAD : stop], data[at + 2 : at + SHORT_HEAD])
                    self._on_binary(session, payload)
                    at = stop
                    continue
            at = self._receive_frame(data, at) or end
        self.account.frames += frames
        return at

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
            self.count_unread()
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
        self.count_unread()
        self._send_pending(protocol)

    def half_read_bytes(self) -> int:
        return len(self._tail) + self._gathering.size

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

    # Its session, and silence

    def hand_to(self, session: SessionT) -> None:
        self._session = session
        self._set_fast(self._protocol)

    def check_silence(self, sweeps_to_ping: int, sweeps_to_close: int) -> None:
        """One visit of the heartbeat: ping, or close, when nothing was heard for so many visits."""
        self._ask_to_confirm()
        self.waiting_bytes()
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
