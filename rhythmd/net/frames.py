"""Finds where a WebSocket frame from a client ends, and refuses what no client may send (RFC 6455, section 5.2).

`websockets`' state machine then gets whole frames only, so that between two of them the fast path knows where it is.
"""

from typing import Final, NamedTuple

from rhythm_protocol.close import MESSAGE_TOO_BIG, PROTOCOL_ERROR, Close

__all__ = ["FrameError", "frame_size"]

FIN: Final = 0x80
RESERVED: Final = 0x70
OPCODE: Final = 0x0F
CONTROL: Final = 0x08
MASKED: Final = 0x80
LENGTH: Final = 0x7F
OPCODES: Final = frozenset({0x0, 0x1, 0x2, 0x8, 0x9, 0xA})

LENGTH_16: Final = 126
MASK_SIZE: Final = 4


class FrameError(Exception):
    """The peer's frame header is not acceptable; the connection fails with `rule`."""

    def __init__(self, rule: Close, reason: str) -> None:
        super().__init__(reason)
        self.rule = rule
        self.reason = reason


class _Head(NamedTuple):
    """A frame's header: its size in bytes without the mask, and the length of the payload that follows."""

    size: int
    length: int


def frame_size(data: bytes, start: int, max_length: int) -> int:
    """Size in bytes of the frame that begins at `start`; 0 while its header is not there yet.

    Args:
        data: what was received.
        start: index of the frame's first byte.
        max_length: the longest payload that is still allowed.

    Raises:
        FrameError: 1002 for what no client may send, 1009 for a payload over `max_length`.
    """
    if len(data) - start < 2:
        return 0
    first, second = data[start], data[start + 1]
    if first & OPCODE not in OPCODES:
        raise FrameError(PROTOCOL_ERROR, "invalid opcode")
    if not second & MASKED:
        raise FrameError(PROTOCOL_ERROR, "incorrect masking")
    head = _read_length(data, start, second & LENGTH)
    if head is None:
        return 0
    if head.length > max_length:
        raise FrameError(MESSAGE_TOO_BIG, f"frame of {head.length} bytes is over {max_length}")
    _check_first_byte(first, head.length)
    return head.size + MASK_SIZE + head.length


def _read_length(data: bytes, start: int, length: int) -> _Head | None:
    """Header size without mask, and payload length; None while bytes are missing."""
    if length < LENGTH_16:
        return _Head(2, length)
    size = 4 if length == LENGTH_16 else 10
    if len(data) - start < size:
        return None
    length = int.from_bytes(data[start + 2 : start + size], "big")
    if length < LENGTH_16 or (size == 10 and length < 0x10000):
        raise FrameError(PROTOCOL_ERROR, "length is not encoded in the fewest bytes")
    if length >> 63:
        raise FrameError(PROTOCOL_ERROR, "length has its highest bit set")
    return _Head(size, length)


def _check_first_byte(first: int, length: int) -> None:
    if first & RESERVED:
        raise FrameError(PROTOCOL_ERROR, "reserved bits must be 0")
    if first & CONTROL:
        if length > 125:
            raise FrameError(PROTOCOL_ERROR, "control frame too long")
        if not first & FIN:
            raise FrameError(PROTOCOL_ERROR, "fragmented control frame")
