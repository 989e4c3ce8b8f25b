"""Standard MIDI Files (RP-001) written: the bytes of chunks, tracks and meta events."""

from collections.abc import Iterable, Iterator
from struct import Struct
from typing import Final

__all__ = [
    "KEY_SIGNATURE",
    "SET_TEMPO",
    "TEXT",
    "TIME_SIGNATURE",
    "TRACK_NAME",
    "file_head",
    "meta_event",
    "track_chunk",
]

FORMAT: Final = 1  # several tracks, played together
TEXT: Final = 0x01
TRACK_NAME: Final = 0x03
SET_TEMPO: Final = 0x51
TIME_SIGNATURE: Final = 0x58
KEY_SIGNATURE: Final = 0x59
LONGEST_DELTA: Final = 0x0FFF_FFFF  # four bytes of seven bits

_CHUNK: Final = Struct(">4sI")
_HEAD: Final = Struct(">HHH")
_END_OF_TRACK: Final = b"\x00\xff\x2f\x00"
_NO_TEXT: Final = bytes((0xFF, TEXT, 0))


def file_head(tracks: int, division: int) -> bytes:
    """The header of a file of format 1; `division` is mostly the ticks of a quarter."""
    return _chunk(b"MThd", _HEAD.pack(FORMAT, tracks, division))


def track_chunk(events: Iterable[tuple[int, bytes]]) -> bytes:
    """A track of (tick, event) in order, with its end."""
    content = bytearray()  # not a join: all pieces side by side take twenty times as much
    for piece in _timed(events):
        content += piece
    content += _END_OF_TRACK
    return _chunk(b"MTrk", content)


def meta_event(kind: int, content: bytes) -> bytes:
    """A meta event."""
    return b"".join((bytes((0xFF, kind)), _quantity(len(content)), content))


def _timed(events: Iterable[tuple[int, bytes]]) -> Iterator[bytes]:
    before = 0
    for tick, event in events:
        while tick - before > LONGEST_DELTA:
            yield _quantity(LONGEST_DELTA) + _NO_TEXT
            before += LONGEST_DELTA
        yield _quantity(tick - before)
        yield event
        before = tick


def _chunk(kind: bytes, content: bytes | bytearray) -> bytes:
    return _CHUNK.pack(kind, len(content)) + content


def _quantity(number: int) -> bytes:
    """A number in the file's form: seven bits a byte, the highest first, the top bit set on all but the last."""
    if number < 0x80:
        return bytes((number,))
    digits = [number & 0x7F]
    while number := number >> 7:
        digits.append(number & 0x7F | 0x80)
    return bytes(reversed(digits))
