"""Control messages on the wire: one map `{"type": str, "data": map, "id": int (optional)}`.

`rhythm.v1` sends it as `0x10` and msgpack in a binary message, `rhythm.v1.json` as JSON in a text message.

Decoding has two steps, so that a refusal can carry the message's `id`: the envelope first, its `data` second. Each is
one pass of msgspec that makes the typed value straight from the bytes. A field that nobody knows is skipped: it must be
well-formed, but nothing is made of it. What that pass refuses is read once more with patience: there 2.0 is the integer
2, since some clients have only one kind of number.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Raw, Struct, ValidationError, json, msgpack

from rhythm_protocol.binary import OP_CONTROL
from rhythm_protocol.errors import ErrorCode, InvalidMessage, MalformedMessage
from rhythm_protocol.explain import explain
from rhythm_protocol.messages import CLIENT_MESSAGES, SERVER_MESSAGES, ClientMessage, MidiInput, ServerMessage
from rhythm_protocol.numbers import whole_numbers
from rhythm_protocol.skipped import Most, check_json, check_json_values, check_msgpack, check_msgpack_values
from rhythm_protocol.values import FORMS, U53

__all__ = [
    "SUBPROTOCOL_BINARY",
    "SUBPROTOCOL_JSON",
    "BinaryEnvelope",
    "Envelope",
    "TextEnvelope",
    "as_binary",
    "as_text",
    "decode_binary",
    "decode_long_text",
    "decode_text",
    "encode_binary",
    "encode_text",
    "parse_client",
    "parse_server",
]

SUBPROTOCOL_BINARY: Final = "rhythm.v1"
SUBPROTOCOL_JSON: Final = "rhythm.v1.json"

_CONTROL: Final = bytes((OP_CONTROL,))
_FEW: Final = Most(containers=64, values=200)
_NOTES: Final = Most(containers=1_000, values=5_000)
_ID_BYTES: Final = 24
"""Of any number that can be an `id`."""
_ESCAPES: Final = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
    rb"|\\.",
    re.DOTALL,
)


class Envelope(Struct, frozen=True):
    """A control message whose `data` is still as it came: a `BinaryEnvelope` or a `TextEnvelope`."""

    type: str
    data: Raw
    id: U53 | None = None

    def fields(self) -> dict[str, Any]:
        """All that stands in `data`, known or not. Raises MalformedMessage, also when it is no map."""
        codec = _CODECS[type(self)]
        try:
            return codec.fields(self.data)
        except (ValueError, RecursionError) as error:
            raise codec.malformed(error) from None


class BinaryEnvelope(Envelope, frozen=True):
    """A control message of `rhythm.v1`."""

    data: Raw = Raw(msgpack.encode({}))


class TextEnvelope(Envelope, frozen=True):
    """A control message of `rhythm.v1.json`."""

    data: Raw = Raw(json.encode({}))


class _Outgoing(Struct, omit_defaults=True):
    """The envelope of a message that is sent: `data` is encoded in the same pass, whatever struct or map it is."""

    type: str
    data: object
    id: int | None = None


class _Codec(NamedTuple):
    """The decoders of one encoding, made once, and its encoder.

    Args:
        name: of the encoding.
        envelope: reads a whole message.
        anything: reads a value, whatever it is.
        entries: reads a map and leaves the values as they came.
        fields: reads a map and all that is in it.
        client: by the type of a client's message, what reads its `data`.
        server: by the type of a server's message, what reads its `data`.
        encode: writes a struct or a map.
        check_values: raises MalformedMessage where `fields` would cost too much.
        without_halves: replaces halves of surrogate pairs, for which msgspec reads nothing of a message.
    """

    name: str
    envelope: Callable[[bytes], Envelope]
    anything: Callable[[Raw], Any]
    entries: Callable[[bytes], dict[str, Raw]]
    fields: Callable[[Raw], dict[str, Any]]
    client: dict[str, Callable[[Raw], Any]]
    server: dict[str, Callable[[Raw], Any]]
    encode: Callable[[object], bytes]
    check_values: Callable[[bytes, Most], None]
    without_halves: Callable[[bytes], bytes]

    def read(self, message: bytes) -> Envelope:
        """The envelope of a whole message. Raises MalformedMessage."""
        try:
            return self.envelope(message)
        except ValidationError:
            return self._read_last(message)
        except (ValueError, RecursionError) as error:
            raise self.malformed(error, self._id_in(self.without_halves(message))) from None

    def _id_in(self, message: bytes) -> int | None:
        """The `id` of a message that cannot be read for another reason, if it has one."""
        try:
            return _as_id(self._last_id(self.entries(message)))
        except (ValueError, RecursionError):
            return None

    def _last_id(self, entries: dict[str, Raw]) -> object:
        """What stands there as `id`, if that is not too long for one."""
        if "id" not in entries or len(entries["id"]) > _ID_BYTES:
            return None
        return whole_numbers(self.anything(entries["id"]))

    def _read_last(self, message: bytes) -> Envelope:
        """The same, where msgspec has refused a value: of a key that stands there twice only the last one counts, and
        an `id` may be a float. What is raised has the `id`, if that is one.
        """
        id_ = None
        try:
            last = self.entries(message)
            kept: dict[str, object] = {name: last[name] for name in Envelope.__struct_fields__ if name in last}
            if "id" in last and len(last["id"]) <= _ID_BYTES:
                kept["id"] = self._last_id(last)
                id_ = _as_id(kept["id"])
            return self.envelope(self.encode(kept))
        except (ValueError, RecursionError) as error:
            raise self.malformed(error, id_) from None

    def malformed(self, error: Exception, id_: int | None = None) -> MalformedMessage:
        """What to say of bytes that msgspec cannot read; it raises a RecursionError or some kind of ValueError."""
        if isinstance(error, ValidationError):
            return MalformedMessage(str(error), id_=id_)
        if isinstance(error, RecursionError):
            return MalformedMessage("nested too deep", id_=id_)
        return MalformedMessage(f"not {self.name}", id_=id_)


def _as_id(value: object) -> int | None:
    """The value, if it can be the `id` of a message."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None


_Decoder = type[json.Decoder[Any]] | type[msgpack.Decoder[Any]]


def _codec(
    name: str,
    envelope: type[Envelope],
    decoder: _Decoder,
    encode: Callable[[object], bytes],
    check_values: Callable[[bytes, Most], None],
    without_halves: Callable[[bytes], bytes],
) -> _Codec:
    def readers(table: Mapping[str, ClientMessage | ServerMessage]) -> dict[str, Callable[[Raw], Any]]:
        return {type_: decoder(row.data).decode for type_, row in table.items()}

    return _Codec(
        name,
        envelope=decoder(envelope).decode,
        anything=decoder(Any).decode,
        entries=decoder(dict[str, Raw]).decode,
        fields=decoder(dict[str, Any]).decode,
        client=readers(CLIENT_MESSAGES),
        server=readers(SERVER_MESSAGES),
        encode=encode,
        check_values=check_values,
        without_halves=without_halves,
    )


def _without_halves(message: bytes) -> bytes:
    """JSON with U+FFFD for each half of a surrogate pair that is escaped alone (RFC 8259, 8.2)."""
    return _ESCAPES.sub(lambda found: found[0] if found["half"] is None else b"\\ufffd", message)


_MSGPACK: Final = _codec(
    "msgpack", BinaryEnvelope, msgpack.Decoder, msgpack.Encoder().encode, check_msgpack_values, bytes
)
_JSON: Final = _codec("JSON", TextEnvelope, json.Decoder, json.Encoder().encode, check_json_values, _without_halves)
_CODECS: Final[dict[type[Envelope], _Codec]] = {BinaryEnvelope: _MSGPACK, TextEnvelope: _JSON}


def decode_binary(payload: bytes) -> Envelope:
    """The envelope in a binary message that starts with `0x10`. Raises MalformedMessage."""
    if payload[:1] != _CONTROL:
        raise MalformedMessage(f"expected opcode {OP_CONTROL:#04x}, got {payload[:1].hex() or 'nothing'}")
    body = payload[1:]
    envelope = _MSGPACK.read(body)
    _check_skipped(check_msgpack, body, envelope)
    return envelope


def decode_text(payload: str | bytes) -> Envelope:
    """The envelope in a text message. Raises MalformedMessage."""
    try:
        body = (payload if isinstance(payload, str) else payload.decode()).encode()
    except UnicodeError:
        raise MalformedMessage("not UTF-8") from None
    envelope = _JSON.read(body)
    _check_skipped(check_json, body, envelope)
    return envelope


class _LongNotes(MidiInput, frozen=True, forbid_unknown_fields=True):
    """The data of a `midi-event`, and nothing else."""


class _LongText(Struct, frozen=True, tag_field="type", tag="midi-event", forbid_unknown_fields=True):
    """A whole `midi-event`."""

    data: _LongNotes
    id: U53 | None = None


_LONG_TEXT: Final = json.Decoder(_LongText)


def decode_long_text(payload: str) -> tuple[MidiInput, int | None]:
    """The data and the `id` of a `midi-event` that is longer than any other message may be.

    It is read in one typed pass, which makes nothing but its events. So it may have no fields that nobody knows, and
    its numbers no fractions. Raises MalformedMessage (`too-large`), for whatever else it is.
    """
    try:
        message = _LONG_TEXT.decode(payload)
    except (ValueError, RecursionError):
        raise MalformedMessage("only well-formed notes may be as long", ErrorCode.TOO_LARGE) from None
    return message.data, message.id


def _check_skipped(check: Callable[[bytes], None], body: bytes, envelope: Envelope) -> None:
    try:
        check(body)
    except MalformedMessage as error:
        raise MalformedMessage(error.message, error.code, envelope.id) from None


def _parse(
    envelope: Envelope, read: Callable[[Raw], Any] | None, table: Mapping[str, ClientMessage | ServerMessage]
) -> Any:
    if read is None:
        raise MalformedMessage(f"unknown type {envelope.type[:64]!r}", ErrorCode.UNKNOWN_TYPE)
    try:
        return read(envelope.data)
    except (ValueError, RecursionError):
        if table is CLIENT_MESSAGES:  # a server's may be large, and is not its client's enemy
            most = _NOTES if envelope.type == "midi-event" else _FEW
            _CODECS[type(envelope)].check_values(bytes(envelope.data), most)
        return _parse_whole(envelope, table[envelope.type].data)


def _parse_whole(envelope: Envelope, struct: type[Any]) -> Any:
    """What `data` is when a typed pass has refused it. It is read as a map of anything first: what is not even that is
    malformed, and of a key that stands there twice only the last value has to be right.
    """
    fields = envelope.fields()
    try:
        return msgspec.convert(whole_numbers(fields), struct)
    except ValidationError as error:
        raise InvalidMessage(*explain(error, FORMS)) from None
    except RecursionError as error:
        raise _CODECS[type(envelope)].malformed(error) from None


def parse_client(envelope: Envelope) -> Any:
    """The struct of a client's message.

    Raises:
        MalformedMessage: the type is unknown (`unknown-type`), or `data` is no map of strings to values.
        InvalidMessage: a field is missing or not what it must be (`invalid-field`, with the field's name).
    """
    return _parse(envelope, _CODECS[type(envelope)].client.get(envelope.type), CLIENT_MESSAGES)


def parse_server(envelope: Envelope) -> Any:
    """The struct of a server's message; an `ack`'s data stays a dict. Raises like `parse_client`."""
    return _parse(envelope, _CODECS[type(envelope)].server.get(envelope.type), SERVER_MESSAGES)


def encode_binary(type_: str, data: object, id_: int | None = None) -> bytes:
    """The binary message for a struct or map `data`."""
    return _CONTROL + _MSGPACK.encode(_Outgoing(type_, data, id_))


def encode_text(type_: str, data: object, id_: int | None = None) -> bytes:
    """The text message (UTF-8) for a struct or map `data`."""
    return _JSON.encode(_Outgoing(type_, data, id_))


def as_text(message: bytes) -> bytes:
    """The text message (UTF-8) that says the same as a binary message of this side's."""
    return _JSON.encode(_MSGPACK.anything(Raw(message[len(_CONTROL) :])))


def as_binary(message: bytes) -> bytes:
    """The binary message that says the same as a text message of this side's."""
    return _CONTROL + _MSGPACK.encode(_JSON.anything(Raw(message)))
