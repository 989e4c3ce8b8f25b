"""Whatever the bytes, a decoder returns a value or raises ProtocolError, and never takes half a message."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgpack
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rhythm_protocol import binary
from rhythm_protocol.errors import MalformedMessage, ProtocolError
from rhythm_protocol.messages import CLIENT_MESSAGES, SERVER_MESSAGES
from rhythm_protocol.midi import EVENT_SIZE
from tests.protocol.codecs import FAST_DECODERS, SUBPROTOCOLS, carry, check_control, decode_control
from tests.protocol.generated import data_of, trees
from tests.protocol.vectors import Direction, FastLayout, Subprotocol, Vector, load, title

Decoder = Callable[[bytes], object]


def control_decoder(subprotocol: Subprotocol, direction: Direction) -> Decoder:
    return lambda payload: check_control(direction, decode_control(subprotocol, payload))


DECODERS: dict[str, Decoder] = {
    **{f"{layout} {direction}": decode for (layout, direction), decode in FAST_DECODERS.items()},
    "msgpack client": control_decoder("rhythm.v1", "client"),
    "msgpack server": control_decoder("rhythm.v1", "server"),
    "JSON client": control_decoder("rhythm.v1.json", "client"),
    "JSON server": control_decoder("rhythm.v1.json", "server"),
}
OPCODES = (binary.OP_MIDI, binary.OP_CLOCK, binary.OP_CURSOR, binary.OP_CONTROL)
LAYOUTS: tuple[FastLayout, ...] = ("midi", "clock", "cursor")
SHORT_CONTROL = [vector for vector in load("control") if len(vector.payload) < 300]
GOLDEN = [vector for layout in LAYOUTS for vector in load(layout)] + SHORT_CONTROL
WHOLE_FAST = [
    (FAST_DECODERS[layout, vector.direction], layout, vector)
    for layout in LAYOUTS
    for vector in load(layout)
    if vector.decodes
]
WHOLE_CONTROL = [vector for vector in SHORT_CONTROL if vector.decodes]

TYPES: list[tuple[Direction, str, type[Any]]] = [
    *(("client", type_, row.data) for type_, row in CLIENT_MESSAGES.items()),
    *(("server", type_, row.data) for type_, row in SERVER_MESSAGES.items()),
]
STRUCTS = [struct for _, _, struct in TYPES if struct is not dict]
FIELDS = st.sampled_from(sorted({name for struct in STRUCTS for name in struct.__struct_fields__}))
ODD_NUMBERS = st.sampled_from([float("nan"), float("inf"), -0.0, 2**53, 2**64 - 1, -(2**63)])

any_bytes = st.binary(max_size=64) | st.builds(
    lambda opcode, rest: bytes((opcode,)) + rest, st.sampled_from(OPCODES), st.binary(max_size=64)
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A golden message with a few bytes replaced, put in or cut out."""
    payload = bytearray(draw(st.sampled_from(GOLDEN)).payload)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(payload)))
        stop = draw(st.integers(start, min(start + 3, len(payload))))
        payload[start:stop] = draw(st.binary(max_size=3))
    return bytes(payload)


def decode_or_refuse(decode: Decoder, payload: bytes) -> None:
    with suppress(ProtocolError):
        decode(payload)


def carry_or_refuse(direction: Direction, type_: str, data: object) -> None:
    for subprotocol in SUBPROTOCOLS:
        with suppress(ProtocolError):
            carry(subprotocol, direction, type_, data)


@pytest.mark.parametrize("name", DECODERS)
@given(payload=any_bytes)
def test_decoder_any_bytes_raise_only_protocol_error(name: str, payload: bytes) -> None:
    decode_or_refuse(DECODERS[name], payload)


@given(payload=damaged())
def test_decoder_damaged_message_raises_only_protocol_error(payload: bytes) -> None:
    for decode in DECODERS.values():
        decode_or_refuse(decode, payload)


@given(trees)
def test_decoder_any_tree_raises_only_protocol_error(tree: object) -> None:
    decode_or_refuse(DECODERS["msgpack client"], b"\x10" + msgpack.packb(tree))
    decode_or_refuse(DECODERS["JSON client"], orjson.dumps(tree))


@given(st.sampled_from([*CLIENT_MESSAGES, *SERVER_MESSAGES]), st.dictionaries(FIELDS, trees, max_size=4))
def test_check_any_data_raises_only_protocol_error(type_: str, data: dict[str, object]) -> None:
    carry_or_refuse("client", type_, data)
    carry_or_refuse("server", type_, data)


@pytest.mark.parametrize(("direction", "type_", "struct"), TYPES)
@settings(max_examples=40)
@given(values=st.data())
def test_check_data_with_one_wrong_value_raises_only_protocol_error(
    direction: Direction, type_: str, struct: type[Any], values: st.DataObject
) -> None:
    data = values.draw(data_of(struct))
    spoilt = values.draw(st.sampled_from(sorted(data)) if data else FIELDS)
    carry_or_refuse(direction, type_, data | {spoilt: values.draw(trees | ODD_NUMBERS)})


@pytest.mark.parametrize(("decode", "layout", "vector"), WHOLE_FAST)
def test_fast_layout_cut_anywhere_is_refused(decode: Decoder, layout: FastLayout, vector: Vector) -> None:
    """Only MIDI and cursors from the server may lose whole events or blocks and still be a message."""
    whole = len(vector.payload)
    for size in range(whole):
        try:
            decode(vector.payload[:size])
        except MalformedMessage:
            continue
        assert (layout, vector.direction) in {("midi", "client"), ("midi", "server"), ("cursor", "server")}
        assert whole - size >= EVENT_SIZE


@pytest.mark.parametrize(("decode", "layout", "vector"), WHOLE_FAST)
def test_fast_layout_trailing_bytes_are_refused(decode: Decoder, layout: FastLayout, vector: Vector) -> None:
    for size in range(1, 5):
        with pytest.raises(MalformedMessage):
            decode(vector.payload + bytes(size))


@pytest.mark.parametrize("vector", WHOLE_CONTROL, ids=title)
def test_control_cut_anywhere_is_refused(vector: Vector) -> None:
    for size in range(len(vector.payload.rstrip())):
        with pytest.raises(MalformedMessage):
            decode_control(vector.subprotocol, vector.payload[:size])


@pytest.mark.parametrize("vector", WHOLE_CONTROL, ids=title)
def test_control_trailing_bytes_are_refused(vector: Vector) -> None:
    for tail in b"\x00", b"\xc0", b"{}", b"]":
        with pytest.raises(MalformedMessage):
            decode_control(vector.subprotocol, vector.payload + tail)
