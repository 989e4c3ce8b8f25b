"""A visitor who comes while others attack, for a lobby, to log in, or to record: what newcomers feel."""

import asyncio
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

import msgspec

from bench.abuse.wire import Line, Tally, TurnedAway, ask, dial, open_socket, said
from bench.abuse.words import API, CLOSE, JSON_BODY, MASK, NOTE, message, request, upgrade
from rhythm_protocol.websocket import client_frame

__all__ = ["ERRANDS", "Visitor", "Visits"]

_SOURCES: Final = 100
_LOGINS: Final = 8
_PATIENCE_S: Final = 5.0
_ACCOUNT: Final = {"usertag": "Visitor", "password": "correct horse"}
_GOODBYE: Final = client_frame(CLOSE, struct.pack("!H", 1000), MASK)


@dataclass
class Visits:
    """When visits began (s from the start), how long the good ones took (s), why others failed."""

    good: list[tuple[float, float]] = field(default_factory=list)
    bad: list[tuple[float, str]] = field(default_factory=list)


class Visitor:
    """Comes again and again, from another address each time, and does its errand.

    Args:
        host: of the server.
        port: of the server.
        errand: a key of `ERRANDS`.
        tls: whether the server speaks it.
    """

    def __init__(self, host: str, port: int, errand: str, *, tls: bool = False) -> None:
        self._tls = tls
        self._host = host
        self._port = port
        self._errand, self._between_s = ERRANDS[errand]
        self._number = 0
        self._token = ""
        self.visits = Visits()

    async def prepare(self) -> None:
        """Make its account, and log in some times at once: the threads that hash have their memory from then on.

        Raises OSError or TimeoutError.
        """
        status, body = await self._post("register")
        if status != 201:
            raise TurnedAway(f"no account: {status}")
        self._token = msgspec.json.decode(body)["access_token"]
        await asyncio.gather(*(self._post("login") for _ in range(_LOGINS)))

    async def keep_coming(self, start: float) -> None:
        """Come, do the errand and go, until this is cancelled. `start` is the moment that is 0."""
        while True:
            began = monotonic()
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    await self._errand(self)
            except TimeoutError:
                self.visits.bad.append((began - start, f"not in {_PATIENCE_S:g} s"))
            except OSError as refusal:
                self.visits.bad.append((began - start, str(refusal)))
            else:
                self.visits.good.append((began - start, monotonic() - began))
            await asyncio.sleep(max(0.0, began + self._between_s - monotonic()))

    async def find_lobby(self) -> None:
        line = await self._enter("lobby", None)
        line.write(message("leave-room", {}) + _GOODBYE)
        line.transport.close()

    async def log_in(self) -> None:
        status, _ = await self._post("login")
        if status != 200:
            raise TurnedAway(f"HTTP {status}")

    async def record(self) -> None:
        line = await self._enter(f"visited {self._number}", self._token)
        await said(line, message("record", {"on": True}, 2))
        line.write(NOTE)
        await said(line, message("record", {"on": False}, 3))
        line.write(message("leave-room", {}) + _GOODBYE)
        line.transport.close()

    async def _enter(self, room: str, token: str | None) -> Line:
        line = await self._dial()
        await open_socket(line, upgrade(token=token))
        await said(line, message("join-room", {"room": room, "create": True}, 1))
        return line

    async def _post(self, path: str) -> tuple[int, bytes]:
        line = await self._dial()
        try:
            return await ask(line, request("POST", f"{API}/auth/{path}", msgspec.json.encode(_ACCOUNT), (JSON_BODY,)))
        finally:
            line.leave()

    async def _dial(self) -> Line:
        self._number += 1
        source = f"198.51.100.{100 + self._number % _SOURCES}"
        return await dial(self._host, self._port, source, Tally(), tls=self._tls)


ERRANDS: Final[dict[str, tuple[Callable[[Visitor], Awaitable[None]], float]]] = {
    "lobby": (Visitor.find_lobby, 1.0),
    "login": (Visitor.log_in, 2.0),
    "record": (Visitor.record, 3.0),
}
"""What a visitor may come for, and how many seconds lie between two visits."""
