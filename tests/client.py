"""A client over a real socket that speaks both subprotocols, and reads what it gets as typed messages."""

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from rhythm_protocol import binary
from rhythm_protocol.binary import ClockReply, CursorAt, MidiBlock
from rhythm_protocol.control import SUBPROTOCOL_BINARY
from rhythm_protocol.messages import ClockAnswer, Cursors, Error, JoinAck, Message, MidiOutput, Welcome
from rhythm_protocol.midi import MidiEvent
from rhythmd.app import Server
from rhythmd.client import codec
from rhythmd.client.codec import Envelope
from tests.deadline import within
from tests.server import ServerProcess

__all__ = [
    "Answer",
    "Client",
    "Closed",
    "Connect",
    "Music",
    "Pointers",
    "chord",
    "note_off",
    "note_on",
    "open_client",
    "read_message",
]

T = TypeVar("T")


class Answer(NamedTuple):
    """The server's answer to message `id`: an ack with its data, or an error."""

    id: int
    data: dict[str, Any]
    error: Error | None = None


class Music(NamedTuple):
    """What others played, in either encoding."""

    blocks: list[MidiBlock]


class Pointers(NamedTuple):
    """Where others point, in either encoding."""

    cursors: list[CursorAt]


class Closed(NamedTuple):
    """The close frame that the server sent; 1006 when there was none."""

    code: int
    reason: str


def note_on(key: int = 60, velocity: int = 100, offset_ms: int = 0) -> MidiEvent:
    return MidiEvent(offset_ms, 0x90, key, velocity)


def note_off(key: int = 60, offset_ms: int = 0) -> MidiEvent:
    return MidiEvent(offset_ms, 0x80, key, 0)


def chord(*keys: int) -> list[MidiEvent]:
    return [note_on(key) for key in keys]


class Client:
    """One connection. What comes before the message that is waited for is kept for later.

    Attributes:
        welcome: the server's first message.
        slot: the place in the room, once joined.
    """

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._inbox: deque[object] = deque()
        self._last_id = 0
        self.is_binary = connection.subprotocol == SUBPROTOCOL_BINARY
        self.slot = 0
        self.welcome: Welcome
        self._welcomed_at = 0.0

    # Sending

    async def send(
        self, type_: str, data: Mapping[str, object] | Message | None = None, id_: int | None = None
    ) -> None:
        """Send one control message; `id_` asks for an answer."""
        encode = codec.encode_binary if self.is_binary else codec.encode_text
        await self.send_raw(encode(type_, {} if data is None else data, id_))

    async def send_raw(self, payload: bytes) -> None:
        """Send one message of the connection's kind with any content."""
        await within(self._connection.send(payload, text=not self.is_binary))

    async def answer(self, type_: str, data: Mapping[str, object] | Message | None = None) -> Answer:
        """Send a control message and wait for its answer."""
        self._last_id += 1
        await self.send(type_, data, self._last_id)
        while True:
            answer = await self.expect(Answer)
            if answer.id == self._last_id:
                return answer

    async def ask(self, type_: str, data: Mapping[str, object] | Message | None = None) -> dict[str, Any]:
        """Send a control message and wait for its ack: what is in it. A refusal fails the test."""
        answer = await self.answer(type_, data)
        assert answer.error is None, answer.error
        return answer.data

    async def refused(self, type_: str, data: Mapping[str, object] | Message | None = None) -> Error:
        """Send a control message and wait for its refusal."""
        answer = await self.answer(type_, data)
        assert answer.error is not None, answer.data
        return answer.error

    async def join(self, room: str, **options: object) -> JoinAck:
        """Join `room`, which is created if there is none."""
        data = await self.ask("join-room", {"room": room, "create": True, **options})
        ack = msgspec.convert(data, JoinAck)
        self.slot = ack.slot
        return ack

    async def play(self, events: Iterable[MidiEvent], base_ms: int | None = None) -> None:
        """Play `events`; the base time is the server's now unless it is given."""
        base = self._server_ms() if base_ms is None else base_ms
        if self.is_binary:
            await self.send_raw(binary.encode_midi(base, events))
        else:
            await self.send("midi-event", {"time": base & 0xFFFFFFFF, "events": [list(event) for event in events]})

    # Receiving

    async def expect(self, kind: type[T]) -> T:
        """The first message of `kind` that has not been taken yet."""
        for index, message in enumerate(self._inbox):
            if isinstance(message, kind):
                del self._inbox[index]
                return message
        while True:
            message = await self._receive()
            if isinstance(message, kind):
                return message
            self._inbox.append(message)

    def has(self, kind: type) -> bool:
        """Whether a message of `kind` has come while others were waited for."""
        return any(isinstance(message, kind) for message in self._inbox)

    async def blocks(self) -> list[MidiBlock]:
        """The next music."""
        return (await self.expect(Music)).blocks

    async def events(self, count: int) -> list[tuple[int, MidiEvent]]:
        """The next `count` events as (slot, event), however they were put together."""
        events: list[tuple[int, MidiEvent]] = []
        while len(events) < count:
            events += [(block.slot, event) for block in await self.blocks() for event in block.events]
        assert len(events) == count, f"expected {count} events, got {len(events)}"
        return events

    async def clock(self, value: int = 0) -> ClockReply:
        """Exchange clocks."""
        if self.is_binary:
            await self.send_raw(binary.encode_clock_request(value))
        else:
            await self.send("clock", {"value": value})
        return await self.expect(ClockReply)

    async def be_welcomed(self) -> None:
        """Take the server's first message."""
        self.welcome = await self.expect(Welcome)
        self._welcomed_at = asyncio.get_running_loop().time()

    async def received(self) -> list[object]:
        """Everything that the server sent until now and nobody has taken: a round trip makes sure of it."""
        await self.clock()
        messages = list(self._inbox)
        self._inbox.clear()
        return messages

    # Ending

    async def close(self, code: int = 1000) -> None:
        await within(self._connection.close(code))

    def abort(self) -> None:
        """Drop the connection with a reset."""
        raw: socket.socket = self._connection.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        self._connection.transport.abort()

    async def closed(self) -> Closed:
        """Wait until the server has closed the connection; what it sent before is kept."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                self._inbox.append(await self._receive())
        frame = self._connection.protocol.close_rcvd
        return Closed(frame.code, frame.reason) if frame else Closed(1006, "")

    # How it works

    def _server_ms(self) -> int:
        elapsed_s = asyncio.get_running_loop().time() - self._welcomed_at
        return self.welcome.server_time // 1000 + round(elapsed_s * 1000)

    async def _receive(self) -> object:
        payload = await within(self._connection.recv(decode=False))
        assert isinstance(payload, bytes)
        return read_message(payload, is_binary=self.is_binary)


def read_message(payload: bytes, *, is_binary: bool) -> object:
    """A server's message in either subprotocol as its struct, or as one of the tuples above."""
    if not is_binary:
        return _typed(codec.decode_text(payload))
    match payload[0]:
        case binary.OP_MIDI:
            return Music(binary.decode_midi_blocks(payload))
        case binary.OP_CLOCK:
            return binary.decode_clock_reply(payload)
        case binary.OP_CURSOR:
            return Pointers(binary.decode_cursors(payload))
        case _:
            return _typed(codec.decode_binary(payload))


def _typed(envelope: Envelope) -> object:
    """A control message as its struct; what has a binary layout too as what the layout gives."""
    if envelope.type == "ack":
        assert envelope.id is not None
        return Answer(envelope.id, envelope.data)
    message: object = codec.parse_server(envelope)
    match message:
        case Error() if envelope.id is not None:
            return Answer(envelope.id, {}, message)
        case MidiOutput():
            return Music(
                [
                    MidiBlock(block.slot, block.time, tuple(map(MidiEvent._make, block.events)))
                    for block in message.blocks
                ]
            )
        case ClockAnswer():
            return ClockReply(message.value, message.received, message.sent)
        case Cursors():
            return Pointers([CursorAt(*cursor) for cursor in message.cursors])
        case _:
            return message


class Connect(Protocol):
    """The fixture `connect`."""

    async def __call__(
        self,
        server: Server | ServerProcess,
        subprotocol: str | None = SUBPROTOCOL_BINARY,
        *,
        path: str = "/ws",
        headers: Mapping[str, str] | None = None,
    ) -> Client: ...


@contextlib.asynccontextmanager
async def open_client(
    port: int,
    subprotocol: str | None = SUBPROTOCOL_BINARY,
    *,
    path: str = "/ws",
    headers: Mapping[str, str] | None = None,
) -> AsyncIterator[Client]:
    """A client that has been welcomed. None for `subprotocol` asks for none, which means JSON."""
    wanted = None if subprotocol is None else [Subprotocol(subprotocol)]
    connection = await within(
        connect(
            f"ws://127.0.0.1:{port}{path}", subprotocols=wanted, proxy=None, compression=None, ping_interval=None,
            max_queue=None, max_size=None, additional_headers=headers,
        )
    )  # fmt: skip
    client = Client(connection)
    try:
        await client.be_welcomed()
        yield client
    finally:
        await client.close()
