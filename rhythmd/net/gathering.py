"""Makes messages of fragments (RFC 6455, 5.4), and sees early when a text cannot become UTF-8 any more (8.1)."""

from codecs import IncrementalDecoder, getincrementaldecoder
from typing import Final

from websockets.frames import Frame, Opcode
from websockets.speedups import apply_mask

__all__ = ["Gathering"]

OPCODE: Final = 0x0F
LENGTH: Final = 0x7F
MASK_SIZE: Final = 4
HEAD_SIZES: Final = {126: 4, 127: 10}
"""Bytes before the mask, by what stands in the place of the length; two for any other."""

SURROGATE: Final = b"\xed"
"""The first byte of surrogates, and of others."""

_Decoder: Final = getincrementaldecoder("utf-8")


class Gathering:
    """What has come of the message that is open.

    Args:
        is_text_expected: on a connection without text it is refused whatever it says, so nothing is checked.

    Attributes:
        is_text: the message is text.
    """

    __slots__ = ("_decoder", "_message", "_seen", "is_text")

    def __init__(self, *, is_text_expected: bool) -> None:
        self.is_text = False
        self._message = bytearray()
        self._decoder = _Decoder() if is_text_expected else None
        self._seen = 0  # bytes of the payload of the frame that is not whole, which the decoder has had

    @property
    def size(self) -> int:
        """Bytes of the message so far."""
        return len(self._message)

    def add(self, frame: Frame) -> bytes | None:
        """The whole message, if this data frame ends it. Raises UnicodeDecodeError when its text is no UTF-8 so far."""
        if frame.opcode is not Opcode.CONT:
            self.is_text = frame.opcode is Opcode.TEXT
        seen, self._seen = self._seen, 0
        self._message += frame.data
        if not frame.fin:
            if self.is_text and self._decoder is not None:
                _check(self._decoder, bytes(frame.data)[seen:])
            return None
        payload = bytes(self._message)
        self._message.clear()
        if self.is_text and self._decoder is not None:
            self._decoder.reset()
        return payload

    def look(self, part: bytes, *, is_open: bool) -> None:
        """Check the text that has come of a frame that is not whole. Raises UnicodeDecodeError.

        Args:
            part: from the frame's first byte on; its header is right.
            is_open: whether a fragmented message is open.
        """
        if self._decoder is None:
            return
        opcode = part[0] & OPCODE
        is_text = self.is_text and opcode == Opcode.CONT if is_open else opcode == Opcode.TEXT
        start = HEAD_SIZES.get(part[1] & LENGTH, 2) + MASK_SIZE
        payload = part[start + self._seen :]
        if is_text and payload:
            mask, turn = part[start - MASK_SIZE : start], self._seen % MASK_SIZE
            self._seen += len(payload)
            _check(self._decoder, apply_mask(payload, mask[turn:] + mask[:turn]))


def _check(decoder: IncrementalDecoder, data: bytes) -> None:
    decoder.decode(data)
    pending = decoder.getstate()[0]
    if pending[:1] == SURROGATE and pending[1:] >= b"\xa0":  # for which Python waits until they are whole
        raise UnicodeDecodeError("utf-8", pending, 0, len(pending), "surrogates not allowed")
