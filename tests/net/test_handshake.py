"""The opening handshake, over a real socket."""

import json

import pytest

from rhythm_protocol.control import SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON
from rhythm_protocol.messages import UserJoined
from rhythmd.app import Server
from tests.client import Connect
from tests.metrics import until_connections
from tests.raw import ConnectRaw, RawFrame, frame, upgrade_request
from tests.server import Serve

TEXT, BINARY, PING, PONG = 0x81, 0x82, 0x89, 0x8A


@pytest.mark.parametrize(
    ("offered", "chosen", "first"),
    [
        (SUBPROTOCOL_BINARY, SUBPROTOCOL_BINARY, BINARY),
        (SUBPROTOCOL_JSON, SUBPROTOCOL_JSON, TEXT),
        (f"{SUBPROTOCOL_JSON}, {SUBPROTOCOL_BINARY}", SUBPROTOCOL_BINARY, BINARY),
        (f"rhythm.v2, {SUBPROTOCOL_JSON}", SUBPROTOCOL_JSON, TEXT),
        (None, None, TEXT),
    ],
)
async def test_subprotocol_is_chosen(
    server: Server, connect_raw: ConnectRaw, offered: str | None, chosen: str | None, first: int
) -> None:
    client = await connect_raw(server)
    response = await client.upgrade(changes={"Sec-WebSocket-Protocol": offered})
    assert response.headers.get("sec-websocket-protocol") == chosen
    assert "sec-websocket-extensions" not in response.headers
    assert (await client.frame()).first == first


async def test_compression_is_not_negotiated(server: Server, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(server)
    response = await client.upgrade(changes={"Sec-WebSocket-Extensions": "permessage-deflate"})
    assert "sec-websocket-extensions" not in response.headers


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"Sec-WebSocket-Protocol": "rhythm.v2"}, 400),
        ({"Sec-WebSocket-Key": None}, 400),
        ({"Sec-WebSocket-Key": "short"}, 400),
        ({"Sec-WebSocket-Version": None}, 400),
        ({"Upgrade": None}, 426),
        ({"Upgrade": "h2c"}, 426),
        ({"Connection": None}, 426),
        ({"Connection": "close"}, 426),
        ({"Bad Name": "x"}, 400),
    ],
)
async def test_request_that_is_no_handshake_is_refused(
    server: Server, connect_raw: ConnectRaw, changes: dict[str, str | None], status: int
) -> None:
    client = await connect_raw(server)
    client.write(upgrade_request(changes=changes))
    response = await client.response()
    assert response.status == status
    assert (status == 426) == (response.headers.get("upgrade") == "websocket")
    if changes == {"Bad Name": "x"}:  # this is no HTTP, and nobody knows where the next request begins
        return
    assert json.loads(response.body)["error"]["code"] == ("upgrade-required" if status == 426 else "bad-request")
    if changes != {"Connection": "close"}:
        await client.upgrade()  # the connection is as good as before


@pytest.mark.parametrize(
    "offered", ["WebSocket", "h2c, websocket", "websocket,h2c", " , WEBSOCKET , ", "h2c\r\nUpgrade: Websocket"]
)
async def test_websocket_is_chosen_of_several_protocols(server: Server, connect_raw: ConnectRaw, offered: str) -> None:
    client = await connect_raw(server)
    response = await client.upgrade(changes={"Upgrade": offered})
    assert response.headers["upgrade"].lower() == "websocket"
    client.write(frame(PING, b"here"))
    await client.frame()
    assert (await client.frame()).payload == b"here"


@pytest.mark.parametrize("offered", ["websockets", "websocket/13, h2c", "h2c"])
async def test_other_protocol_is_no_websocket(server: Server, connect_raw: ConnectRaw, offered: str) -> None:
    client = await connect_raw(server)
    client.write(upgrade_request(changes={"Upgrade": offered}))
    assert (await client.response()).status == 426


async def test_other_version_is_refused_with_ours(server: Server, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(server)
    client.write(upgrade_request(changes={"Sec-WebSocket-Version": "8"}))
    response = await client.response()
    assert (response.status, response.headers["sec-websocket-version"]) == (426, "13")


async def test_frames_after_a_refused_handshake_are_no_frames(server: Server, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(server)
    client.write(upgrade_request(changes={"Sec-WebSocket-Key": None}) + frame(PING, b"early"))
    assert [(await client.response()).status for _ in range(2)] == [400, 400]
    assert await client.rest() == b""


async def test_request_byte_by_byte_is_answered(server: Server, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(server)
    await client.write_slowly(upgrade_request())
    assert (await client.response()).status == 101


@pytest.mark.parametrize("cut", [1, 3, 4, 6, 7, 8])
async def test_path_split_between_segments_is_recognized(server: Server, connect_raw: ConnectRaw, cut: int) -> None:
    client = await connect_raw(server)
    await client.write_slowly(upgrade_request(), step=cut)
    assert (await client.response()).status == 101


async def test_frames_right_behind_the_request_are_read(server: Server, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(server)
    client.write(upgrade_request() + frame(PING, b"early") + frame(PING, b"cut")[:5])
    assert (await client.response()).status == 101
    assert (await client.frame()).first == BINARY
    assert await client.frame() == RawFrame(PONG, b"early")
    client.write(frame(PING, b"cut")[5:])
    assert await client.frame() == RawFrame(PONG, b"cut")


@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"])
async def test_request_over_the_limit_is_refused(server: Server, connect_raw: ConnectRaw, end: bytes) -> None:
    client = await connect_raw(server)
    client.write(b"GET /ws HTTP/1.1\r\nHost: a\r\nX-Long: " + b"x" * 16_384 + end)
    assert (await client.response()).status in (400, 431)
    assert await client.rest() == b""


@pytest.mark.parametrize("begun", [b"", b"GET /w", b"GET /ws HTTP/1.1\r\nHost: "])
async def test_slow_handshake_is_ended(serve: Serve, connect_raw: ConnectRaw, begun: bytes) -> None:
    server = await serve("limits.handshake_s=0.1")
    client = await connect_raw(server)
    client.write(begun)
    assert await client.rest() == b""


async def test_fast_handshake_is_not_ended(serve: Serve, connect_raw: ConnectRaw) -> None:
    server = await serve("limits.handshake_s=1")
    early = await connect_raw(server)
    await early.upgrade()
    await early.frame()
    late = await connect_raw(server)
    assert await late.rest() == b""
    early.write(frame(PING, b"still here"))
    assert await early.frame() == RawFrame(PONG, b"still here")


@pytest.mark.parametrize(("query", "bot"), [("", False), ("?bot=1", True), ("?bot=true", True), ("?bot=0", False)])
async def test_bot_is_one_that_says_so(server: Server, connect: Connect, query: str, bot: bool) -> None:
    human = await connect(server)
    await human.join("room")
    other = await connect(server, path=f"/ws{query}")
    await other.join("room")
    assert (await human.expect(UserJoined)).user.bot is bot


async def test_client_that_leaves_during_the_handshake_is_forgotten(server: Server, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(server)
    client.write(upgrade_request()[:50])
    await until_connections(server, 1)
    client.half_close()
    assert await client.rest() == b""
    await until_connections(server, 0)
