"""Whole frames against the examples of RFC 6455 (5.7) and the lengths where the head grows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame
from websockets.streams import StreamReader

from rhythm_protocol.websocket import BINARY, TEXT, client_frame, server_frame


def parse(data: bytes, mask: bool) -> Frame:
    """The frame that the `websockets` library reads."""
    reader = StreamReader()
    reader.feed_data(data)
    steps = Frame.parse(reader.read_exact, mask=mask)
    with pytest.raises(StopIteration) as done:
        next(steps)
    frame = done.value.value
    assert isinstance(frame, Frame)
    assert not reader.buffer
    return frame


def test_server_frame_hello_is_the_bytes_of_the_rfc() -> None:
    assert server_frame(TEXT, b"Hello") == bytes.fromhex("81 05 48 65 6c 6c 6f")


def test_client_frame_hello_is_the_bytes_of_the_rfc() -> None:
    masked = client_frame(TEXT, b"Hello", bytes.fromhex("37fa213d"))
    assert masked == bytes.fromhex("81 85 37 fa 21 3d 7f 9f 4d 51 58")


@pytest.mark.parametrize(
    ("length", "head"),
    [
        (0, "82 00"),
        (125, "82 7d"),
        (126, "82 7e 00 7e"),
        (256, "82 7e 01 00"),
        (65535, "82 7e ff ff"),
        (65536, "82 7f 00 00 00 00 00 01 00 00"),
    ],
)
def test_server_frame_length_is_minimal(length: int, head: str) -> None:
    assert server_frame(BINARY, bytes(length)) == bytes.fromhex(head) + bytes(length)


@given(st.sampled_from([TEXT, BINARY]), st.binary(max_size=300), st.binary(min_size=4, max_size=4))
def test_frames_are_read_by_another_implementation(opcode: int, payload: bytes, mask: bytes) -> None:
    for frame in (
        parse(server_frame(opcode, payload), mask=False),
        parse(client_frame(opcode, payload, mask), True),
    ):
        assert (frame.fin, int(frame.opcode), bytes(frame.data)) == (True, opcode, payload)
