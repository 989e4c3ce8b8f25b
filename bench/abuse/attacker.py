"""One address that attacks: its connections, what it may do with them, and the row that says what it does."""

import asyncio
from asyncio import TaskGroup
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from time import monotonic
from typing import Any, Final

import msgspec

from bench.abuse.wire import Line, Tally
from bench.load.client import proxy_line, upgrade_request
from rhythm_protocol.control import SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON
from rhythm_protocol.websocket import BINARY, client_frame
from rhythmd.client.codec import encode_binary

__all__ = ["BIN", "JSON", "MASK", "SOCKETS", "Attack", "Attacker", "TurnedAway", "message", "request"]

BIN: Final = SUBPROTOCOL_BINARY
JSON: Final = SUBPROTOCOL_JSON
SOCKETS: Final = 50
"""What one address may have open by default."""
MASK: Final = b"\x17\x2b\x3d\x5e"
_STEP_S: Final = 0.02
_PAUSE_S: Final = 0.05
_PATIENCE_S: Final = 10.0
_HEAD_END: Final = b"\r\n\r\n"


class TurnedAway(ConnectionError):
    """The server did not open a socket."""


def message(type_: str, data: dict[str, Any], id_: int | None = None) -> bytes:
    """A frame with a control message of `rhythm.v1`."""
    return client_frame(BINARY, encode_binary(type_, data, id_), MASK)


def request(method: str, path: str, body: bytes = b"", headers: Sequence[tuple[str, str]] = ()) -> bytes:
    """An HTTP request, as it is on the wire."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers)]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


class Attacker:
    """An address, with everything that it does in the attack.

    Attributes:
        number: of this attacker, from 0.
        random: of all its chance.
        end: the moment at which the attack is over.
    """

    def __init__(self, host: str, port: int, number: int, tally: Tally, end: float, random: Random) -> None:
        self._host = host
        self._port = port
        self._tally = tally
        self._lines: set[Line] = set()
        self.number = number
        self.end = end
        self.random = random

    @property
    def is_over(self) -> bool:
        return monotonic() >= self.end

    async def line(self, first: bytes = b"", *, answers_pings: bool = True) -> Line:
        """A TCP connection as if from this attacker's address, with the first bytes on it. Raises OSError."""
        hello = proxy_line(f"203.0.113.{self.number + 1}") + first
        loop = asyncio.get_running_loop()
        _, line = await loop.create_connection(
            lambda: Line(self._tally, hello, answers_pings=answers_pings), self._host, self._port
        )
        self._lines = {known for known in self._lines if not known.is_lost} | {line}
        return line

    async def socket(self, protocol: str = BIN, target: str = "/ws", *, answers_pings: bool = True) -> Line:
        """A WebSocket after its handshake. Raises TurnedAway or OSError."""
        line = await self.line(answers_pings=answers_pings)
        line.expect()
        line.write(upgrade_request(f"{self._host}:{self._port}", target, protocol))
        try:
            head = await line.hear(_HEAD_END, _PATIENCE_S)
        except (TimeoutError, ConnectionResetError):
            line.leave()
            raise TurnedAway from None
        if b" 101 " not in head:
            line.leave()
            raise TurnedAway
        return line

    async def member(self, room: str, settings: dict[str, Any] | None = None, protocol: str = BIN) -> Line:
        """A socket in a room, which is made with `settings` if there is none. Raises TurnedAway or OSError."""
        line = await self.socket(protocol)
        line.expect()
        line.write(message("join-room", {"room": room, "create": True, "settings": settings}, 1))
        try:
            await line.hear(b"\xa3ack", _PATIENCE_S)
        except (TimeoutError, ConnectionResetError):
            line.leave()
            raise TurnedAway from None
        return line

    async def ask(self, line: Line, words: bytes) -> tuple[int, bytes]:
        """The status and the body of the answer to a request. Raises ConnectionResetError or TimeoutError."""
        line.expect()
        line.write(words)
        answer = await line.hear(_HEAD_END, _PATIENCE_S)
        head, _, body = answer.partition(_HEAD_END)
        length = next((int(row[15:]) for row in head.lower().split(b"\r\n") if row.startswith(b"content-length:")), 0)
        while len(body) < length:
            line.expect()
            body += await line.hear(b"", _PATIENCE_S)
        return int(head[9:12]), body

    async def guest_token(self, line: Line) -> str | None:
        """A new guest's token, unless that is refused. Raises like `ask`."""
        body = b'{"name":"Stranger"}'
        headers = [("Content-Type", "application/json")]
        status, answer = await self.ask(line, request("POST", "/api/v1/auth/guest", body, headers))
        return msgspec.json.decode(answer)["access_token"] if status == 200 else None

    async def everywhere(self, act: Callable[[int], Awaitable[None]], times: int = SOCKETS) -> None:
        """Do `act` with a number, so many at once, and each again as soon as it is over, to the end."""
        async with TaskGroup() as tasks:
            for number in range(times):
                tasks.create_task(self._repeat(act, number))

    async def _repeat(self, act: Callable[[int], Awaitable[None]], number: int) -> None:
        while not self.is_over:
            with suppress(OSError, TimeoutError):
                await act(number)
            await asyncio.sleep(_PAUSE_S)

    async def flood(self, line: Line, data: bytes, pause_s: float = 0.0) -> None:
        """Write `data` again and again, as fast as the server takes it. Raises ConnectionResetError."""
        while not self.is_over:
            line.write(data)
            await line.drain()
            await asyncio.sleep(pause_s)

    async def pace(self, line: Line, pieces: Sequence[bytes], per_s: float) -> None:
        """Write the pieces in turn, so many a second; what the server does not take is not made up for.

        Raises ConnectionResetError.
        """
        at, begin = 0, monotonic()
        while not self.is_over:
            due = int((monotonic() - begin) * per_s)
            if due > at:
                line.write(b"".join(pieces[number % len(pieces)] for number in range(at, due)))
                await line.drain()
                at = max(due, int((monotonic() - begin) * per_s) - int(per_s * _STEP_S) - 1)
            await asyncio.sleep(_STEP_S)

    def leave(self) -> None:
        """End all connections."""
        for line in self._lines:
            line.leave()


@dataclass(frozen=True)
class Attack:
    """A row of the catalogue: what it is, in a sentence, and what one address does until the end.

    `settings` are what the server has to be told beside its defaults, where an attack needs something to be there.
    """

    what: str
    strike: Callable[[Attacker], Awaitable[None]]
    settings: tuple[str, ...] = ()
