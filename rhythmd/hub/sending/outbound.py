"""Messages on their way out: whole WebSocket frames, encoded at most once for each encoding in use."""

import struct
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct, json

from rhythm_protocol.binary import OP_MIDI, CursorAt, encode_clock_reply, encode_cursors
from rhythm_protocol.control import as_binary, as_text, encode_binary, encode_text
from rhythm_protocol.messages import (
    SERVER_MESSAGES,
    ClockAnswer,
    Cursors,
    MidiBlockData,
    Notes,
    ServerMessage,
    SlotState,
)
from rhythm_protocol.websocket import BINARY, TEXT, server_frame
from rhythmd.hub.ports import Encoding
from rhythmd.midi.state import unpacked

__all__ = [
    "ClockReply",
    "ControlMessage",
    "CursorPositions",
    "HeldState",
    "KeptMessage",
    "Music",
    "Outbound",
    "slot_states",
]

_MIDI: Final = bytes((OP_MIDI,))
_MESSAGE_BYTES: Final = 150
"""About what a message that is kept takes beside its frame."""
_LONG_HEADS: Final = {126: 4, 127: 10}
"""Bytes before the payload of a frame with this second byte, where they are not two (RFC 6455, 5.2)."""
_BLOCK_HEAD: Final = struct.Struct("<HBI")
_EVENT: Final = struct.Struct("<HBBB")
_JSON: Final = json.Encoder()


class KeptMessage(Struct, gc=False):
    """What a log keeps of a message that was sent: its frame, in one encoding.

    That is bytes only. A message is made of a dozen values, and the search for garbage, which stops everything, would
    look at each of them for as long as it is kept.

    Attributes:
        encoding: of the frame.
    """

    encoding: Encoding
    _frame: bytes
    _holders: int = 0

    @property
    def size(self) -> int:
        """Bytes of the frame."""
        return len(self._frame)

    @property
    def weight(self) -> int:
        """About how many bytes of memory it takes."""
        return _MESSAGE_BYTES + len(self._frame)

    def frame(self, encoding: Encoding) -> bytes:
        """The whole frame; for a client that came back with another encoding it is made of this one."""
        frame = self._frame
        if encoding is self.encoding:
            return frame
        payload = frame[_LONG_HEADS.get(frame[1], 2) :]
        if encoding is Encoding.BINARY:
            return server_frame(BINARY, as_binary(payload))
        return server_frame(TEXT, as_text(payload))

    def keep(self) -> int:
        """One more keeps it: bytes of memory that this takes."""
        self._holders += 1
        return self.weight if self._holders == 1 else 0

    def drop(self) -> int:
        """One of them keeps it no more: bytes of memory that this gives back."""
        self._holders -= 1
        return 0 if self._holders else self.weight


class Outbound(ABC):
    """One message to any number of clients.

    Attributes:
        row: the message's row of `SERVER_MESSAGES`, which says how it is treated on its way.
    """

    __slots__ = ("_binary", "_kept", "_text")

    row: ServerMessage

    def __init__(self) -> None:
        self._binary: bytes | None = None
        self._text: bytes | None = None
        self._kept: KeptMessage | None = None

    @abstractmethod
    def binary(self) -> bytes:
        """The payload for `rhythm.v1`."""

    @abstractmethod
    def text(self) -> bytes:
        """The payload for `rhythm.v1.json`, UTF-8."""

    def frame(self, encoding: Encoding) -> bytes:
        """The whole frame, the same object at every call."""
        if encoding is Encoding.BINARY:
            if self._binary is None:
                self._binary = server_frame(BINARY, self.binary())
            return self._binary
        if self._text is None:
            self._text = server_frame(TEXT, self.text())
        return self._text

    def kept(self, encoding: Encoding) -> KeptMessage:
        """What is kept of it, by whoever keeps it: the same object at every call, of the first one's encoding."""
        if self._kept is None:
            self._kept = KeptMessage(encoding, self.frame(encoding))
        return self._kept


class ControlMessage(Outbound):
    """A message without a binary twin: `type_` and `data` as `rhythm_protocol.messages` has them, `id_` on answers."""

    __slots__ = ("_data", "_id", "_type", "row")

    def __init__(self, type_: str, data: object, id_: int | None = None) -> None:
        super().__init__()
        self.row = SERVER_MESSAGES[type_]
        self._type = type_
        self._data = data
        self._id = id_

    def binary(self) -> bytes:
        return encode_binary(self._type, self._data, self._id)

    def text(self) -> bytes:
        return encode_text(self._type, self._data, self._id)


def slot_states(held: Iterable[tuple[int, bytes]]) -> list[SlotState]:
    """What players hold, by slot, as `NoteState.packed` has it."""
    return [SlotState(slot, unpacked(packed)) for slot, packed in held]


class HeldState(ControlMessage):
    """What others hold, for a listener who has missed some of the music; `held` by slot."""

    __slots__ = ("held",)

    def __init__(self, held: Sequence[tuple[int, bytes]]) -> None:
        super().__init__("notes", Notes(slot_states(held)))
        self.held = held


class Music(Outbound):
    """Some players' blocks as one message.

    Args:
        blocks: as they are on the wire.
        texts: the JSON of blocks that also stand in other messages, by block; it is filled as they are made.
        senders: of the blocks, in their order, where those of one are left out.
        left_out: which one.
    """

    __slots__ = ("_blocks", "_left_out", "_senders", "_texts")

    row = SERVER_MESSAGES["midi-event"]

    def __init__(
        self,
        blocks: Sequence[bytes],
        texts: dict[bytes, bytes] | None = None,
        senders: Sequence[object] | None = None,
        left_out: object = None,
    ) -> None:
        self._binary = self._text = None  # the hot path: a call of the base class is felt
        self._blocks = blocks
        self._texts = {} if texts is None else texts
        self._senders = senders
        self._left_out = left_out

    def _of_others(self) -> Sequence[bytes]:
        if self._senders is None:
            return self._blocks
        return [
            block for block, sender in zip(self._blocks, self._senders, strict=True) if sender is not self._left_out
        ]

    def binary(self) -> bytes:
        return _MIDI + b"".join(self._of_others())

    def text(self) -> bytes:
        return b'{"type":"midi-event","data":{"blocks":[%s]}}' % b",".join(map(self._text_of, self._of_others()))

    def _text_of(self, block: bytes) -> bytes:
        text = self._texts.get(block)
        if text is None:
            slot, _, base_ms = _BLOCK_HEAD.unpack_from(block)
            events = list(_EVENT.iter_unpack(memoryview(block)[_BLOCK_HEAD.size :]))
            text = self._texts[block] = _JSON.encode(MidiBlockData(slot, base_ms, events))
        return text


class ClockReply(Outbound):
    """The answer to a clock exchange: the client's value, and two times in microseconds of the server's clock."""

    __slots__ = ("_received_us", "_sent_us", "_value")

    row = SERVER_MESSAGES["clock"]

    def __init__(self, value: int, received_us: int, sent_us: int) -> None:
        super().__init__()
        self._value = value
        self._received_us = received_us
        self._sent_us = sent_us

    def binary(self) -> bytes:
        return encode_clock_reply(self._value, self._received_us, self._sent_us)

    def text(self) -> bytes:
        return encode_text("clock", ClockAnswer(self._value, self._received_us, self._sent_us))


class CursorPositions(Outbound):
    """Where members point. Everybody gets the same, their own position included: it tells them nothing new."""

    __slots__ = ("_cursors",)

    row = SERVER_MESSAGES["cursor"]

    def __init__(self, cursors: Sequence[CursorAt]) -> None:
        super().__init__()
        self._cursors = cursors

    def binary(self) -> bytes:
        return encode_cursors(self._cursors)

    def text(self) -> bytes:
        return encode_text("cursor", Cursors([(*cursor,) for cursor in self._cursors]))
