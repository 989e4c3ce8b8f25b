"""The fast path and our own look at headers change nothing: any bytes have the effect that `websockets` gives them.

Two rules are stricter than in `websockets`: a length must be encoded in the fewest bytes, and its highest bit is 0. A
frame that its header shows to be wrong is refused without waiting for its payload, and a text as soon as it cannot be
UTF-8 any more. A close frame between fragments is a close, as RFC 6455 (5.4) has it.
"""

import asyncio
import codecs
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from rhythm_protocol.close import INVALID_DATA, PROTOCOL_ERROR, UNSUPPORTED_DATA
from rhythm_protocol.control import SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON
from rhythmd.config import LimitsConfig
from rhythmd.fairness.turns import Turns
from rhythmd.net.heartbeat import Heartbeat
from rhythmd.net.opening import Opener
from rhythmd.net.peer import Wiring
from rhythmd.telemetry import Stats
from tests.net.frames import GivenFrame, frames, segments
from tests.net.recording import RecordingReceiver, RecordingTransport, Session
from tests.raw import KEY

LIMITS: Final = (200, 70_000)
BYTE_BY_BYTE_LIMIT: Final = 2_000
CLOSE: Final = 0x88
SURROGATE: Final = re.compile(rb"\xed[\xa0-\xbf]\Z")  # for which Python waits until it is whole
UPGRADE: Final = (
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Key", KEY),
    ("Sec-WebSocket-Version", "13"),
)


class Effect(NamedTuple):
    """What a stream of bytes did: messages delivered, frames written, whether our side has ended, and the state."""

    messages: list[bytes | str]
    written: list[tuple[int, bytes]]
    ended: bool
    is_open: bool


def written_frames(data: bytes) -> list[tuple[int, bytes]]:
    """(first byte, payload) of the frames in `data`; of a close frame only the code, its reason may differ."""
    found: list[tuple[int, bytes]] = []
    at = 0
    while at < len(data):
        first, length = data[at], data[at + 1]
        assert length < 126, "only control frames are expected"
        payload = data[at + 2 : at + 2 + length]
        found.append((first, payload[:2] if first == CLOSE else payload))
        at += 2 + length
    return found


class Reference:
    """A connection made of nothing but the state machine, which gets one frame after the other."""

    def __init__(self, limit: int, *, is_text: bool) -> None:
        self._protocol = ServerProtocol(state=OPEN, max_size=limit)
        self._is_text = is_text
        self._message = b""
        self._opcode = Opcode.BINARY
        self._messages: list[bytes | str] = []
        self._written = b""

    def feed(self, frame: GivenFrame, data: bytes) -> None:
        """Take `data`: `frame`, or as much of it as arrived."""
        protocol = self._protocol
        if protocol.eof_sent:
            return
        head_arrived = len(data) >= len(frame.head())
        if head_arrived and not frame.is_minimal:
            protocol.fail(PROTOCOL_ERROR.code)
        else:
            if frame.first == CLOSE and len(data) == len(frame.encode()):
                protocol.current_size = None
            protocol.receive_data(data)
            self._take_events()
            self._check_text(frame, data)
        if head_arrived and frame.breaks_first_byte and not protocol.eof_sent:
            protocol.fail(PROTOCOL_ERROR.code)
        self._written += b"".join(protocol.data_to_send())

    def effect(self) -> Effect:
        protocol = self._protocol
        return Effect(self._messages, written_frames(self._written), protocol.eof_sent, protocol.state is OPEN)

    def _check_text(self, frame: GivenFrame, data: bytes) -> None:
        """Refuse what the open message and a frame that is cut short cannot become any more."""
        is_open = self._protocol.current_size is not None
        text = self._message if is_open else b""
        is_text = is_open and self._opcode is Opcode.TEXT
        continues = frame.first & 0x7F == (0 if is_open else 1)
        if len(data) < len(frame.encode()) and len(data) > len(frame.head()) and continues and frame.mask:
            text += frame.payload[: len(data) - len(frame.head())]
            is_text = is_text or not is_open
        if self._protocol.state is OPEN and self._is_text and is_text and frame.first & 0x0F < 3:
            try:
                codecs.utf_8_decode(text, "strict", False)
                is_hopeless = SURROGATE.search(text) is not None
            except UnicodeDecodeError:
                is_hopeless = True
            if is_hopeless:
                self._protocol.fail(INVALID_DATA.code)

    def _take_events(self) -> None:
        for frame in self._protocol.events_received():
            assert isinstance(frame, Frame)
            if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
                self._opcode, self._message = frame.opcode, b""
            if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                self._message += frame.data
                if frame.fin and self._protocol.state is OPEN:
                    self._deliver(self._message)

    def _deliver(self, payload: bytes) -> None:
        if self._is_text is not (self._opcode is Opcode.TEXT):
            self._protocol.send_close(UNSUPPORTED_DATA.code)
        elif not self._is_text:
            self._messages.append(payload)
        else:
            try:
                self._messages.append(payload.decode())
            except UnicodeDecodeError:
                self._protocol.fail(INVALID_DATA.code)


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Takes timers, and runs when a connection waits for its turn."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


class Uncounted:
    """An entry in no counts."""

    def end(self) -> None:
        pass

    def gone(self) -> None:
        pass


def reference_effect(given_frames: list[GivenFrame], limit: int, *, is_text: bool, length: int) -> Effect:
    """The effect of the first `length` bytes of the frames."""
    reference = Reference(limit, is_text=is_text)
    for frame in given_frames:
        data = frame.encode()[:length]
        length -= len(data)
        if data:
            reference.feed(frame, data)
    return reference.effect()


def connection_effect(parts: list[bytes], limit: int, subprotocol: str, loop: asyncio.AbstractEventLoop) -> Effect:
    """The effect of segments that arrive at a connection, the first one right behind the upgrade request."""
    receiver, transport = RecordingReceiver(), RecordingTransport()
    wiring: Wiring[Session] = Wiring(
        loop,
        LimitsConfig(message_bytes=limit),
        receiver,
        Stats(),
        Heartbeat(loop, 20.0, 40.0),
        (turns := Turns(loop, LimitsConfig(), Stats())),
    )
    opening = Opener(wiring).negotiate([*UPGRADE, ("Sec-WebSocket-Protocol", subprotocol)], bot=False)
    first, *others = parts or [b""]
    opening.begin(transport, turns.account("127.0.0.1"), "127.0.0.1", None, first, Uncounted())
    for part in others:
        transport.protocol.data_received(part)
    while transport.is_paused:  # what was too much for one turn of the loop
        loop.call_soon(loop.stop)
        loop.run_forever()
    answer, _, written = bytes(transport.written).partition(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 101 ")
    effect = Effect(receiver.messages, written_frames(written), transport.ended, is_open=not receiver.lost)
    transport.protocol.connection_lost(None)
    assert receiver.lost == 1
    return effect


def frame(first: int, payload: bytes, size: int = 1) -> GivenFrame:
    return GivenFrame(first, b"\x01\x02\x03\x04", size, len(payload), payload)


@settings(max_examples=600, deadline=None)
@given(
    given_frames=frames(),
    limit=st.sampled_from(LIMITS),
    subprotocol=st.sampled_from([SUBPROTOCOL_BINARY, SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON]),
    cut_short=st.integers(0, 12) | st.just(0),
    cuts=st.just([-1]) | st.just([]) | st.lists(st.integers(0, 100_000), max_size=6),
)
@example([frame(0x02, b"a"), frame(0x89, b"p"), frame(0x80, b"b")], 200, SUBPROTOCOL_BINARY, 0, [-1])
@example([frame(0x82, b"a"), frame(0x81, b"text"), frame(0x89, b"p"), frame(0x88, b"")], 200, SUBPROTOCOL_BINARY, 0, [])
@example([frame(0x01, b"\xe2\x99"), frame(0x80, b"\xa9")], 200, SUBPROTOCOL_JSON, 0, [])
@example(
    [frame(0x01, b"\xf4"), frame(0x89, b"p"), frame(0x00, b"\x90"), frame(0x80, b"a")], 200, SUBPROTOCOL_JSON, 0, []
)
@example([frame(0x01, b"\xf4\x90a")], 200, SUBPROTOCOL_JSON, 1, [-1])
@example([frame(0x01, b"ab"), frame(0x88, b"\x03\xe8")], 200, SUBPROTOCOL_JSON, 0, [])
@example([frame(0x02, b"ab"), frame(0x88, b"\x03")], 200, SUBPROTOCOL_BINARY, 0, [])
def test_connection_any_bytes_any_segments_act_as_in_the_state_machine(
    loop: asyncio.AbstractEventLoop,
    given_frames: list[GivenFrame],
    limit: int,
    subprotocol: str,
    cut_short: int,
    cuts: list[int],
) -> None:
    stream = b"".join(frame.encode() for frame in given_frames)
    stream = stream[: len(stream) - cut_short] if cut_short <= len(stream) else b""
    if len(stream) > BYTE_BY_BYTE_LIMIT and cuts == [-1]:
        cuts = []
    expected = reference_effect(given_frames, limit, is_text=subprotocol == SUBPROTOCOL_JSON, length=len(stream))
    assert connection_effect(segments(stream, cuts), limit, subprotocol, loop) == expected
