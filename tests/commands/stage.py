"""The server's side of one session in a room, over real sockets: what goes wrong in it is the test's word."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from rhythm_protocol import binary
from rhythm_protocol.binary import MidiBatch, MidiBlock, encode_midi_blocks
from rhythm_protocol.control import SUBPROTOCOL_BINARY, Envelope, decode_binary, encode_binary, parse_client
from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import (
    Error,
    JoinAck,
    Limits,
    Notes,
    QuotaState,
    Resume,
    ResumeAck,
    RoomInfo,
    RoomSettings,
    SlotState,
    User,
    Welcome,
)
from rhythm_protocol.midi import MidiEvent
from rhythmd.client.clock import local_us
from rhythmd.midi.state import ChannelMessage
from tests.deadline import until, within

__all__ = ["CLARA", "JOIN", "LIMITS", "ROBERT", "ROOM", "Stage"]

ROBERT: Final = User("u1", "Robert", "#8ecae6", slot=1)
CLARA: Final = User("u2", "Clara", "#8ecae6", slot=2)
LIMITS: Final = Limits(65_536, 500, 100, 20.0, 40.0, 50.0, 2.0)
ROOM: Final = RoomInfo("r1", "Salon", RoomSettings(), has_password=False, players=2, owner="u2")
JOIN: Final = JoinAck(1, ROOM, [ROBERT, CLARA], [], QuotaState(100, 100, 100))


class Stage:
    """The client is Robert; Clara plays.

    Attributes:
        url: where it is.
        asked: the requests that came, in order.
        played: the notes that came.
        resumed: the resumes that came.
        answers: whether requests are answered.
        refusals: the codes of the refusals that the next requests get.
        recovers: whether what was missed is sent again.
        last_id: of the last request that it handled, as a resume tells it.
        over: whether sessions end with their connections.
        join: the room as a join tells it.
        seated: whether a session is in it still when it could not be recovered.
        notes: what Clara and others hold.
        limits: what its welcome says.
        open: whether connections are welcomed at this moment.
        ahead_us: by how much the server's clock is ahead of this computer's.
    """

    _server: Server

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Envelope] = []
        self.played: list[MidiBatch] = []
        self.resumed: list[Resume] = []
        self.answers = True
        self.refusals: list[ErrorCode] = []
        self.recovers = True
        self.last_id: int | None = None
        self.over = False
        self.join = JOIN
        self.seated = True
        self.notes: list[SlotState] = []
        self.limits = LIMITS
        self.open = asyncio.Event()
        self.open.set()
        self.ahead_us = 0
        self._journal: list[bytes] = []
        self._sockets: list[ServerConnection] = []

    # What the test does

    async def send(self, type_: str, data: object, id_: int | None = None) -> None:
        """Send a control message that counts; a client that is away gets it when it comes back."""
        message = encode_binary(type_, data, id_)
        self._journal.append(message)
        with suppress(ConnectionClosed):
            await self._sockets[-1].send(message)

    async def show_notes(self) -> None:
        await self._sockets[-1].send(encode_binary("notes", Notes(self.notes)))

    async def play(self, *messages: ChannelMessage, slot: int = 2, at_ms: int | None = None) -> None:
        """Clara, unless it is another slot, plays now, or at `at_ms` of the server's clock."""
        base_ms = self.now_ms if at_ms is None else at_ms
        block = MidiBlock(slot, base_ms & 0xFFFFFFFF, tuple(MidiEvent(0, *message) for message in messages))
        await self._sockets[-1].send(encode_midi_blocks([block]))

    async def drop(self, code: int | None = None) -> None:
        """End the connection, with a close frame or without."""
        if code is None:
            self._sockets[-1].transport.abort()
        else:
            await within(self._sockets[-1].close(code))

    def leave(self) -> None:
        """Accept no connections any more."""
        self._server.close(close_connections=False)

    def stall(self) -> None:
        """Read nothing any more on this connection, and so answer nothing."""
        self._sockets[-1].transport.pause_reading()

    async def was_asked(self, type_: str, times: int = 1) -> None:
        await until(lambda: self.count(type_) >= times, f"{type_} has come {times} times")

    def count(self, type_: str) -> int:
        return sum(envelope.type == type_ for envelope in self.asked)

    @property
    def messages(self) -> list[ChannelMessage]:
        """The notes that came, without their times."""
        return [(event.status, event.data1, event.data2) for batch in self.played for event in batch.events]

    @property
    def now_ms(self) -> int:
        return self._now_us() // 1_000

    # What it does by itself

    @asynccontextmanager
    async def set(self) -> AsyncIterator["Stage"]:
        """Accept connections, at `url`."""
        protocols = [Subprotocol(SUBPROTOCOL_BINARY)]
        async with serve(self._welcome, "127.0.0.1", 0, subprotocols=protocols, close_timeout=0.1) as self._server:
            self.url = f"ws://127.0.0.1:{next(iter(self._server.sockets)).getsockname()[1]}"
            yield self

    async def _welcome(self, socket: ServerConnection) -> None:
        await self.open.wait()
        self._sockets.append(socket)
        session = f"s{len(self._sockets)}"
        with suppress(ConnectionClosed):
            await socket.send(encode_binary("welcome", Welcome(ROBERT, session, self._now_us(), 1, self.limits)))
            async for payload in socket:
                assert isinstance(payload, bytes)
                await self._take(socket, payload)

    async def _take(self, socket: ServerConnection, payload: bytes) -> None:
        match payload[0]:
            case binary.OP_CLOCK:
                value = binary.decode_clock_request(payload).value
                await socket.send(binary.encode_clock_reply(value, self._now_us(), self._now_us()))
            case binary.OP_MIDI:
                self.played.append(binary.decode_midi(payload))
            case _:
                await self._take_control(decode_binary(payload))

    async def _take_control(self, envelope: Envelope) -> None:
        if envelope.type == "resume":
            await self._resume(envelope.id, parse_client(envelope))
            return
        self.asked.append(envelope)
        if self.refusals:
            await self.send("error", Error(self.refusals.pop(), "not now"), envelope.id)
        elif self.answers and envelope.id is not None:
            await self.send("ack", self.join if envelope.type == "join-room" else {}, envelope.id)

    async def _resume(self, id_: int | None, resume: Resume) -> None:
        self.resumed.append(resume)
        socket = self._sockets[-1]
        if self.refusals or self.over:
            error = Error(self.refusals.pop() if self.refusals else ErrorCode.SESSION_NOT_FOUND, "too late")
            await socket.send(encode_binary("error", error, id_))
            return
        missed = self._journal[resume.received :] if self.recovers else []
        join = self.join if self.seated and not self.recovers else None
        ack = ResumeAck(ROBERT, resume.session, self.recovers, len(missed), join, self.last_id)
        if not self.recovers:
            self._journal.clear()
        for message in (encode_binary("ack", ack, id_), *missed):
            await socket.send(message)
        await self.show_notes()

    def _now_us(self) -> int:
        return local_us() + self.ahead_us
