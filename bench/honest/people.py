"""Somebody honest: a client that keeps all that it is told, and knows its place in its room."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final, Self

from bench.load.client import Client, Refused
from rhythm_protocol.control import SUBPROTOCOL_BINARY
from rhythmd.client.codec import Envelope, decode_binary, encode_binary

__all__ = ["Person", "Room"]

_PATIENCE_S: Final = 60.0


@dataclass(frozen=True)
class Room:
    """A room's name, and what it is made with if there is none."""

    name: str
    settings: dict[str, Any]


class Person(Client):
    """A client of `rhythm.v1` that reads control messages.

    Attributes:
        welcome: what the server said first.
        room: the name of the room that it is in; None in none.
        slot: its number there.
        told: how often it was told each type of message.
        lines: of chat that it was shown.
    """

    def __init__(self, request: bytes) -> None:
        super().__init__(request)
        self.welcome: dict[str, Any] = {}
        self.room: str | None = None
        self.slot = 0
        self.told: Counter[str] = Counter()
        self._ids = 0
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}

    @classmethod
    async def arrive(cls, host: str, port: int, source: str, token: str | None = None) -> Self:
        """Open a socket, and wait for the welcome. Raises Refused, TimeoutError or OSError."""
        person = await cls.connect(host, port, "/ws", SUBPROTOCOL_BINARY, source, token)
        await person.server_clock_ahead()
        return person

    async def enter(self, room: Room, *, create: bool = True) -> None:
        """Join a room. Raises Refused."""
        place = await self.ask("join-room", {"room": room.name, "create": create, "settings": room.settings})
        self.room, self.slot = room.name, place["slot"]

    async def ask(self, type_: str, data: dict[str, Any]) -> dict[str, Any]:
        """Say something that is answered; the answer. Raises Refused or TimeoutError."""
        self._ids += 1
        self._asked[self._ids] = answer = asyncio.get_running_loop().create_future()
        self.send(encode_binary(type_, data, self._ids))
        return await asyncio.wait_for(answer, _PATIENCE_S)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(Refused("the connection was closed"))
                answer.exception()  # marks it as seen

    def _on_message(self, now: float, payload: bytes) -> None:
        super()._on_message(now, payload)
        envelope = decode_binary(payload)
        self.told[envelope.type] += 1
        if envelope.type == "welcome":
            self.welcome = envelope.data
        if envelope.id is not None:
            self._settle(envelope)

    def _settle(self, envelope: Envelope) -> None:
        answer = self._asked.pop(envelope.id or 0, None)
        if answer is None or answer.done():
            return
        if envelope.type == "error":
            answer.set_exception(Refused(f"{envelope.data['code']}: {envelope.data['message']}"))
        else:
            answer.set_result(envelope.data)
