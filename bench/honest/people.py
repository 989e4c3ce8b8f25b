"""Somebody honest: a client that keeps all that it is told, and knows its place in its room."""

import asyncio
from collections import Counter
from time import monotonic
from typing import Any, Final, Self

from bench.abuse.words import MASK
from bench.honest.doings import Doings, Room
from bench.load.client import Client, Refused
from rhythm_protocol.control import SUBPROTOCOL_BINARY
from rhythm_protocol.websocket import BINARY, TEXT, client_frame
from rhythmd.client.codec import Envelope, decode_binary, decode_text, encode_binary, encode_text

__all__ = ["Person"]

_PATIENCE_S: Final = 60.0
_MORE_THAN_CAME: Final = (1 << 53) - 1


class Person(Client):
    """A client that reads control messages.

    Attributes:
        doings: what it does to the server.
        is_binary: whether it speaks `rhythm.v1`, and not `rhythm.v1.json`.
        user: who it is, as the server's welcome says.
        session: the token to come back with.
        room: the name of the room that it is in; None in none.
        slot: its number there.
        lines: of chat that it was told, in order.
        told: how often it was told each type of message.
        newcomers: ids of users who came into the room.
    """

    def __init__(self, request: bytes) -> None:
        super().__init__(request)
        self.doings = Doings("")
        self.is_binary = True
        self.user = ""
        self.session = ""
        self.room: str | None = None
        self.slot = 0
        self.lines: list[str] = []
        self.told: Counter[str] = Counter()
        self.newcomers: asyncio.Queue[str] = asyncio.Queue()
        self._ids = 0
        self._welcomed = asyncio.Event()
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}

    @classmethod
    async def arrive(
        cls, host: str, port: int, source: str, token: str | None = None, protocol: str = SUBPROTOCOL_BINARY
    ) -> Self:
        """Open a socket, and wait for the welcome. Raises Refused, TimeoutError or OSError."""
        person = await cls.connect(host, port, "/ws", protocol, source, token)
        person.doings.source = source
        person.is_binary = protocol == SUBPROTOCOL_BINARY
        await asyncio.wait_for(person._welcomed.wait(), _PATIENCE_S)
        return person

    async def enter(self, room: Room) -> None:
        """Join a room. Raises Refused or TimeoutError."""
        place = await self.ask("join-room", {"room": room.name, "create": True, "settings": room.settings})
        self.room, self.slot = room.name, place["slot"]
        self.doings.enter(room, place["quota"])

    async def go_on_as(self, earlier: "Person") -> None:
        """Resume the session of an earlier socket. Raises Refused or TimeoutError."""
        answer = await self.ask("resume", {"session": earlier.session, "received": _MORE_THAN_CAME})
        self.user, self.session, self.room, self.slot = earlier.user, earlier.session, earlier.room, earlier.slot
        self.doings.enter(earlier.doings.room, answer["join"]["quota"])

    def write(self, frame: bytes) -> None:
        """Send a frame."""
        self.doings.note(frame)
        self.transport.write(frame)

    async def ask(self, type_: str, data: dict[str, Any]) -> dict[str, Any]:
        """Say something that is answered; the answer. Raises Refused or TimeoutError."""
        self._ids += 1
        self._asked[self._ids] = answer = asyncio.get_running_loop().create_future()
        self.write(self.frame(type_, data, self._ids))
        return await asyncio.wait_for(answer, _PATIENCE_S)

    def frame(self, type_: str, data: dict[str, Any], id_: int | None = None) -> bytes:
        """A control message, as it is on the wire."""
        if self.is_binary:
            return client_frame(BINARY, encode_binary(type_, data, id_), MASK)
        return client_frame(TEXT, encode_text(type_, data, id_), MASK)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.doings.end()
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(Refused("the connection was closed"))
                answer.exception()  # marks it as seen

    def _on_message(self, now: float, payload: bytes) -> None:
        super()._on_message(now, payload)
        self._take(decode_binary(payload))

    def _on_control_frame(self, opcode: int, payload: bytes) -> None:
        if opcode == TEXT:
            envelope = decode_text(payload)
            if envelope.type == "error":
                self.errors[envelope.data["code"]] += 1
            self._take(envelope)
        else:
            super()._on_control_frame(opcode, payload)

    def _take(self, envelope: Envelope) -> None:
        self.told[envelope.type] += 1
        self.doings.told.append(monotonic())
        if envelope.type == "welcome":
            self.user, self.session = envelope.data["user"]["id"], envelope.data["session"]
            self._welcomed.set()
        elif envelope.type == "user-joined":
            self.newcomers.put_nowait(envelope.data["user"]["id"])
        elif envelope.type == "chat-message":
            self.lines.append(envelope.data["content"])
        answer = self._asked.pop(envelope.id or 0, None)
        if answer is None or answer.done():
            return
        if envelope.type == "error":
            answer.set_exception(Refused(f"{envelope.data['code']}: {envelope.data['message']}"))
        else:
            answer.set_result(envelope.data)
