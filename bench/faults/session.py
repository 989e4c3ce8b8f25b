"""A client's session that outlives its connections: it comes back, resumes, and repeats what was not received.

Not that of `rhythmd.client`, whose mistakes the bench would then share and not see. This one speaks both subprotocols,
counts answers that come twice, goes on after a session that was lost, and waits as briefly as it is told to.
"""

import asyncio
from asyncio import Future
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from random import Random
from time import monotonic
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Subprotocol

from bench.faults.wire import Wire
from rhythm_protocol.binary import MidiBlock
from rhythm_protocol.close import ABNORMAL, Close, close_rule
from rhythm_protocol.messages import JoinAck, Message, ResumeAck, Welcome
from rhythm_protocol.midi import MidiEvent
from rhythm_protocol.resume import UNCOUNTED, SessionCounter
from rhythmd.client.codec import Envelope, parse_server

__all__ = ["Ear", "Removed", "Session"]

_LONGEST_WAIT_S: Final = 60.0
_OPEN_S: Final = 10.0
_JOIN: Final = "join-room"


class Removed(Exception):
    """The server closed the connection with a code that says not to come back."""


class Ear(Protocol):
    """The one for whom a session is: it is told what comes."""

    def on_room(self, joined: JoinAck) -> None:
        """The room as it is: after a join, and where messages were lost."""

    def on_music(self, blocks: list[MidiBlock]) -> None: ...

    def on_message(self, message: Message) -> None: ...

    def on_lost(self) -> None:
        """The connection is gone; the server lets go of what was held."""


class _Request(Struct):
    type: str
    data: Mapping[str, object] | Message
    answer: Future[dict[str, Any]]


def _request(type_: str, data: Mapping[str, object] | Message) -> _Request:
    return _Request(type_, data, asyncio.get_running_loop().create_future())


class Session:
    """A client's session that outlives its connections: it comes back by itself, and resumes.

    Args:
        url: where to connect, the same at each return.
        wire: the subprotocol to speak.
        room: the `join-room` to send.
        random: chooses the waits.
        haste: the waits of the close table are taken times this.

    Attributes:
        returns: how often the session went on ("whole"), went on with messages lost ("broken"), or began anew ("lost").
        surplus: answers to questions that had been answered.
        refusals: errors that answered no question, by code.
    """

    def __init__(self, url: str, wire: Wire, room: Message, ear: Ear, random: Random, haste: float = 1.0) -> None:
        self.returns: Counter[str] = Counter()
        self.surplus = 0
        self.refusals: Counter[str] = Counter()
        self._url = url
        self._wire = wire
        self._ear = ear
        self._random = random
        self._haste = haste
        self._tries = 0
        self._counter = SessionCounter()
        self._resume_id: int | None = None
        self._owed = 0
        self._last_id = 0
        self._requests: dict[int, _Request] = {}
        self._socket: ClientConnection | None = None
        self._is_present = False
        self._clock_ahead = 0.0
        self._room = room
        self._join()

    @property
    def is_present(self) -> bool:
        """Connected, in the room, and up to date."""
        return self._is_present

    @property
    def _server_ms(self) -> int:
        """The server's clock, late by the time that the last welcome took."""
        return int((monotonic() + self._clock_ahead) * 1e3)

    async def stay(self) -> None:
        """Be in the room, come what may, until cancelled. Raises Removed."""
        while True:
            rule = await self._visit()
            self._lose()
            if rule.reconnect_after is None:
                raise Removed(f"closed as {rule.name}")
            low, high = (min(bound * 2**self._tries, _LONGEST_WAIT_S) for bound in rule.reconnect_after)
            self._tries += 1
            await asyncio.sleep(self._random.uniform(low, high) * self._haste)

    def give_up(self) -> None:
        """Take the connection for lost. The other side may not learn of it."""
        if self._socket is not None:
            self._socket.transport.abort()

    async def ask(self, type_: str, data: Mapping[str, object] | Message) -> dict[str, Any]:
        """The server's answer, on whichever connection it comes. Raises RuntimeError for an error."""
        request = _request(type_, data)
        id_ = self._next_id()
        self._requests[id_] = request
        if self._is_present:
            await self._send(self._wire.control(type_, data, id_))
        return await request.answer

    async def play(self, events: list[MidiEvent]) -> None:
        """Play `events` now; they are lost with the connection."""
        await self._send(self._wire.midi(self._server_ms, events))

    async def point(self, x: int, y: int) -> None:
        """Move the pointer."""
        await self._send(self._wire.cursor(x, y))

    async def _send(self, payload: bytes) -> None:
        if self._socket is not None:
            with suppress(ConnectionClosed):
                await self._socket.send(payload, text=self._wire.is_text)

    # Connections

    async def _visit(self) -> Close:
        """One connection from its opening to its end: how it ended."""
        try:
            async with connect(
                self._url, subprotocols=[Subprotocol(self._wire.subprotocol)], compression=None, proxy=None,
                ping_interval=None, max_queue=None, max_size=None, open_timeout=_OPEN_S, close_timeout=0,
            ) as socket:  # fmt: skip
                self._socket = socket
                await self._read(socket)
        except ConnectionClosed as closed:
            return close_rule(closed.rcvd.code) if closed.rcvd else ABNORMAL
        except (OSError, WebSocketException):  # a TimeoutError is an OSError
            return ABNORMAL
        raise AssertionError("a connection is read until it fails")

    async def _read(self, socket: ClientConnection) -> None:
        while True:
            payload = await socket.recv(decode=False)
            assert isinstance(payload, bytes)
            match self._wire.read(payload):
                case Envelope() as envelope:
                    await self._take(envelope)
                case list() as blocks:
                    self._ear.on_music(blocks)
                case None:
                    pass

    def _lose(self) -> None:
        self._socket = None
        self._is_present = False
        self._resume_id = None
        self._ear.on_lost()

    # Messages

    async def _take(self, envelope: Envelope) -> None:
        self._counter.heard(envelope.type)
        if envelope.type == "welcome":
            await self._on_welcome(parse_server(envelope))
        elif self._resume_id is not None:
            # What is not the answer belongs to the session of this socket, which is given up.
            if envelope.id == self._resume_id:
                await self._on_resumed(envelope)
        else:
            self._on_control(envelope)
            if self._owed and envelope.type not in UNCOUNTED:
                self._owed -= 1
                await self._catch_up()

    async def _on_welcome(self, welcome: Welcome) -> None:
        self._tries = 0
        self._clock_ahead = welcome.server_time / 1e6 - monotonic()
        self._counter.welcomed(welcome.session)
        resume = self._counter.resume
        self._owed = 0
        if resume is None:
            await self._catch_up()
        else:
            self._resume_id = self._next_id()
            await self._send(self._wire.control("resume", resume, self._resume_id))

    async def _on_resumed(self, envelope: Envelope) -> None:
        self._resume_id = None
        if envelope.type == "error":
            self._counter.refused()
            self.returns["lost"] += 1
            self._join()
        else:
            ack = msgspec.convert(envelope.data, ResumeAck)
            self._counter.resumed(ack)
            self.returns["whole" if ack.recovered else "broken"] += 1
            self._owed = ack.missed if ack.recovered else 0
            if ack.join is not None:
                self._ear.on_room(ack.join)
        await self._catch_up()

    async def _catch_up(self) -> None:
        """All that was missed has come; so what has no answer yet was not received."""
        if not self._owed:
            self._is_present = True
            for id_, request in self._requests.items():
                await self._send(self._wire.control(request.type, request.data, id_))

    def _on_control(self, envelope: Envelope) -> None:
        if envelope.id is not None:
            self._on_answer(envelope.id, envelope)
        elif envelope.type == "error":
            self.refusals[str(envelope.data.get("code"))] += 1
        else:
            self._ear.on_message(parse_server(envelope))

    def _on_answer(self, id_: int, envelope: Envelope) -> None:
        request = self._requests.pop(id_, None)
        if request is None:
            self.surplus += 1
        elif envelope.type == "error":
            request.answer.set_exception(RuntimeError(f"{request.type} was refused: {envelope.data}"))
        else:
            if request.type == _JOIN:
                self._ear.on_room(msgspec.convert(envelope.data, JoinAck))
            request.answer.set_result(envelope.data)

    # Requests

    def _join(self) -> None:
        """Before anything else that waits for an answer."""
        later = {id_: request for id_, request in self._requests.items() if request.type != _JOIN}
        self._requests = {self._next_id(): _request(_JOIN, self._room)} | later

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id
