"""What the typed pass over a control message must not lose: the id of a refusal, depth, and memory for the unknown."""

import tracemalloc
from collections.abc import Callable

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhythm_protocol import control
from rhythm_protocol.control import Envelope
from rhythm_protocol.errors import ErrorCode, InvalidMessage, MalformedMessage
from rhythm_protocol.messages import ChatMessage, LeaveRoom
from rhythm_protocol.skipped import check_json, check_msgpack
from tests.protocol.codecs import SUBPROTOCOLS, decode_control, encode_control
from tests.protocol.generated import trees
from tests.protocol.vectors import Subprotocol

LONGEST = 65_536
IN_ALL = pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)


def deep(levels: int, innermost: object = 0) -> object:
    tree = innermost
    for _ in range(levels):
        tree = [tree]
    return tree


# Refusals


@IN_ALL
def test_refusal_of_data_leaves_the_id_to_answer_with(subprotocol: Subprotocol) -> None:
    envelope = decode_control(subprotocol, encode_control(subprotocol, "chat-message", {"content": 7}, 42))
    with pytest.raises(InvalidMessage) as caught:
        control.parse_client(envelope)
    assert (envelope.id, caught.value.field) == (42, "content")


@pytest.mark.parametrize(
    "payload",
    [
        msgpack.packb({"type": "leave-room", "data": [], "id": 42}),
        msgpack.packb({"type": "leave-room", "data": {b"x": 1}, "id": 42}),
        msgpack.packb({"type": "chat-message", "data": {"content": "x"}, "id": 42}).replace(b"\xa1x", b"\xa1\xff"),
    ],
    ids=["no map", "a key that is no string", "a string that is not UTF-8"],
)
def test_malformed_data_leaves_the_id_to_answer_with(payload: bytes) -> None:
    envelope = control.decode_binary(b"\x10" + payload)
    with pytest.raises(MalformedMessage) as caught:
        control.parse_client(envelope)
    assert (envelope.id, caught.value.code) == (42, ErrorCode.MALFORMED_MESSAGE)


def test_tempo_that_is_not_a_number_is_refused() -> None:
    message = control.encode_binary("metronome", {"running": True, "bpm": float("nan")})
    with pytest.raises(InvalidMessage, match="20"):
        control.parse_client(control.decode_binary(message))


@pytest.mark.parametrize(
    ("text", "id_"),
    [
        (r'{"type":"chat-message","data":{"content":"\ud800"},"id":3}', 3),
        (r'{"type":"chat-message","data":{"content":"\\\ud83d\ude00\udc00"},"id":3.0}', 3),
        (r'{"id":3,"type":"typing","data":{"typing":true},"unknown":"\uDBFF\u0041"}', 3),
        (r'{"id":3,"type":"typing","data":{"\udfff":1}}', 3),
        (r'{"id":3,"type":"leave\ud800","id":4}', 4),
        (r'{"id":"\ud800","type":"leave-room"}', None),
        (r'{"id":3,"type":"\ud800"', None),
    ],
)
def test_half_a_surrogate_pair_is_malformed_and_its_refusal_has_the_id(text: str, id_: int | None) -> None:
    with pytest.raises(MalformedMessage) as caught:
        control.decode_text(text)
    assert caught.value.id == id_


def test_text_that_is_no_utf8_is_malformed_and_its_refusal_has_the_id() -> None:
    with pytest.raises(MalformedMessage) as caught:
        control.decode_binary(b"\x10\x82\xa4type\xa1\xff\xa2id\x07")
    assert caught.value.id == 7


@pytest.mark.parametrize("text", ['{"type":"\ud800"}', b'{"type":"leave-room","data":{"x":"\xff"}}'])
def test_decode_text_what_is_not_utf8_is_refused(text: str | bytes) -> None:
    with pytest.raises(MalformedMessage):
        control.decode_text(text)


# Fields that nobody knows


@pytest.mark.parametrize("value", ["x" * 60_000, [0] * 30_000, ["x"] * 15_000, {f"k{n}": n for n in range(3_000)}])
@IN_ALL
def test_unknown_field_takes_no_memory(subprotocol: Subprotocol, value: object) -> None:
    payload = encode_control(subprotocol, "chat-message", {"content": "Good evening", "unknown": value}, 1)
    assert len(payload) < LONGEST
    tracemalloc.start()
    message = control.parse_client(decode_control(subprotocol, payload))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert message == ChatMessage("Good evening")
    assert peak < 4 * LONGEST  # copies of the bytes, and no values


def test_unknown_field_is_not_looked_into() -> None:
    """Its form is checked, not whether its strings are UTF-8 and the keys in it strings: nobody reads them."""
    unknown = b"\x82\xa1x\xa2\xc3\x28\xa1y\x81\x07\x01"
    envelope = control.decode_binary(b"\x10\x82\xa4type\xaaleave-room\xa4data" + unknown)
    assert control.parse_client(envelope) == LeaveRoom()


# Depth


def from_a_deep_stack(frames: int, decode: Callable[[], Envelope]) -> Envelope:
    return decode() if frames == 0 else from_a_deep_stack(frames - 1, decode)


@IN_ALL
def test_nesting_of_500_is_read_from_a_deep_stack(subprotocol: Subprotocol) -> None:
    payload = encode_control(subprotocol, "leave-room", {"x": deep(500)}, None)
    assert control.parse_client(from_a_deep_stack(300, lambda: decode_control(subprotocol, payload))) == LeaveRoom()


@pytest.mark.parametrize("levels", [1_001, 5_000, 60_000])
def test_nesting_of_more_than_1000_is_refused(levels: int) -> None:
    with pytest.raises(MalformedMessage):
        control.decode_binary(b"\x10\x82\xa4type\xaaleave-room\xa4data\x81\xa1x" + b"\x91" * levels + b"\xc0")
    with pytest.raises(MalformedMessage):
        control.decode_text('{"type":"leave-room","data":{"x":' + "[" * levels + "]" * levels + "}}")


@pytest.mark.parametrize(
    "value",
    [deep(800), [[]] * 5_000, [{"x": [0]}] * 2_000, {f"[{{{n}": ']\\"[{' for n in range(1_500)}],
    ids=["800 deep", "many lists", "many maps in lists", "brackets in strings"],
)
def test_checks_let_wide_and_deep_values_pass(value: object) -> None:
    check_msgpack(control.encode_binary("leave-room", {"x": value})[1:])
    check_json(control.encode_text("leave-room", {"x": value}))


@pytest.mark.parametrize("left_open", ['"]]', '"\\"]'])
def test_check_json_counts_no_brackets_in_strings(left_open: str) -> None:
    text = "[" + f'{left_open}",' * 2_000 + "[" * 1_000 + "]" * 1_000 + "]"
    with pytest.raises(MalformedMessage):
        check_json(text.encode())


@pytest.mark.parametrize("heads", [b"\x91", b"\xdc\x00\x01", b"\xdd\x00\x00\x00\x01", b"\x81\xa0", b"\xde\x00\x01\xa0"])
def test_check_msgpack_counts_lists_and_maps_of_every_form(heads: bytes) -> None:
    check_msgpack(heads * 1_000 + b"\xc0")
    with pytest.raises(MalformedMessage):
        check_msgpack(heads * 1_001 + b"\xc0")


# Extension types


def has_extension(tree: object) -> bool:
    match tree:
        case msgpack.ExtType():
            return True
        case list():
            return any(map(has_extension, tree))
        case dict():
            return any(map(has_extension, tree.values()))
        case _:
            return False


extensions = st.builds(msgpack.ExtType, st.integers(0, 127), st.binary(max_size=300))
values = st.recursive(
    trees | st.binary(max_size=300) | st.integers(-(2**63), 2**64 - 1) | extensions,
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=40), inner, max_size=20),
    max_leaves=30,
)


@given(values)
def test_check_msgpack_finds_an_extension_type_wherever_it_is(tree: object) -> None:
    packed = msgpack.packb(tree)
    if has_extension(tree):
        with pytest.raises(MalformedMessage):
            check_msgpack(packed)
    else:
        check_msgpack(packed)
