"""What a server owes by RFC 6455, over a real socket."""

import pytest

from rhythm_protocol.binary import OP_CLOCK, OP_CONTROL, decode_clock_reply, encode_clock_request
from rhythm_protocol.control import SUBPROTOCOL_JSON
from rhythmd.app import Server
from rhythmd.client.codec import Envelope, decode_binary, decode_text, encode_text
from tests.raw import ConnectRaw, RawClient, RawFrame, frame
from tests.server import Serve

BINARY, TEXT, CLOSE, PING, PONG = 0x82, 0x81, 0x88, 0x89, 0x8A
FIRST_BINARY, FIRST_TEXT, MORE, LAST = 0x02, 0x01, 0x00, 0x80
CLOCK = encode_clock_request(7)
LIMIT = 2_000


@pytest.fixture
async def client(serve: Serve, connect_raw: ConnectRaw) -> RawClient:
    """A `rhythm.v1` connection, welcomed; messages of 2,000 bytes are the largest."""
    client = await connect_raw(await serve(f"limits.message_bytes={LIMIT}"))
    await client.upgrade()
    assert (await client.frame()).payload[0] == OP_CONTROL
    return client


@pytest.fixture
async def json_client(serve: Serve, connect_raw: ConnectRaw) -> RawClient:
    """The same for `rhythm.v1.json`."""
    client = await connect_raw(await serve(f"limits.message_bytes={LIMIT}"))
    await client.upgrade(changes={"Sec-WebSocket-Protocol": SUBPROTOCOL_JSON})
    assert (await client.frame()).first == TEXT
    return client


async def assert_closed_with(client: RawClient, code: int) -> None:
    """The next frame closes with `code`, and nothing comes after it."""
    assert (await client.frame()).close_code == code
    assert await client.rest() == b""


async def assert_alive(client: RawClient) -> None:
    client.write(frame(BINARY, CLOCK))
    assert decode_clock_reply((await client.frame()).payload).value == 7


def refusal(received: RawFrame) -> Envelope:
    """The `error` in a frame."""
    decode = decode_text if received.first == TEXT else decode_binary
    envelope = decode(received.payload)
    assert envelope.type == "error"
    return envelope


# Messages and fragments


async def test_fragments_with_control_frames_between_make_one_message(client: RawClient) -> None:
    client.write(
        frame(FIRST_BINARY, CLOCK[:1]) + frame(PING, b"between") + frame(MORE, CLOCK[1:4]) + frame(PONG)
        + frame(MORE) + frame(LAST, CLOCK[4:])
    )  # fmt: skip
    assert await client.frame() == RawFrame(PONG, b"between")
    reply = await client.frame()
    assert reply.payload[0] == OP_CLOCK
    assert decode_clock_reply(reply.payload).value == 7


async def test_new_message_while_fragments_are_open_is_refused(client: RawClient) -> None:
    client.write(frame(FIRST_BINARY, CLOCK[:1]) + frame(BINARY, CLOCK))
    await assert_closed_with(client, 1002)


async def test_continuation_without_a_beginning_is_refused(client: RawClient) -> None:
    client.write(frame(LAST, CLOCK))
    await assert_closed_with(client, 1002)


@pytest.mark.parametrize("first", [FIRST_BINARY, FIRST_TEXT])
@pytest.mark.parametrize("between", [b"", frame(MORE, b"a"), frame(PONG)])
async def test_close_while_fragments_are_open_is_a_close(client: RawClient, first: int, between: bytes) -> None:
    client.write(frame(first, b"a") + between + frame(CLOSE, b"\x03\xe8bye") + frame(LAST, b"b"))
    assert await client.frame() == RawFrame(CLOSE, b"\x03\xe8bye")
    assert await client.rest() == b""


async def test_broken_close_while_fragments_are_open_is_refused(client: RawClient) -> None:
    client.write(frame(FIRST_BINARY, CLOCK[:1]) + frame(CLOSE, b"\x03"))
    await assert_closed_with(client, 1002)


async def test_message_byte_by_byte_arrives(client: RawClient) -> None:
    await client.write_slowly(frame(BINARY, CLOCK, mask=b"\x01\x02\x03\x04") + frame(PING, b"p"))
    assert decode_clock_reply((await client.frame()).payload).value == 7
    assert await client.frame() == RawFrame(PONG, b"p")


# Ping and pong


@pytest.mark.parametrize("payload", [b"", b"\x00\xff", b"p" * 125])
async def test_ping_is_answered_with_the_same_payload(client: RawClient, payload: bytes) -> None:
    client.write(frame(PING, payload, mask=b"\xa1\xb2\xc3\xd4"))
    assert await client.frame() == RawFrame(PONG, payload)


async def test_unsolicited_pong_is_ignored(client: RawClient) -> None:
    client.write(frame(PONG, b"nobody asked"))
    await assert_alive(client)


# The close handshake


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999])
async def test_close_with_valid_code_is_echoed(client: RawClient, code: int) -> None:
    client.write(frame(CLOSE, code.to_bytes(2, "big") + "bye \u266a".encode()))
    assert await client.frame() == RawFrame(CLOSE, code.to_bytes(2, "big") + "bye \u266a".encode())
    assert await client.rest() == b""


async def test_close_without_code_is_echoed(client: RawClient) -> None:
    client.write(frame(CLOSE))
    assert await client.frame() == RawFrame(CLOSE, b"")
    assert await client.rest() == b""


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535])
async def test_close_with_invalid_code_is_refused(client: RawClient, code: int) -> None:
    client.write(frame(CLOSE, code.to_bytes(2, "big")))
    await assert_closed_with(client, 1002)


async def test_close_of_one_byte_is_refused(client: RawClient) -> None:
    client.write(frame(CLOSE, b"\x03"))
    await assert_closed_with(client, 1002)


@pytest.mark.parametrize("reason", [b"\xff", b"\xed\xa0\x80", b"cut \xe2\x99"])
async def test_close_with_reason_that_is_no_utf8_is_refused(client: RawClient, reason: bytes) -> None:
    client.write(frame(CLOSE, b"\x03\xe8" + reason))
    await assert_closed_with(client, 1007)


async def test_data_after_close_is_ignored(client: RawClient) -> None:
    client.write(frame(CLOSE, b"\x03\xe8") + frame(BINARY, CLOCK) + frame(PING) + b"\xff\xff")
    await assert_closed_with(client, 1000)


# What no client may send


@pytest.mark.parametrize("first", [BINARY, TEXT, FIRST_BINARY, PING, CLOSE])
async def test_unmasked_frame_is_refused(client: RawClient, first: int) -> None:
    client.write(frame(first, b"", mask=None))
    await assert_closed_with(client, 1002)


@pytest.mark.parametrize("bits", [0x40, 0x20, 0x10, 0x70])
@pytest.mark.parametrize("first", [BINARY, FIRST_BINARY, PING, CLOSE])
async def test_reserved_bits_are_refused(client: RawClient, first: int, bits: int) -> None:
    client.write(frame(first | bits, b""))
    await assert_closed_with(client, 1002)


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
async def test_reserved_opcode_is_refused(client: RawClient, opcode: int) -> None:
    client.write(frame(0x80 | opcode, b""))
    await assert_closed_with(client, 1002)


@pytest.mark.parametrize("first", [PING, PONG, CLOSE])
async def test_control_frame_too_long_or_fragmented_is_refused(
    server: Server, connect_raw: ConnectRaw, first: int
) -> None:
    for broken in (frame(first, b"x" * 126), frame(first & 0x7F, b"")):
        client = await connect_raw(server)
        await client.upgrade()
        await client.frame()
        client.write(broken)
        await assert_closed_with(client, 1002)


@pytest.mark.parametrize(("size", "length"), [(2, 0), (2, 125), (8, 0), (8, 125), (8, 126), (8, 1_999)])
async def test_length_in_more_bytes_than_needed_is_refused(client: RawClient, size: int, length: int) -> None:
    client.write(frame(BINARY, b"x" * length, size=size))
    await assert_closed_with(client, 1002)


async def test_length_with_highest_bit_is_refused(client: RawClient) -> None:
    client.write(bytes((BINARY, 0xFF)) + (1 << 63).to_bytes(8, "big"))
    await assert_closed_with(client, 1002)


# Text


@pytest.mark.parametrize("text", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b'{"type": "\xe2\x99'])
async def test_text_that_is_no_utf8_is_refused(json_client: RawClient, text: bytes) -> None:
    json_client.write(frame(TEXT, text))
    await assert_closed_with(json_client, 1007)


# Autobahn's cases 6.4.1 to 6.4.4 are of this kind: what follows is never sent.
HOPELESS = [b"\xf4\x90", b"\xff", b"\xc0", b"\xed\xa0", b"\xce\xbaa\x80", b"\xe1\xa0\xc0"]


@pytest.mark.parametrize("text", HOPELESS)
@pytest.mark.parametrize("opening", [frame(FIRST_TEXT, b"\xce\xba"), frame(FIRST_TEXT) + frame(MORE)])
async def test_fragment_that_cannot_become_utf8_is_refused_at_once(
    json_client: RawClient, text: bytes, opening: bytes
) -> None:
    json_client.write(opening + frame(PONG) + frame(MORE, text))
    await assert_closed_with(json_client, 1007)


@pytest.mark.parametrize("text", HOPELESS)
@pytest.mark.parametrize("step", [1, 3, 1_000])
async def test_part_of_a_frame_that_cannot_become_utf8_is_refused_at_once(
    json_client: RawClient, text: bytes, step: int
) -> None:
    whole = frame(TEXT, "κόσμε".encode() + text + b"edited" * 40, mask=b"\x01\x02\x03\x04")
    await json_client.write_slowly(whole[: 8 + 10 + len(text)], step)
    await assert_closed_with(json_client, 1007)


@pytest.mark.parametrize("step", [1, 2, 5])
async def test_text_that_is_cut_anywhere_is_the_same_text(json_client: RawClient, step: int) -> None:
    text = '{"type": "𝄞", "data": {}, "id": 9}'.encode()
    parts = [text[at : at + 3] for at in range(0, len(text), 3)]
    data = frame(FIRST_TEXT, parts[0], mask=b"abcd") + b"".join(frame(MORE, part, mask=b"efgh") for part in parts[1:])
    await json_client.write_slowly((data + frame(LAST)) * 2, step)
    for _ in range(2):
        answer = refusal(await json_client.frame())
        assert (answer.data["code"], answer.id) == ("unknown-type", 9)


async def test_text_that_is_no_utf8_over_fragments_is_refused(json_client: RawClient) -> None:
    json_client.write(frame(FIRST_TEXT, b"\xe2") + frame(MORE, b"\x99") + frame(LAST, b"\xff"))
    await assert_closed_with(json_client, 1007)


async def test_character_split_over_fragments_is_accepted(json_client: RawClient) -> None:
    text = encode_text("no-such-type-\u266a", {}, 5)
    split = text.index("\u266a".encode()) + 1
    json_client.write(frame(FIRST_TEXT, text[:split]) + frame(MORE, text[split : split + 1]))
    json_client.write(frame(LAST, text[split + 1 :]))
    assert refusal(await json_client.frame()).id == 5


async def test_text_on_the_binary_subprotocol_is_refused(client: RawClient) -> None:
    client.write(frame(TEXT, encode_text("clock", {"value": 1})))
    assert (await client.frame()).close_code == 1003


async def test_binary_on_the_json_subprotocol_is_refused(json_client: RawClient) -> None:
    json_client.write(frame(BINARY, CLOCK))
    assert (await json_client.frame()).close_code == 1003
    json_client.write(frame(CLOSE, b"\x03\xeb"))
    assert await json_client.rest() == b""


# Sizes


async def test_message_at_the_limit_is_accepted(client: RawClient) -> None:
    client.write(frame(BINARY, b"\x7f" * LIMIT))
    assert refusal(await client.frame()).data["code"] == "malformed-message"
    half = b"\x7f" * (LIMIT // 2)
    client.write(frame(FIRST_BINARY, half) + frame(LAST, half))
    assert refusal(await client.frame()).data["code"] == "malformed-message"


async def test_frame_over_the_limit_is_refused_at_its_header(client: RawClient) -> None:
    client.write(frame(BINARY, b"x" * (LIMIT + 1))[:4])
    await assert_closed_with(client, 1009)


async def test_fragments_over_the_limit_together_are_refused(client: RawClient) -> None:
    client.write(frame(FIRST_BINARY, b"x" * LIMIT) + frame(MORE) + frame(LAST, b"x"))
    await assert_closed_with(client, 1009)


async def test_close_reaches_a_client_that_is_still_sending(client: RawClient) -> None:
    """The server must read on: closing over unread bytes would reset the connection and lose the frame."""
    client.write(frame(BINARY, b"x" * 5_000_000))
    await client.drain()
    await assert_closed_with(client, 1009)


async def test_frame_that_announces_more_than_it_holds_ends_with_its_connection(
    server: Server, connect_raw: ConnectRaw
) -> None:
    client = await connect_raw(server)
    await client.upgrade()
    await client.frame()
    client.write(frame(BINARY, b"x" * 60_000)[:100])
    client.half_close()
    assert await client.rest() == b""
