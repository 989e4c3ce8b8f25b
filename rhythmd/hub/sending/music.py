"""Players' blocks on their way out."""

from collections.abc import Iterable
from typing import Final

from rhythm_protocol.binary import OP_MIDI, decode_midi_blocks
from rhythm_protocol.control import encode_text
from rhythm_protocol.messages import MidiBlockData, MidiOutput
from rhythmd.hub.sending.outbound import Message

__all__ = ["Music"]

_MIDI: Final = bytes((OP_MIDI,))


class Music(Message):
    """Some players' blocks as one message."""

    __slots__ = ("_payload",)

    def __init__(self, blocks: Iterable[bytes]) -> None:
        super().__init__()
        self._payload = _MIDI + b"".join(blocks)

    def binary(self) -> bytes:
        return self._payload

    def text(self) -> bytes:
        return encode_text("midi-event", _as_output(self._payload))


def _as_output(payload: bytes) -> MidiOutput:
    return MidiOutput(
        [
            MidiBlockData(block.slot, block.base_ms, [(*event,) for event in block.events])
            for block in decode_midi_blocks(payload)
        ]
    )
