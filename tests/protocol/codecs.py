"""Every codec of the package behind one shape: payload to the plain JSON value of a vector, and back."""

from collections.abc import Callable

import msgspec

from rhythm_protocol import binary, control
from rhythm_protocol.midi import MidiEvent
from tests.protocol.vectors import Direction, FastLayout, Subprotocol

__all__ = [
    "FAST_DECODERS",
    "FAST_ENCODERS",
    "SUBPROTOCOLS",
    "carry",
    "check_control",
    "decode_control",
    "encode_control",
]

_CODECS: dict[Subprotocol, tuple[Callable[[bytes], control.Envelope], Callable[..., bytes]]] = {
    "rhythm.v1": (control.decode_binary, control.encode_binary),
    "rhythm.v1.json": (control.decode_text, control.encode_text),
}
SUBPROTOCOLS: tuple[Subprotocol, ...] = ("rhythm.v1", "rhythm.v1.json")


def decode_control(subprotocol: Subprotocol, payload: bytes) -> control.Envelope:
    return _CODECS[subprotocol][0](payload)


def encode_control(subprotocol: Subprotocol, type_: str, data: object, id_: int | None) -> bytes:
    return _CODECS[subprotocol][1](type_, data, id_)


def check_control(direction: Direction, envelope: control.Envelope) -> object:
    """The struct of a control message's data (an `ack`'s stays a dict)."""
    parse = control.parse_client if direction == "client" else control.parse_server
    checked: object = parse(envelope)
    return checked


def carry(subprotocol: Subprotocol, direction: Direction, type_: str, data: object) -> object:
    """What the other side makes of `data`: encoded, decoded and checked."""
    return check_control(direction, decode_control(subprotocol, encode_control(subprotocol, type_, data, None)))


def _midi(payload: bytes) -> object:
    batch = binary.decode_midi(payload)
    return {"base_ms": batch.base_ms, "events": [list(event) for event in batch.events]}


def _midi_blocks(payload: bytes) -> object:
    return [
        {"slot": block.slot, "base_ms": block.base_ms, "events": [list(event) for event in block.events]}
        for block in binary.decode_midi_blocks(payload)
    ]


def _clock_request(payload: bytes) -> object:
    return {"value": str(binary.decode_clock_request(payload).value)}


def _clock_reply(payload: bytes) -> object:
    return {name: str(number) for name, number in binary.decode_clock_reply(payload)._asdict().items()}


def _cursor(payload: bytes) -> object:
    return binary.decode_cursor(payload)._asdict()


def _cursors(payload: bytes) -> object:
    return [cursor._asdict() for cursor in binary.decode_cursors(payload)]


class _Batch(msgspec.Struct):
    base_ms: int
    events: tuple[MidiEvent, ...]


class _Block(_Batch):
    slot: int


def _pack_midi(value: object) -> bytes:
    batch = msgspec.convert(value, _Batch)
    return binary.encode_midi(batch.base_ms, batch.events)


def _pack_midi_blocks(value: object) -> bytes:
    blocks = msgspec.convert(value, list[_Block])
    return binary.encode_midi_blocks(binary.MidiBlock(b.slot, b.base_ms, b.events) for b in blocks)


def _pack_clock_request(value: object) -> bytes:
    numbers = msgspec.convert(value, dict[str, int], strict=False)
    return binary.encode_clock_request(**numbers)


def _pack_clock_reply(value: object) -> bytes:
    numbers = msgspec.convert(value, dict[str, int], strict=False)
    return binary.encode_clock_reply(**numbers)


def _pack_cursor(value: object) -> bytes:
    return binary.encode_cursor(**msgspec.convert(value, dict[str, int]))


def _pack_cursors(value: object) -> bytes:
    cursors = msgspec.convert(value, list[dict[str, int]])
    return binary.encode_cursors([binary.CursorAt(**cursor) for cursor in cursors])


FAST_DECODERS: dict[tuple[FastLayout, Direction], Callable[[bytes], object]] = {
    ("midi", "client"): _midi,
    ("midi", "server"): _midi_blocks,
    ("clock", "client"): _clock_request,
    ("clock", "server"): _clock_reply,
    ("cursor", "client"): _cursor,
    ("cursor", "server"): _cursors,
}

FAST_ENCODERS: dict[tuple[FastLayout, Direction], Callable[[object], bytes]] = {
    ("midi", "client"): _pack_midi,
    ("midi", "server"): _pack_midi_blocks,
    ("clock", "client"): _pack_clock_request,
    ("clock", "server"): _pack_clock_reply,
    ("cursor", "client"): _pack_cursor,
    ("cursor", "server"): _pack_cursors,
}
