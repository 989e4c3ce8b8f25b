"""The fast layouts of `rhythm.v1`: MIDI, clock and cursor. Integers are little-endian.

Decoders take the whole payload of a binary WebSocket message, opcode included, and raise only ProtocolError.
"""

import struct
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from rhythm_protocol.errors import MalformedMessage
from rhythm_protocol.midi import EVENT_SIZE, MAX_BLOCK_EVENTS, MidiEvent, pack_events, unpack_events

__all__ = [
    "OP_CLOCK",
    "OP_CONTROL",
    "OP_CURSOR",
    "OP_MIDI",
    "ClockReply",
    "ClockRequest",
    "CursorAt",
    "CursorMove",
    "MidiBatch",
    "MidiBlock",
    "decode_clock_reply",
    "decode_clock_request",
    "decode_cursor",
    "decode_cursors",
    "decode_midi",
    "decode_midi_blocks",
    "encode_clock_reply",
    "encode_clock_request",
    "encode_cursor",
    "encode_cursors",
    "encode_midi",
    "encode_midi_blocks",
]

OP_MIDI: Final = 0x01
OP_CLOCK: Final = 0x02
OP_CURSOR: Final = 0x03
OP_CONTROL: Final = 0x10

_MIDI_HEAD: Final = struct.Struct("<BI")
_BLOCK_HEAD: Final = struct.Struct("<HBI")
_CLOCK_REQUEST: Final = struct.Struct("<BQ")
_CLOCK_REPLY: Final = struct.Struct("<BQQQ")
_CURSOR: Final = struct.Struct("<BHH")
_CURSOR_BLOCK: Final = struct.Struct("<HHH")


class MidiBatch(NamedTuple):
    """Client to server: events and the base time they count from (server's clock, ms modulo 2^32)."""

    base_ms: int
    events: tuple[MidiEvent, ...]


class MidiBlock(NamedTuple):
    """Server to client: one player's batch, with the player's slot in the room."""

    slot: int
    base_ms: int
    events: tuple[MidiEvent, ...]


class ClockRequest(NamedTuple):
    """Client to server: a question for the server's time. `value` is any `u64`, and comes back in the reply."""

    value: int


class ClockReply(NamedTuple):
    """Server to client: the request's value, and when the server got it and answered (microseconds of its clock)."""

    value: int
    received_us: int
    sent_us: int


class CursorMove(NamedTuple):
    """Client to server: where the pointer is; 0-65535 spans the page's width and height."""

    x: int
    y: int


class CursorAt(NamedTuple):
    """Server to client: a member's pointer."""

    slot: int
    x: int
    y: int


def _check_opcode(payload: bytes, opcode: int) -> None:
    if not payload or payload[0] != opcode:
        raise MalformedMessage(f"expected opcode {opcode:#04x}, got {payload[:1].hex() or 'nothing'}")


def _unpack(layout: struct.Struct, payload: bytes, opcode: int) -> tuple[int, ...]:
    _check_opcode(payload, opcode)
    if len(payload) != layout.size:
        raise MalformedMessage(f"message {opcode:#04x} is {layout.size} bytes, got {len(payload)}")
    return layout.unpack(payload)[1:]


def encode_midi(base_ms: int, events: Iterable[MidiEvent]) -> bytes:
    """A client's MIDI message; `base_ms` is taken modulo 2^32."""
    return _MIDI_HEAD.pack(OP_MIDI, base_ms & 0xFFFFFFFF) + pack_events(events)


def decode_midi(payload: bytes) -> MidiBatch:
    """Read what `encode_midi` writes."""
    _check_opcode(payload, OP_MIDI)
    if len(payload) < _MIDI_HEAD.size:
        raise MalformedMessage(f"message 0x01 has a 5-byte head, got {len(payload)} bytes")
    base_ms = _MIDI_HEAD.unpack_from(payload)[1]
    return MidiBatch(base_ms, tuple(unpack_events(payload[_MIDI_HEAD.size :])))


def encode_midi_blocks(blocks: Iterable[MidiBlock]) -> bytes:
    """A server's MIDI message. A block of more than 255 events is split in two."""
    parts = [bytes((OP_MIDI,))]
    for slot, base_ms, events in blocks:
        for start in range(0, len(events), MAX_BLOCK_EVENTS):
            chunk = events[start : start + MAX_BLOCK_EVENTS]
            parts += _BLOCK_HEAD.pack(slot, len(chunk), base_ms), pack_events(chunk)
    return b"".join(parts)


def decode_midi_blocks(payload: bytes) -> list[MidiBlock]:
    """Read what `encode_midi_blocks` writes; at least one block, each of at least one event."""
    _check_opcode(payload, OP_MIDI)
    blocks: list[MidiBlock] = []
    at, end = 1, len(payload)
    while at < end:
        if end - at < _BLOCK_HEAD.size:
            raise MalformedMessage(f"block head cut short at byte {at}")
        slot, count, base_ms = _BLOCK_HEAD.unpack_from(payload, at)
        at += _BLOCK_HEAD.size
        stop = at + count * EVENT_SIZE
        if stop > end:
            raise MalformedMessage(f"block of {count} events cut short at byte {at}")
        blocks.append(MidiBlock(slot, base_ms, tuple(unpack_events(payload[at:stop]))))
        at = stop
    if not blocks:
        raise MalformedMessage("no block in the message")
    return blocks


def encode_clock_request(value: int) -> bytes:
    return _CLOCK_REQUEST.pack(OP_CLOCK, value)


def decode_clock_request(payload: bytes) -> ClockRequest:
    return ClockRequest._make(_unpack(_CLOCK_REQUEST, payload, OP_CLOCK))


def encode_clock_reply(value: int, received_us: int, sent_us: int) -> bytes:
    return _CLOCK_REPLY.pack(OP_CLOCK, value, received_us, sent_us)


def decode_clock_reply(payload: bytes) -> ClockReply:
    return ClockReply._make(_unpack(_CLOCK_REPLY, payload, OP_CLOCK))


def encode_cursor(x: int, y: int) -> bytes:
    return _CURSOR.pack(OP_CURSOR, x, y)


def decode_cursor(payload: bytes) -> CursorMove:
    return CursorMove._make(_unpack(_CURSOR, payload, OP_CURSOR))


def encode_cursors(cursors: Sequence[CursorAt]) -> bytes:
    return bytes((OP_CURSOR,)) + b"".join(_CURSOR_BLOCK.pack(*cursor) for cursor in cursors)


def decode_cursors(payload: bytes) -> list[CursorAt]:
    _check_opcode(payload, OP_CURSOR)
    body = payload[1:]
    if not body or len(body) % _CURSOR_BLOCK.size:
        raise MalformedMessage(f"cursors are {_CURSOR_BLOCK.size} bytes each, got {len(body)} bytes")
    return [CursorAt._make(fields) for fields in _CURSOR_BLOCK.iter_unpack(body)]
