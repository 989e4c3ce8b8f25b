"""What servers send, back to events. A server's frames are never masked (RFC 6455, 5.1)."""

from collections.abc import Callable, Iterator
from typing import Final

from bench.load.spec import Dialect
from rhythm_protocol.binary import OP_MIDI
from rhythm_protocol.midi import EVENT_SIZE
from rhythm_protocol.websocket import BINARY

__all__ = ["EventReader", "event_reader", "events_of_relay", "events_of_rhythmd", "whole_frames"]

_MIDI_HEAD: Final = 5  # opcode, u32 base time
_BLOCK_HEAD: Final = 7  # u16 slot, u8 count, u32 base time

EventReader = Callable[[bytes, bytearray], int]


def whole_frames(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Opcode, start and stop of the payload of each whole frame; the rest begins at the last stop."""
    at, end = 0, len(data)
    while end - at >= 2:
        length, start = data[at + 1], at + 2
        if length > 125:
            start += 2 if length == 126 else 8
            length = int.from_bytes(data[at + 2 : start])
        stop = start + length
        if stop > end or start > end:
            return
        yield data[at] & 0x0F, start, stop
        at = stop


def events_of_relay(data: bytes, events: bytearray) -> int:
    """Append the events in `data`, which holds messages as clients sent them; how many."""
    before = len(events)
    for opcode, start, stop in whole_frames(data):
        if opcode == BINARY and start < stop and data[start] == OP_MIDI:
            events += data[start + _MIDI_HEAD : stop]
    return (len(events) - before) // EVENT_SIZE


def events_of_rhythmd(data: bytes, events: bytearray) -> int:
    """Append the events in `data`, which holds blocks of one or more players a message; how many."""
    before = len(events)
    for opcode, start, stop in whole_frames(data):
        if opcode != BINARY or start == stop or data[start] != OP_MIDI:
            continue
        at = start + 1
        while at < stop:
            first = at + _BLOCK_HEAD
            at = first + data[at + 2] * EVENT_SIZE
            events += data[first:at]
    return (len(events) - before) // EVENT_SIZE


def event_reader(dialect: Dialect) -> EventReader:
    """The reader of what such a server sends."""
    return events_of_rhythmd if dialect is Dialect.RHYTHMD else events_of_relay
