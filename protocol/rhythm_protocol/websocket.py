"""WebSocket frames (RFC 6455, section 5.2) around whole messages, for the side that never splits them."""

import struct
from typing import Final

__all__ = ["BINARY", "TEXT", "client_frame", "server_frame"]

TEXT: Final = 0x1
BINARY: Final = 0x2

_FIN: Final = 0x80
_MASKED: Final = 0x80
_SHORT: Final = struct.Struct("!BB")
_MEDIUM: Final = struct.Struct("!BBH")
_LONG: Final = struct.Struct("!BBQ")


def _head(opcode: int, length: int, mask_bit: int) -> bytes:
    if length < 126:
        return _SHORT.pack(_FIN | opcode, mask_bit | length)
    if length < 0x10000:
        return _MEDIUM.pack(_FIN | opcode, mask_bit | 126, length)
    return _LONG.pack(_FIN | opcode, mask_bit | 127, length)


def server_frame(opcode: int, payload: bytes) -> bytes:
    """One final, unmasked frame."""
    return _head(opcode, len(payload), 0) + payload


def client_frame(opcode: int, payload: bytes, mask: bytes = b"\x00\x00\x00\x00") -> bytes:
    """One final, masked frame. The default mask leaves the payload readable: for tests and load only."""
    masked = bytes(byte ^ mask[i & 3] for i, byte in enumerate(payload)) if any(mask) else payload
    return _head(opcode, len(payload), _MASKED) + mask + masked
