"""Numbers as clients write them that have one kind of number, and answers to messages of a wrong shape."""

import json
from typing import Any, Final

import msgpack
import pytest

from rhythm_protocol.control import SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON
from rhythm_protocol.messages import Error
from rhythmd.app import Server
from tests.client import Answer, Client, Connect

TWO: Final = {"room": "Salon", "create": True, "settings": {"max_players": 2.0}}
BOTH: Final = pytest.mark.parametrize("protocol", [SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON])


async def say(client: Client, message: object) -> None:
    """Send a message, whatever it is."""
    await client.send_raw(b"\x10" + msgpack.packb(message) if client.is_binary else json.dumps(message).encode())


async def answer_to(client: Client, message: object) -> Answer:
    await say(client, message)
    return await client.expect(Answer)


@BOTH
async def test_float_that_is_whole_is_the_integer(server: Server, connect: Connect, protocol: str) -> None:
    client = await connect(server, protocol)
    for number, message in enumerate(
        [
            {"type": "join-room", "data": TWO},
            {"type": "timing", "data": {"late_ms": 1e3}},
            {"type": "timing", "data": {"late_ms": -0.0}},
            {"type": "metronome", "data": {"running": True, "bpm": 92.0, "beats": 3.0, "unit": 8.0}},
            {"type": "room-update", "data": {"settings": {"max_players": 3.0, "playout_ms": 50.0}}},
            {"type": "midi-event", "data": {"time": 1.0, "events": [[0.0, 144.0, 60.0, 100.0], [5, 128, 60.0, 0]]}},
            {"type": "cursor", "data": {"x": 1.0, "y": 2.0}},
        ],
        1,
    ):
        answer = await answer_to(client, {**message, "id": float(number)})
        assert (answer.id, answer.error) == (number, None)
    assert (await answer_to(client, {"type": "clock", "data": {"value": 1764334306000.0}, "id": 9})).error is None


@BOTH
@pytest.mark.parametrize("value", [2.5, 1e300, -1.0, 1e19, True, "2"])
async def test_what_is_no_whole_number_is_refused(
    server: Server, connect: Connect, protocol: str, value: object
) -> None:
    client = await connect(server, protocol)
    answer = await answer_to(client, {"type": "timing", "data": {"late_ms": value}, "id": 7})
    assert answer.error is not None
    assert (answer.id, answer.error.code, answer.error.field) == (7, "invalid-field", "late_ms")
    assert "int" in answer.error.message


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
async def test_what_is_not_finite_is_refused(server: Server, connect: Connect, value: float) -> None:
    client = await connect(server, SUBPROTOCOL_BINARY)
    answer = await answer_to(client, {"type": "timing", "data": {"late_ms": value}, "id": 7})
    assert answer.error is not None
    assert (answer.error.code, answer.error.field) == ("invalid-field", "late_ms")


@BOTH
@pytest.mark.parametrize(
    ("type_", "data"),
    [("typing", {"typing": 1.0}), ("chat-message", {"content": 2.0}), ("user-update", {"name": 3.0})],
)
async def test_number_is_neither_a_boolean_nor_a_text(
    server: Server, connect: Connect, protocol: str, type_: str, data: dict[str, Any]
) -> None:
    client = await connect(server, protocol)
    answer = await answer_to(client, {"type": type_, "data": data, "id": 7})
    assert answer.error is not None
    assert (answer.error.code, answer.error.field) == ("invalid-field", next(iter(data)))


@BOTH
@pytest.mark.parametrize("id_", [42, 42.0])
@pytest.mark.parametrize(
    "shape",
    [
        {"type": "chat-message", "data": []},
        {"type": "chat-message", "data": None},
        {"type": "chat-message", "data": "content"},
        {"type": "chat-message", "data": 2.0},
        {"type": ["chat-message"], "data": {}},
        {"type": None},
        {"data": {}},
        {"type": "nothing", "data": []},
    ],
)
async def test_message_of_a_wrong_shape_is_answered_with_its_id(
    server: Server, connect: Connect, protocol: str, shape: dict[str, Any], id_: float
) -> None:
    client = await connect(server, protocol)
    answer = await answer_to(client, {**shape, "id": id_})
    assert answer.error is not None
    assert answer.id == 42
    assert answer.error.code in {"malformed-message", "unknown-type"}


async def test_extension_type_in_a_skipped_field_is_answered_with_the_id(server: Server, connect: Connect) -> None:
    client = await connect(server, SUBPROTOCOL_BINARY)
    answer = await answer_to(client, {"type": "leave-room", "data": {"x": msgpack.ExtType(5, b"ab")}, "id": 42})
    assert answer.error is not None
    assert (answer.id, answer.error.code) == (42, "malformed-message")


@BOTH
@pytest.mark.parametrize("id_", [-1, 1.5, "1", True, 2.0**53, [1], {}])
async def test_id_that_is_none_is_answered_without_one(
    server: Server, connect: Connect, protocol: str, id_: object
) -> None:
    client = await connect(server, protocol)
    await say(client, {"type": "leave-room", "data": {}, "id": id_})
    assert (await client.expect(Error)).code == "malformed-message"
