"""What an attacker, or a visitor, says: frames and requests, as they are on the wire."""

from collections.abc import Sequence
from typing import Any, Final

from bench.load.client import upgrade_request
from rhythm_protocol.control import SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON
from rhythm_protocol.websocket import BINARY, client_frame
from rhythmd.client.codec import encode_binary

__all__ = [
    "API",
    "BIN",
    "CLOSE",
    "CONTINUATION",
    "CROWD",
    "JSON",
    "JSON_BODY",
    "MASK",
    "PING",
    "PONG",
    "bearer",
    "message",
    "part",
    "request",
    "upgrade",
]

API: Final = "/api/v1"
BIN: Final = SUBPROTOCOL_BINARY
JSON: Final = SUBPROTOCOL_JSON
JSON_BODY: Final = ("Content-Type", "application/json")
MASK: Final = b"\x17\x2b\x3d\x5e"
CONTINUATION: Final = 0x0
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA
CROWD: Final[dict[str, Any]] = {"max_players": 50}
"""Settings of a room for all of an attacker's sockets."""
_FIN: Final = 0x80


def message(type_: str, data: dict[str, Any], id_: int | None = None) -> bytes:
    """A frame with a control message of `rhythm.v1`."""
    return client_frame(BINARY, encode_binary(type_, data, id_), MASK)


def part(opcode: int, payload: bytes, *, is_final: bool) -> bytes:
    """One frame of a message that may go on."""
    frame = bytearray(client_frame(opcode, payload, MASK))
    if not is_final:
        frame[0] &= ~_FIN
    return bytes(frame)


def request(method: str, path: str, body: bytes = b"", headers: Sequence[tuple[str, str]] = ()) -> bytes:
    """An HTTP request with its body."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers)]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def bearer(token: str) -> tuple[str, str]:
    """The header of a login."""
    return "Authorization", f"Bearer {token}"


def upgrade(target: str = "/ws", protocol: str = BIN, token: str | None = None) -> bytes:
    """A WebSocket's opening handshake, with an access token if there is one."""
    return upgrade_request("127.0.0.1", target, protocol, token)
