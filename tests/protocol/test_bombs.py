"""Small messages that would cost much: lists that claim to be longer than they are, and very many values."""

import tracemalloc
from collections.abc import Iterator
from typing import Any

import msgpack
import pytest
from msgspec import inspect

from rhythm_protocol import control
from rhythm_protocol.errors import ErrorCode, InvalidMessage, MalformedMessage
from rhythm_protocol.messages import CLIENT_MESSAGES

NESTED = b"\xdc\xff\x00" * 300 + b"\x01" * 5_000
COUNTED_ELSEWHERE = {"midi-event.events"}  # by its own bound, for both encodings at once
CLAIMS = {
    "content": b"\x82\xa4type\xacchat-message\xa4data\x81\xa7content" + NESTED,
    "unknown field": b"\x82\xa4type\xacchat-message\xa4data\x82\xa7content\x01\xa1x" + NESTED,
    "id": b"\x83\xa4type\xacchat-message\xa4data\x80\xa2id" + NESTED,
    "events": b"\x82\xa4type\xaamidi-event\xa4data\x82\xa4time\x01\xa6events\xdd\x7f\xff\xff\xff",
}


def parse(message: control.Envelope) -> object:
    return control.parse_client(message)


@pytest.mark.parametrize("payload", CLAIMS.values(), ids=CLAIMS)
def test_no_room_is_made_for_what_a_list_claims(payload: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises((MalformedMessage, InvalidMessage)):
            parse(control.decode_binary(b"\x10" + payload))
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("value", [[]] * 2 + [[[]] * 300, [1] * 500, [{}] * 300, [""] * 500], ids=str)
def test_field_of_a_wrong_type_is_not_read_with_patience_when_it_is_large(value: list[Any]) -> None:
    data = {"content": value}
    for decoded in (
        control.decode_binary(b"\x10" + msgpack.packb({"type": "chat-message", "data": data})),
        control.decode_text(control.encode_text("chat-message", data)),
    ):
        with pytest.raises(MalformedMessage if value else InvalidMessage):
            parse(decoded)


def test_id_that_is_no_number_is_not_read() -> None:
    payload = msgpack.packb({"type": "leave-room", "data": {}, "id": [{}] * 1_000})
    with pytest.raises(MalformedMessage, match="id"):
        control.decode_binary(b"\x10" + payload)


def test_long_notes_are_read_in_one_pass_and_nothing_else_is() -> None:
    events = [[0, 144, 60, 100]] * 4_000
    text = control.encode_text("midi-event", {"time": 5, "events": events}, 9).decode()
    message, id_ = control.decode_long_text(text)
    assert (len(message.events), message.time, id_) == (4_000, 5, 9)
    for other in (
        text.replace("midi-event", "chat-message"),
        text.replace('"time":5', '"time":5.0'),
        text[:-1],
        text.replace('"time":5', '"time":5,"x":[]'),
    ):
        with pytest.raises(MalformedMessage) as caught:
            control.decode_long_text(other)
        assert caught.value.code is ErrorCode.TOO_LARGE


def unbounded(kind: inspect.Type, path: str) -> Iterator[str]:
    """Where in a type there is a text or a list without a longest length."""
    if isinstance(kind, inspect.Metadata):
        yield from unbounded(kind.type, path)
    elif isinstance(kind, inspect.StructType):
        for field in kind.fields:
            yield from unbounded(field.type, f"{path}.{field.encode_name}")
    elif isinstance(kind, inspect.UnionType):
        for one in kind.types:
            yield from unbounded(one, path)
    elif isinstance(kind, inspect.StrType | inspect.BytesType | inspect.CollectionType | inspect.DictType):
        if kind.max_length is None:
            yield path
    else:
        assert isinstance(
            kind,
            inspect.BoolType
            | inspect.IntType
            | inspect.FloatType
            | inspect.NoneType
            | inspect.EnumType
            | inspect.LiteralType,
        ), path


@pytest.mark.parametrize("type_", CLIENT_MESSAGES)
def test_texts_and_lists_of_clients_have_a_longest_length(type_: str) -> None:
    found = set(unbounded(inspect.type_info(CLIENT_MESSAGES[type_].data), type_))
    assert found <= COUNTED_ELSEWHERE
