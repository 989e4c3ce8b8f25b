"""Every codec against every golden vector."""

import msgspec
import pytest

from rhythm_protocol.control import Envelope, as_binary, as_text
from rhythm_protocol.errors import MalformedMessage, ProtocolError
from rhythm_protocol.messages import CLIENT_MESSAGES, SERVER_MESSAGES, JoinAck, Message, ResumeAck
from tests.protocol.codecs import (
    FAST_DECODERS,
    FAST_ENCODERS,
    check_control,
    decode_control,
    encode_control,
)
from tests.protocol.vectors import FastLayout, Refusal, Subprotocol, Vector, load, title

FAST_LAYOUTS: tuple[FastLayout, ...] = ("midi", "clock", "cursor")
FAST = [(layout, vector) for layout in FAST_LAYOUTS for vector in load(layout)]
CONTROL = load("control")


def fast_id(value: FastLayout | Vector) -> str:
    return value if isinstance(value, str) else title(value)


def refusal(error: ProtocolError) -> Refusal:
    return Refusal(error.code.value, error.field)


def as_map(envelope: Envelope) -> dict[str, object]:
    fields: dict[str, object] = {"type": envelope.type, "data": envelope.fields()}
    return fields if envelope.id is None else fields | {"id": envelope.id}


def plain(value: object) -> object:
    """`value` as a reader of its JSON sees it."""
    return msgspec.json.decode(msgspec.json.encode(value))


@pytest.mark.parametrize(("layout", "vector"), FAST, ids=fast_id)
def test_fast_layout_decodes_or_refuses(layout: FastLayout, vector: Vector) -> None:
    decode = FAST_DECODERS[layout, vector.direction]
    if vector.error is None:
        assert decode(vector.payload) == vector.value
    else:
        with pytest.raises(ProtocolError) as caught:
            decode(vector.payload)
        assert refusal(caught.value) == vector.error


@pytest.mark.parametrize(("layout", "vector"), [row for row in FAST if row[1].canonical], ids=fast_id)
def test_fast_layout_encodes_to_the_golden_bytes(layout: FastLayout, vector: Vector) -> None:
    assert FAST_ENCODERS[layout, vector.direction](vector.value) == vector.payload


@pytest.mark.parametrize("vector", [v for v in CONTROL if not v.decodes], ids=title)
def test_control_malformed_is_refused(vector: Vector) -> None:
    with pytest.raises(MalformedMessage) as caught:
        check_control(vector.direction, decode_control(vector.subprotocol, vector.payload))
    assert refusal(caught.value) == vector.error


@pytest.mark.parametrize("vector", [v for v in CONTROL if v.decodes], ids=title)
def test_control_decodes_to_its_envelope(vector: Vector) -> None:
    assert as_map(decode_control(vector.subprotocol, vector.payload)) == vector.value


@pytest.mark.parametrize("vector", [v for v in CONTROL if v.decodes and v.error is None], ids=title)
def test_control_data_is_accepted(vector: Vector) -> None:
    envelope = decode_control(vector.subprotocol, vector.payload)
    expected = envelope.fields() if isinstance(vector.message, msgspec.UnsetType) else vector.message
    assert plain(check_control(vector.direction, envelope)) == expected


@pytest.mark.parametrize("vector", [v for v in CONTROL if v.decodes and v.error], ids=title)
def test_control_data_is_refused_with_code_and_field(vector: Vector) -> None:
    envelope = decode_control(vector.subprotocol, vector.payload)
    with pytest.raises(ProtocolError) as caught:
        check_control(vector.direction, envelope)
    assert refusal(caught.value) == vector.error


@pytest.mark.parametrize("vector", [v for v in CONTROL if v.canonical], ids=title)
def test_control_map_encodes_to_the_golden_bytes(vector: Vector) -> None:
    envelope = decode_control(vector.subprotocol, vector.payload)
    encoded = encode_control(vector.subprotocol, envelope.type, envelope.fields(), envelope.id)
    assert encoded == vector.payload


@pytest.mark.parametrize("vector", [v for v in CONTROL if v.canonical and v.message is msgspec.UNSET], ids=title)
def test_control_struct_encodes_to_the_golden_bytes(vector: Vector) -> None:
    envelope = decode_control(vector.subprotocol, vector.payload)
    struct = check_control(vector.direction, envelope)
    assert encode_control(vector.subprotocol, envelope.type, struct, envelope.id) == vector.payload


@pytest.mark.parametrize("vector", [v for v in CONTROL if v.canonical and v.direction == "server"], ids=title)
def test_server_message_says_the_same_in_the_other_encoding(vector: Vector) -> None:
    translate, back = (as_text, as_binary) if vector.subprotocol == "rhythm.v1" else (as_binary, as_text)
    other = translate(vector.payload)
    assert back(other) == vector.payload
    envelope = decode_control(vector.subprotocol, vector.payload)
    other_name: Subprotocol = "rhythm.v1.json" if vector.subprotocol == "rhythm.v1" else "rhythm.v1"
    assert other == encode_control(other_name, envelope.type, envelope.fields(), envelope.id)


@pytest.mark.parametrize(("name", "struct"), [("ack of a join", JoinAck), ("ack of a resume", ResumeAck)])
def test_ack_with_data_is_typed(name: str, struct: type[Message]) -> None:
    vectors = [vector for vector in CONTROL if vector.name.startswith(name)]
    assert len(vectors) >= 4
    for vector in vectors:
        data = decode_control(vector.subprotocol, vector.payload).fields()
        assert plain(msgspec.convert(data, struct)) == data, title(vector)


@pytest.mark.parametrize("direction", ["client", "server"])
def test_every_message_type_has_an_accepted_vector(direction: str) -> None:
    table = CLIENT_MESSAGES if direction == "client" else SERVER_MESSAGES
    good = [v for v in CONTROL if v.direction == direction and v.decodes and v.error is None]
    assert {decode_control(v.subprotocol, v.payload).type for v in good} == set(table)
