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

from bench.abuse.wire import Line, Tally, ask, dial, open_socket, said
from bench.abuse.words import API, BIN, CROWD, JSON_BODY, message, request, upgrade

__all__ = ["ALLOWED_PER_S", "SOCKETS", "Attack", "Attacker", "Strike"]

SOCKETS: Final = 50
"""What one address may have open by default."""
ALLOWED_PER_S: Final = 48.0
"""Nearly all of the messages that one client may send in the long run by default."""
_STEP_S: Final = 0.02
_PAUSE_S: Final = 0.05
_PASSWORD: Final = "correct horse"


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

    async def line(self, first: bytes = b"", *, answers_pings: bool = True, by_proxy: bool = False) -> Line:
        """A TCP connection as if from this attacker's address, with the first bytes on it. Raises OSError.

        With `by_proxy` it is the proxy's own, for requests that name the address.
        """
        source = None if by_proxy else f"203.0.113.{self.number + 1}"
        line = await dial(self._host, self._port, source, self._tally, first, answers_pings=answers_pings)
        self._lines = {known for known in self._lines if not known.is_lost} | {line}
        return line

    async def socket(
        self, protocol: str = BIN, target: str = "/ws", token: str | None = None, *, answers_pings: bool = True
    ) -> Line:
        """A WebSocket after its handshake. Raises TurnedAway or OSError."""
        line = await self.line(answers_pings=answers_pings)
        await open_socket(line, upgrade(target, protocol, token))
        return line

    async def member(self, room: str, settings: dict[str, Any] | None = None, **more: Any) -> Line:
        """A socket in a room, which is made with `settings` if there is none. Raises TurnedAway or OSError."""
        line = await self.socket(**more)
        await said(line, message("join-room", {"room": room, "create": True, "settings": settings}, 1))
        return line

    async def guest_token(self) -> str | None:
        """A new guest's access token, unless that is refused. Raises OSError or TimeoutError."""
        return await self._token("guest", {})

    async def account_token(self, usertag: str) -> str | None:
        """A new account's access token, unless that is refused. Raises OSError or TimeoutError."""
        return await self._token("register", {"usertag": usertag, "password": _PASSWORD})

    async def _token(self, path: str, data: dict[str, str]) -> str | None:
        line = await self.line()
        try:
            words = request("POST", f"{API}/auth/{path}", msgspec.json.encode(data), (JSON_BODY,))
            status, answer = await ask(line, words)
        finally:
            line.leave()
        return msgspec.json.decode(answer)["access_token"] if status in (200, 201) else None

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

    async def flood(self, line: Line, data: bytes) -> None:
        """Write `data` again and again, as fast as the server takes it. Raises ConnectionResetError."""
        while not self.is_over:
            line.write(data)
            await line.drain()
            await asyncio.sleep(0)

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
                at = max(due, int((monotonic() - begin - _STEP_S) * per_s))
            await asyncio.sleep(_STEP_S)

    async def victim(self, room: str, name: str, bytes_per_s: float) -> None:
        """Somebody honest, from elsewhere, who is in the room and reads slowly; how it ends is told as theirs.

        Raises TurnedAway or OSError.
        """
        tally = Tally()
        line = await dial(self._host, self._port, f"192.0.2.{self.number + 1}", tally)
        try:
            await open_socket(line, upgrade())
            await said(line, message("join-room", {"room": room, "create": True, "settings": CROWD}, 1))
            line.write(message("user-update", {"name": name}))
            line.read_slowly(bytes_per_s)
            await line.lost()
        finally:
            line.leave()
            self._tally.fates.update({f"the victim: {fate}": count for fate, count in tally.fates.items()})

    def leave(self) -> None:
        """End all connections."""
        for line in self._lines:
            line.leave()


Strike = Callable[[Attacker], Awaitable[None]]


@dataclass(frozen=True)
class Attack:
    """A row of the catalogue: what it is, in a sentence, and what one address does until the end.

    Args:
        what: the sentence.
        strike: what each attacker does.
        errand: what the visitor comes for meanwhile.
        counts: types of the server's messages that are counted, too.
        tls: whether the server has a certificate, and the players speak TLS.
    """

    what: str
    strike: Strike
    errand: str = "lobby"
    counts: tuple[str, ...] = ()
    tls: bool = False
