"""MIDI channel messages as they stand on the wire: five bytes an event.

An event is a `u16` offset (ms from the message's base time, little-endian), then status, data 1 and data 2:
channel voice and channel mode messages of the MIDI 1.0 Detailed Specification. Where MIDI has one data byte,
data 2 is 0.
"""

import struct
from collections.abc import Iterable
from itertools import starmap
from typing import Final, NamedTuple

from rhythm_protocol.errors import ErrorCode, InvalidMessage, MalformedMessage

__all__ = [
    "CHANNEL_PRESSURE",
    "CONTROL_CHANGE",
    "EVENT_SIZE",
    "MAX_BLOCK_EVENTS",
    "MAX_MESSAGE_EVENTS",
    "NOTE_OFF",
    "NOTE_ON",
    "PITCH_BEND",
    "POLY_PRESSURE",
    "PROGRAM_CHANGE",
    "MidiEvent",
    "check_events",
    "join_events",
    "pack_events",
    "unpack_events",
]

EVENT_SIZE: Final = 5
MAX_BLOCK_EVENTS: Final = 255
MAX_MESSAGE_EVENTS: Final = 4_000
"""Of a client: what is handled in one go must not take long."""

NOTE_OFF: Final = 0x80
NOTE_ON: Final = 0x90
POLY_PRESSURE: Final = 0xA0
CONTROL_CHANGE: Final = 0xB0
PROGRAM_CHANGE: Final = 0xC0
CHANNEL_PRESSURE: Final = 0xD0
PITCH_BEND: Final = 0xE0

_EVENT: Final = struct.Struct("<HBBB")
_SYSTEM: Final = 0xF0
_ONE_DATA_BYTE: Final = frozenset({PROGRAM_CHANGE, CHANNEL_PRESSURE})


class MidiEvent(NamedTuple):
    """One channel message; `offset_ms` (0-65535) counts from the base time of the message it came in."""

    offset_ms: int
    status: int
    data1: int
    data2: int = 0

    @property
    def channel(self) -> int:
        return self.status & 0x0F

    @property
    def is_note_on(self) -> bool:
        """A note-on with velocity 0 is a note-off (MIDI 1.0)."""
        return self.status & 0xF0 == NOTE_ON and self.data2 > 0

    @property
    def is_note_off(self) -> bool:
        kind = self.status & 0xF0
        return kind == NOTE_OFF or (kind == NOTE_ON and self.data2 == 0)


def _check(event: MidiEvent, index: int) -> None:
    """Raise InvalidMessage unless `event` is a channel message."""
    offset, status, data1, data2 = event
    field = f"events[{index}]"
    if not 0 <= offset <= 0xFFFF:
        raise InvalidMessage(f"offset must be 0-65535, is {offset}", field, ErrorCode.INVALID_MIDI)
    if not NOTE_OFF <= status < _SYSTEM:
        raise InvalidMessage(f"status must be 0x80-0xEF, is {status:#x}", field, ErrorCode.INVALID_MIDI)
    if not (0 <= data1 < 0x80 and 0 <= data2 < 0x80):
        raise InvalidMessage(f"data bytes must be 0-127, are {data1}, {data2}", field, ErrorCode.INVALID_MIDI)
    if data2 and status & 0xF0 in _ONE_DATA_BYTE:
        raise InvalidMessage(f"data 2 must be 0 for status {status:#x}, is {data2}", field, ErrorCode.INVALID_MIDI)


def check_events(events: Iterable[MidiEvent]) -> None:
    """Raise InvalidMessage (`invalid-midi`) naming the first event that is no channel message."""
    for index, event in enumerate(events):
        _check(event, index)


def join_events(events: Iterable[tuple[int, int, int, int]]) -> bytes:
    """The bytes of events whose numbers fit. Whether they are channel messages is not looked at."""
    return b"".join(starmap(_EVENT.pack, events))


def pack_events(events: Iterable[MidiEvent]) -> bytes:
    """The events' bytes, five each. Raises InvalidMessage for an event that is no channel message."""
    checked = list(events)
    check_events(checked)
    return join_events(checked)


def unpack_events(data: bytes) -> list[MidiEvent]:
    """The events in `data`.

    Raises:
        MalformedMessage: the length is not a multiple of five, or zero.
        InvalidMessage: an event is no channel message.
    """
    if not data or len(data) % EVENT_SIZE:
        raise MalformedMessage(f"events are {EVENT_SIZE} bytes each, got {len(data)} bytes")
    events = [MidiEvent._make(fields) for fields in _EVENT.iter_unpack(data)]
    check_events(events)
    return events
