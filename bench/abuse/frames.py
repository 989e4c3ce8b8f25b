"""Frames that no rate counts: pings, pongs, empty fragments, clocks and cursors, and segments of one byte."""

import asyncio
import socket
import struct
from typing import Final

from bench.abuse.attacker import SOCKETS, Attack, Attacker
from bench.abuse.words import CLOSE, CONTINUATION, CROWD, MASK, PING, PONG, part
from rhythm_protocol.binary import encode_clock_request, encode_cursor, encode_midi
from rhythm_protocol.midi import NOTE_OFF, MidiEvent
from rhythm_protocol.websocket import BINARY, client_frame

__all__ = ["ATTACKS"]

_BLOCK: Final = 65_536
_SLOW_BYTES_PER_S: Final = 250_000.0

_PINGS: Final = client_frame(PING, b"", MASK)
_LONG_PINGS: Final = client_frame(PING, b"p" * 125, MASK)
_PONGS: Final = client_frame(PONG, b"", MASK)
_EMPTY_PARTS: Final = part(CONTINUATION, b"", is_final=False)
_EMPTY_MESSAGES: Final = client_frame(BINARY, b"", MASK)
_CLOCKS: Final = client_frame(BINARY, encode_clock_request(7), MASK)
_CURSORS: Final = client_frame(BINARY, encode_cursor(1, 2), MASK)
_OFFS: Final = client_frame(BINARY, encode_midi(0, [MidiEvent(0, NOTE_OFF, 60)]), MASK)


class _Flood:
    """The attack that repeats a frame, at so many bytes a second or, with None, as fast as the server takes it.

    Args:
        first: comes before the flood.
        in_room: whether the sockets are in one room.
    """

    def __init__(
        self, frame: bytes, bytes_per_s: float | None, sockets: int = 1, *, first: bytes = b"", in_room: bool = False
    ) -> None:
        self._block = frame * max(1, _BLOCK // len(frame))
        self._small = frame * max(1, 2_500 // len(frame))
        self._bytes_per_s = bytes_per_s
        self._sockets = sockets
        self._first = first
        self._in_room = in_room

    async def __call__(self, attacker: Attacker) -> None:
        async def one(_number: int) -> None:
            room = f"flood {attacker.number}"
            line = await (attacker.member(room, CROWD) if self._in_room else attacker.socket())
            try:
                line.write(self._first)
                if self._bytes_per_s is None:
                    await attacker.flood(line, self._block)
                else:
                    await attacker.pace(line, (self._small,), self._bytes_per_s / len(self._small))
            finally:
                line.leave()

        await attacker.everywhere(one, self._sockets)


async def _one_byte_segments(attacker: Attacker) -> None:
    """Each byte is a write of its own, and a read for the server."""

    async def one(_number: int) -> None:
        line = await attacker.socket()
        known: socket.socket = line.transport.get_extra_info("socket")
        known.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while not attacker.is_over:
                for byte in _CLOCKS:
                    line.write(byte.to_bytes())
                    await line.drain()
                await asyncio.sleep(0)
        finally:
            line.leave()

    await attacker.everywhere(one, 10)


async def _unfinished(attacker: Attacker) -> None:
    """A message of nearly 64 KiB in small parts that never ends, then the next one on a new socket."""
    head = part(BINARY, b"\x10", is_final=False)
    parts = part(CONTINUATION, b"x", is_final=False) * 1_000

    async def one(_number: int) -> None:
        line = await attacker.socket()
        try:
            line.write(head)
            await attacker.pace(line, (parts,), 10.0)
        finally:
            line.leave()

    await attacker.everywhere(one)


async def _closes(attacker: Attacker) -> None:
    """A close frame and at once a new socket, 50 at a time."""
    goodbye = client_frame(CLOSE, struct.pack("!H", 1000), MASK)

    async def one(_number: int) -> None:
        line = await attacker.socket()
        try:
            line.write(goodbye)
            await line.lost()
        finally:
            line.leave()

    await attacker.everywhere(one)


ATTACKS: Final[dict[str, Attack]] = {
    "pings, 250 KB/s": Attack("empty pings at 250 KB/s on one socket", _Flood(_PINGS, _SLOW_BYTES_PER_S)),
    "pings": Attack("empty pings as fast as one socket may", _Flood(_PINGS, None)),
    "pings, 50 sockets": Attack("pings of 125 bytes as fast as 50 sockets may", _Flood(_LONG_PINGS, None, SOCKETS)),
    "pongs, 250 KB/s": Attack("pongs that nobody asked for at 250 KB/s", _Flood(_PONGS, _SLOW_BYTES_PER_S)),
    "pongs": Attack("pongs that nobody asked for as fast as one socket may", _Flood(_PONGS, None)),
    "empty fragments": Attack(
        "a message in endless empty parts, as fast as 4 sockets may",
        _Flood(_EMPTY_PARTS, None, 4, first=part(BINARY, b"\x10", is_final=False)),
    ),
    "empty fragments, 250 KB/s": Attack(
        "a message in endless empty parts at 250 KB/s on one socket",
        _Flood(_EMPTY_PARTS, _SLOW_BYTES_PER_S, first=part(BINARY, b"\x10", is_final=False)),
    ),
    "empty messages": Attack("empty messages as fast as 4 sockets may", _Flood(_EMPTY_MESSAGES, None, 4)),
    "clocks, 250 KB/s": Attack("questions for the time at 250 KB/s on one socket", _Flood(_CLOCKS, _SLOW_BYTES_PER_S)),
    "clocks": Attack("questions for the time as fast as 4 sockets may", _Flood(_CLOCKS, None, 4)),
    "clocks, 50 sockets": Attack(
        "questions for the time, 1,900/s on each of 50 sockets", _Flood(_CLOCKS, 1_900.0 * len(_CLOCKS), SOCKETS)
    ),
    "notes, 50 sockets": Attack(
        "note-offs in 50 sockets of one room, 1,900/s on each",
        _Flood(_OFFS, 1_900.0 * len(_OFFS), SOCKETS, in_room=True),
    ),
    "cursors, 250 KB/s": Attack(
        "positions of the pointer at 250 KB/s of one member", _Flood(_CURSORS, _SLOW_BYTES_PER_S, in_room=True)
    ),
    "cursors": Attack(
        "positions of the pointer as fast as 50 members of a room may", _Flood(_CURSORS, None, SOCKETS, in_room=True)
    ),
    "note-offs": Attack(
        "note-offs, which no quota counts, as fast as 50 members of a room may",
        _Flood(_OFFS, None, SOCKETS, in_room=True),
    ),
    "one byte a segment": Attack("questions for the time byte by byte, on 10 sockets", _one_byte_segments),
    "unfinished messages": Attack("50 messages that grow to 64 KiB part by part and never end", _unfinished),
    "close and come back": Attack("50 sockets that close and open again as fast as they may", _closes),
}
