"""Both subprotocols behind one shape, as a client speaks them."""

from collections.abc import Mapping
from typing import Final, Protocol

import msgspec

from rhythm_protocol import binary
from rhythm_protocol.binary import OP_CONTROL, OP_MIDI, MidiBlock
from rhythm_protocol.control import SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON
from rhythm_protocol.messages import Message, MidiOutput
from rhythm_protocol.midi import MidiEvent
from rhythmd.client import codec
from rhythmd.client.codec import Envelope

__all__ = ["WIRES", "Incoming", "Wire"]

Incoming = Envelope | list[MidiBlock] | None
"""A control message, music, or what is neither."""


class Wire(Protocol):
    """How one subprotocol puts things."""

    subprotocol: str
    is_text: bool

    def control(self, type_: str, data: Mapping[str, object] | Message, id_: int | None = None) -> bytes: ...

    def midi(self, base_ms: int, events: list[MidiEvent]) -> bytes: ...

    def cursor(self, x: int, y: int) -> bytes: ...

    def read(self, payload: bytes) -> Incoming:
        """A server's message."""


class _Binary:
    subprotocol = SUBPROTOCOL_BINARY
    is_text = False

    def control(self, type_: str, data: Mapping[str, object] | Message, id_: int | None = None) -> bytes:
        return codec.encode_binary(type_, data, id_)

    def midi(self, base_ms: int, events: list[MidiEvent]) -> bytes:
        return binary.encode_midi(base_ms, events)

    def cursor(self, x: int, y: int) -> bytes:
        return binary.encode_cursor(x, y)

    def read(self, payload: bytes) -> Incoming:
        if payload[0] == OP_MIDI:
            return binary.decode_midi_blocks(payload)
        return codec.decode_binary(payload) if payload[0] == OP_CONTROL else None


class _Text:
    subprotocol = SUBPROTOCOL_JSON
    is_text = True

    def control(self, type_: str, data: Mapping[str, object] | Message, id_: int | None = None) -> bytes:
        return codec.encode_text(type_, data, id_)

    def midi(self, base_ms: int, events: list[MidiEvent]) -> bytes:
        return self.control("midi-event", {"time": base_ms & 0xFFFFFFFF, "events": events})

    def cursor(self, x: int, y: int) -> bytes:
        return self.control("cursor", {"x": x, "y": y})

    def read(self, payload: bytes) -> Incoming:
        envelope = codec.decode_text(payload)
        if envelope.type == "midi-event":
            blocks = msgspec.convert(envelope.data, MidiOutput).blocks
            return [MidiBlock(block.slot, block.time, tuple(map(MidiEvent._make, block.events))) for block in blocks]
        return None if envelope.type in ("cursor", "clock") else envelope


WIRES: Final[tuple[Wire, ...]] = (_Binary(), _Text())
