"""An attacker's connection, with as little work as it can do: the attack is to cost the server, not the bench."""

import asyncio
import re
from asyncio import Event
from collections import Counter
from dataclasses import dataclass, field
from typing import Final, cast

from rhythm_protocol.websocket import client_frame

__all__ = ["CLOSE", "CONTINUATION", "PING", "PONG", "Line", "Tally", "part"]

CONTINUATION: Final = 0x0
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA
_FIN: Final = 0x80
_PING_HEAD: Final = 0x89
_CLOSE_HEAD: Final = 0x88
# An error's code in msgpack (a short string) and in JSON; the bytes are not taken apart, since there are too many.
_ERROR: Final = re.compile(rb'\xa4code[\xa0-\xbf]([a-z-]{3,31})|"code":"([a-z-]{3,31})"')
_STATUS: Final = re.compile(rb"HTTP/1\.1 (\d{3})")
_TAIL: Final = 256
_MOST_KEPT: Final = 1 << 20


@dataclass
class Tally:
    """What happened to an attacker, as `AttackResult` has it."""

    opened: int = 0
    sent: int = 0
    received: int = 0
    fates: Counter[str] = field(default_factory=Counter)


def part(opcode: int, payload: bytes, *, is_final: bool, mask: bytes = b"\x17\x2b\x3d\x5e") -> bytes:
    """One frame of a message that may go on."""
    frame = bytearray(client_frame(opcode, payload, mask))
    if not is_final:
        frame[0] &= ~_FIN
    return bytes(frame)


class Line(asyncio.Protocol):
    """A connection that counts the refusals in what it reads, and answers no ping unless it is told to.

    Attributes:
        is_lost: whether it has ended.
    """

    transport: asyncio.Transport

    def __init__(self, tally: Tally, hello: bytes, *, answers_pings: bool = True) -> None:
        self._tally = tally
        self._hello = hello
        self._answers_pings = answers_pings
        self._writable = Event()
        self._writable.set()
        self._awaited: bytes | None = None
        self._heard = Event()
        self._kept = b""
        self._tail = b""
        self._is_leaving = False
        self.is_lost = False

    # What an attack does

    def write(self, data: bytes) -> None:
        """Raises ConnectionResetError when the connection is lost."""
        if self.is_lost:
            raise ConnectionResetError
        self._tally.sent += len(data)
        self.transport.write(data)

    async def drain(self) -> None:
        """Wait until the server takes more."""
        await self._writable.wait()
        if self.is_lost:
            raise ConnectionResetError

    async def hear(self, pattern: bytes, seconds: float) -> bytes:
        """What came until `pattern` stood in it, from the last call on. Raises TimeoutError or ConnectionResetError."""
        self._awaited = pattern
        self._heard.clear()
        try:
            async with asyncio.timeout(seconds):
                while pattern not in self._kept:
                    if self.is_lost:
                        raise ConnectionResetError
                    self._heard.clear()
                    await self._heard.wait()
            kept, self._kept = self._kept, b""
            return kept
        finally:
            self._awaited = None

    def expect(self) -> None:
        """Keep what comes from now on, for `hear`."""
        self._awaited, self._kept = b"", b""

    async def lost(self) -> None:
        """Wait for the end."""
        while not self.is_lost:
            self._awaited = self._awaited or b""
            self._heard.clear()
            await self._heard.wait()

    def leave(self) -> None:
        """End the connection from this side, without another word."""
        self._is_leaving = True
        self.transport.abort()

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by class
        self._tally.opened += 1
        if self._hello:
            self.write(self._hello)

    def data_received(self, data: bytes) -> None:
        tally = self._tally
        tally.received += len(data)
        for found in _ERROR.finditer(data):
            tally.fates[f"error {(found[1] or found[2]).decode()}"] += 1
        for found in _STATUS.finditer(data):
            if found[1] != b"101":
                tally.fates[f"HTTP {found[1].decode()}"] += 1
        if self._answers_pings and data[0] == _PING_HEAD and len(data) >= 2 + data[1]:
            self.transport.write(client_frame(PONG, data[2 : 2 + data[1]], b"\x01\x02\x03\x04"))
        self._tail = (self._tail + data)[-_TAIL:] if len(data) < _TAIL else data[-_TAIL:]
        if self._awaited is not None:
            self._kept = (self._kept + data)[-_MOST_KEPT:]
            self._heard.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        self._writable.set()
        self._heard.set()
        if not self._is_leaving:
            self._tally.fates[self._last_word()] += 1

    def _last_word(self) -> str:
        """The close frame at the very end, if there is one."""
        tail = self._tail
        at = tail.rfind(_CLOSE_HEAD.to_bytes())
        while at >= 0:
            if at + 4 <= len(tail) and at + 2 + tail[at + 1] == len(tail):
                return f"closed {int.from_bytes(tail[at + 2 : at + 4])}"
            at = tail.rfind(_CLOSE_HEAD.to_bytes(), 0, at)
        return "cut off"
