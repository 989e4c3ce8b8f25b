"""A connection of an attacker or a visitor, with as little work as it can do: the attack is to cost the server."""

import asyncio
import re
import socket
from asyncio import Event
from collections import Counter
from dataclasses import dataclass, field
from typing import Final, cast

from bench.abuse.words import MASK, PONG
from bench.load.client import connect_encrypted, proxy_line
from rhythm_protocol.websocket import client_frame

__all__ = ["PATIENCE_S", "Line", "Tally", "TurnedAway", "ask", "dial", "open_socket", "said"]

PATIENCE_S: Final = 10.0
_PING_HEAD: Final = 0x89
_CLOSE_HEAD: Final = 0x88
_HEAD_END: Final = b"\r\n\r\n"
# An error's code in msgpack (a short string) and in JSON; the bytes are not taken apart, since there are too many.
_ERROR: Final = re.compile(rb'\xa4code[\xa0-\xbf]([a-z-]{3,31})|"code":"([a-z-]{3,31})"')
_STATUS: Final = re.compile(rb"HTTP/1\.1 (\d{3})")
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_SMALL_BUFFER: Final = 8_192
_TAIL: Final = 256
_MOST_KEPT: Final = 1 << 20


class TurnedAway(ConnectionError):
    """The server did not grant what was asked for; the text has its answer."""


@dataclass
class Tally:
    """What happened to an attacker, as `AttackResult` has it; `marks` are bytes that are counted by a name, too."""

    opened: int = 0
    sent: int = 0
    received: int = 0
    fates: Counter[str] = field(default_factory=Counter)
    marks: dict[str, bytes] = field(default_factory=dict)


class Line(asyncio.Protocol):
    """A connection that counts the refusals in what it reads, and answers pings.

    Attributes:
        is_lost: whether it has ended.
        stays: whether it keeps its side open when the server ends the other one.
    """

    transport: asyncio.Transport

    def __init__(self, tally: Tally, hello: bytes, *, answers_pings: bool) -> None:
        self._tally = tally
        self._reads_per_s: float | None = None
        self._hello = hello
        self._answers_pings = answers_pings
        self._writable = Event()
        self._writable.set()
        self._is_heard = False
        self._heard = Event()
        self._kept = b""
        self._tail = b""
        self._is_leaving = False
        self.is_lost = False
        self.stays = False

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

    def expect(self) -> None:
        """Keep what comes from now on, for `hear`."""
        self._is_heard, self._kept = True, b""

    async def hear(self, pattern: re.Pattern[bytes], seconds: float = PATIENCE_S) -> bytes:
        """What came since `expect`, once `pattern` stands in it. Raises TimeoutError or ConnectionResetError."""
        async with asyncio.timeout(seconds):
            while not pattern.search(self._kept):
                if self.is_lost:
                    raise ConnectionResetError
                self._heard.clear()
                await self._heard.wait()
        return self._kept

    async def lost(self) -> None:
        """Wait for the end."""
        while not self.is_lost:
            self._heard.clear()
            await self._heard.wait()

    def read_slowly(self, bytes_per_s: float) -> None:
        """Read no faster than that from now on."""
        self._reads_per_s = bytes_per_s
        known = self.transport.get_extra_info("socket")
        known.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER)

    def leave(self) -> None:
        """End the connection from this side, without another word."""
        self._is_leaving = True
        self.transport.abort()

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by class
        self._tally.opened += 1
        self.write(self._hello)

    def data_received(self, data: bytes) -> None:
        self._count(data)
        if self._answers_pings and data[0] == _PING_HEAD and len(data) >= 2 + data[1]:
            self.transport.write(client_frame(PONG, data[2 : 2 + data[1]], MASK))
        self._tail = (self._tail + data)[-_TAIL:] if len(data) < _TAIL else data[-_TAIL:]
        if self._is_heard:
            self._kept = (self._kept + data)[-_MOST_KEPT:]
            self._heard.set()
        if self._reads_per_s is not None:
            self.transport.pause_reading()
            asyncio.get_running_loop().call_later(len(data) / self._reads_per_s, self._read_on)

    def eof_received(self) -> bool:
        return self.stays

    def _read_on(self) -> None:
        if not self.is_lost and not self.transport.is_closing():
            self.transport.resume_reading()

    def _count(self, data: bytes) -> None:
        tally = self._tally
        tally.received += len(data)
        for found in _ERROR.finditer(data):
            tally.fates[f"error {(found[1] or found[2]).decode()}"] += 1
        for found in _STATUS.finditer(data):
            if found[1] != b"101":
                tally.fates[f"HTTP {found[1].decode()}"] += 1
        for name, mark in tally.marks.items():
            if times := data.count(mark):
                tally.fates[name] += times

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
        at = tail.rfind(_CLOSE_HEAD)
        while at >= 0:
            if at + 4 <= len(tail) and at + 2 + tail[at + 1] == len(tail):
                return f"closed {int.from_bytes(tail[at + 2 : at + 4])}"
            at = tail.rfind(_CLOSE_HEAD, 0, at)
        return "cut off"


async def dial(
    host: str,
    port: int,
    source: str | None,
    tally: Tally,
    first: bytes = b"",
    *,
    answers_pings: bool = True,
    tls: bool = False,
) -> Line:
    """A TCP connection as if from `source`, or as a proxy's own, with the first bytes on it. Raises OSError."""
    if tls:
        return await connect_encrypted(lambda: Line(tally, first, answers_pings=answers_pings), host, port, source)
    hello = (b"" if source is None else proxy_line(source)) + first
    _, line = await asyncio.get_running_loop().create_connection(
        lambda: Line(tally, hello, answers_pings=answers_pings), host, port
    )
    return line


_ANSWERED: Final = re.compile(_HEAD_END)


async def open_socket(line: Line, words: bytes) -> None:
    """Do a WebSocket's handshake, and go on expecting. Raises TurnedAway."""
    line.expect()
    try:
        line.write(words)
        head = await line.hear(_ANSWERED)
    except (TimeoutError, ConnectionResetError) as end:
        line.leave()
        raise TurnedAway(f"no handshake: {type(end).__name__}") from None
    if b" 101 " not in head[:16]:
        line.leave()
        raise TurnedAway(head.partition(b"\r\n")[0].decode(errors="replace"))


_ACK: Final = re.compile(rb"\xa4type\xa3ack|\xa4type\xa5error|\xa4code[\xa0-\xbf]([a-z-]{3,31})")


async def said(line: Line, words: bytes) -> None:
    """Say something that has an `id`, and wait for the answer. Raises TurnedAway with the code of the refusal."""
    line.expect()
    try:
        line.write(words)
        heard = await line.hear(_ACK)
    except (TimeoutError, ConnectionResetError) as end:
        line.leave()
        raise TurnedAway(f"no answer: {type(end).__name__}") from None
    if refusal := _ERROR.search(heard):
        line.leave()
        raise TurnedAway(refusal[1].decode())


async def ask(line: Line, words: bytes) -> tuple[int, bytes]:
    """The status and the body of the answer to a request. Raises ConnectionResetError or TimeoutError."""
    line.expect()
    line.write(words)
    answer = await line.hear(_ANSWERED)
    head, _, body = answer.partition(_HEAD_END)
    length = _LENGTH.search(head)
    if length is not None:
        whole = re.compile(rb"(?s).{%d}" % (len(head) + len(_HEAD_END) + int(length[1])))
        body = (await line.hear(whole)).partition(_HEAD_END)[2]
    return int(head[9:12]), body
