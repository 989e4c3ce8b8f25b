"""Control messages as this side reads and writes them: by msgpack and orjson, not by the server's msgspec.

The client, the bench and the tests use these functions, which do what those of `rhythm_protocol.control` do. So a
mistake in the reading or writing of one side is one that the other side does not share, and sees. Nothing here is in a
hurry: a message becomes a tree of Python's own values first, with all that stands in it.
"""

from typing import Any, Final

import msgpack
import msgspec
import orjson

from rhythm_protocol.binary import OP_CONTROL
from rhythm_protocol.errors import ErrorCode, InvalidMessage, MalformedMessage
from rhythm_protocol.explain import explain
from rhythm_protocol.messages import CLIENT_MESSAGES, SERVER_MESSAGES, ClientMessage, ServerMessage
from rhythm_protocol.values import FORMS, U53

__all__ = [
    "Envelope",
    "decode_binary",
    "decode_text",
    "encode_binary",
    "encode_text",
    "parse_client",
    "parse_server",
]

_CONTROL: Final = bytes((OP_CONTROL,))


class Envelope(msgspec.Struct, frozen=True):
    """A control message whose fields in `data` have not been looked at yet."""

    type: str
    data: dict[str, Any] = msgspec.field(default_factory=dict)
    id: U53 | None = None


def _envelope(value: object) -> Envelope:
    if not isinstance(value, dict):
        raise MalformedMessage("a control message is a map with type, data and, optionally, id")
    try:
        return msgspec.convert(value, Envelope)
    except msgspec.ValidationError as error:
        raise MalformedMessage(str(error)) from None


def _no_extension(code: int, _data: bytes) -> object:
    raise MalformedMessage(f"msgpack extension type {code} is not used here")


def decode_binary(payload: bytes) -> Envelope:
    """The envelope in a binary message that starts with `0x10`. Raises MalformedMessage."""
    if payload[:1] != _CONTROL:
        raise MalformedMessage(f"expected opcode {OP_CONTROL:#04x}, got {payload[:1].hex() or 'nothing'}")
    try:
        value = msgpack.unpackb(payload[1:], ext_hook=_no_extension, timestamp=0)
    except MalformedMessage:
        raise
    except (ValueError, RecursionError, OverflowError) as error:
        # msgpack derives its own errors from ValueError, invalid UTF-8 and unhashable keys included.
        raise MalformedMessage(f"not msgpack: {type(error).__name__}") from None
    except TypeError:
        raise MalformedMessage("not msgpack: a map's key is no string") from None
    return _envelope(value)


def decode_text(payload: str | bytes) -> Envelope:
    """The envelope in a text message. Raises MalformedMessage."""
    try:
        value = orjson.loads(payload)
    except orjson.JSONDecodeError:
        raise MalformedMessage("not JSON") from None
    return _envelope(value)


def _parse(envelope: Envelope, row: ClientMessage | ServerMessage | None) -> Any:
    if row is None:
        raise MalformedMessage(f"unknown type {envelope.type[:64]!r}", ErrorCode.UNKNOWN_TYPE)
    try:
        return msgspec.convert(envelope.data, row.data)
    except msgspec.ValidationError as error:
        raise InvalidMessage(*explain(error, FORMS)) from None


def parse_client(envelope: Envelope) -> Any:
    """The struct of a client's message. Raises MalformedMessage (`unknown-type`) or InvalidMessage."""
    return _parse(envelope, CLIENT_MESSAGES.get(envelope.type))


def parse_server(envelope: Envelope) -> Any:
    """The struct of a server's message; an `ack`'s data stays a dict. Raises like `parse_client`."""
    return _parse(envelope, SERVER_MESSAGES.get(envelope.type))


def _build(type_: str, data: object, id_: int | None) -> dict[str, Any]:
    envelope: dict[str, Any] = {"type": type_, "data": msgspec.to_builtins(data)}
    if id_ is not None:
        envelope["id"] = id_
    return envelope


def encode_binary(type_: str, data: object, id_: int | None = None) -> bytes:
    """The binary message for a struct or map `data`."""
    packed: bytes = msgpack.packb(_build(type_, data, id_))
    return _CONTROL + packed


def encode_text(type_: str, data: object, id_: int | None = None) -> bytes:
    """The text message (UTF-8) for a struct or map `data`."""
    return orjson.dumps(_build(type_, data, id_))
