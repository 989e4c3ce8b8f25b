"""Standard MIDI Files: what a room played, a track for each player (RP-001, format 1).

Written here and not with a library: a long recording has hundreds of thousands of events, and a tenth of the work for
each is a tenth of the time that a server's other threads wait for the interpreter.
"""

from collections.abc import Iterable, Iterator
from struct import Struct
from typing import Final

from rhythm_protocol.midi import CHANNEL_PRESSURE, PROGRAM_CHANGE

__all__ = ["ChannelMessage", "Event", "encode"]

ChannelMessage = tuple[int, int, int]
"""Status, data 1, data 2; data 2 is 0 where MIDI has one data byte."""

Event = tuple[int, ChannelMessage]
"""When it is due, in ms, and what."""

# A quarter of 480 ticks and 480,000 us: a tick is a millisecond, the wire's unit, and no time is rounded.
TICKS_PER_QUARTER: Final = 480
TEMPO_US: Final = 480_000

FORMAT: Final = 1
TRACK_NAME: Final = 0x03
SET_TEMPO: Final = 0x51
END_OF_TRACK: Final = b"\x00\xff\x2f\x00"

_CHUNK: Final = Struct(">4sI")
_HEAD: Final = Struct(">HHH")
_ONE_DATA_BYTE: Final = range(PROGRAM_CHANGE, CHANNEL_PRESSURE + 0x10)


def encode(title: str, tracks: Iterable[tuple[str, Iterable[Event]]], origin_ms: int) -> bytes:
    """A whole file.

    Args:
        title: of the piece.
        tracks: each with its name and its events, in order.
        origin_ms: when the piece begins; no event is due before.
    """
    head = _meta(TRACK_NAME, title.encode()) + _meta(SET_TEMPO, TEMPO_US.to_bytes(3, "big"))
    chunks = [_track(head), *(_track(_meta(TRACK_NAME, name.encode()), events, origin_ms) for name, events in tracks)]
    return _chunk(b"MThd", _HEAD.pack(FORMAT, len(chunks), TICKS_PER_QUARTER)) + b"".join(chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return _CHUNK.pack(kind, len(content)) + content


def _track(head: bytes, events: Iterable[Event] = (), origin_ms: int = 0) -> bytes:
    return _chunk(b"MTrk", b"".join((head, *_messages(events, origin_ms), END_OF_TRACK)))


def _meta(kind: int, content: bytes) -> bytes:
    return b"".join((bytes((0, 0xFF, kind)), _quantity(len(content)), content))


def _messages(events: Iterable[Event], now_ms: int) -> Iterator[bytes]:
    for at_ms, (status, data1, data2) in events:
        yield _quantity(at_ms - now_ms)
        yield bytes((status, data1)) if status in _ONE_DATA_BYTE else bytes((status, data1, data2))
        now_ms = at_ms


def _quantity(number: int) -> bytes:
    """A number in the file's form: seven bits a byte, the highest first, the top bit set on all but the last."""
    if number < 0x80:
        return bytes((number,))
    digits = [number & 0x7F]
    while number := number >> 7:
        digits.append(number & 0x7F | 0x80)
    return bytes(reversed(digits))
