"""HTTP on the same port as the WebSocket."""

import json

import pytest

from rhythmd.app import Server
from tests.metrics import connections
from tests.raw import ConnectRaw, frame, upgrade_request

LIVE = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize("path", ["/wsx", "/ws/", "/ws/1", "/w", "/wS", "//ws"])
async def test_path_beside_ws_is_not_the_hubs(server: Server, connect_raw: ConnectRaw, path: str) -> None:
    client = await connect_raw(server)
    client.write(upgrade_request(path))
    response = await client.response()
    assert response.status == 404
    assert json.loads(response.body)["error"]["code"] == "not-found"


async def test_post_to_ws_is_not_the_hubs(server: Server, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(server)
    client.write(b"POST /ws HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
    assert (await client.response()).status == 404


async def test_several_requests_use_one_connection(server: Server, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(server)
    for _ in range(3):
        client.write(LIVE)
        assert (await client.response()).status == 200
    assert await connections(server) == 1


async def test_request_byte_by_byte_is_answered(server: Server, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(server)
    await client.write_slowly(LIVE)
    assert (await client.response()).status == 200


async def test_pipelined_requests_are_answered_in_order(server: Server, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(server)
    client.write(LIVE + b"GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n" + LIVE)
    assert [(await client.response()).status for _ in range(3)] == [200, 404, 200]


async def test_upgrade_on_a_connection_that_spoke_http_is_not_the_hubs(server: Server, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(server)
    client.write(LIVE)
    assert (await client.response()).status == 200
    client.write(upgrade_request() + frame(0x89))
    assert (await client.response()).status == 404


async def test_large_body_is_refused_in_the_envelope(server: Server, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(server)
    client.write(b"POST /api/v1/rooms/active HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000000\r\n\r\n")
    client.write(b"x" * 5_000_000)
    response = await client.response()
    assert response.status in (405, 413)
    assert json.loads(response.body)["error"]["code"] in ("method-not-allowed", "too-large")


async def test_expect_continue_is_answered(server: Server, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(server)
    client.write(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    response = await client.response()
    if response.status == 100:
        client.write(b"hello")
        response = await client.response()
    assert response.status == 200


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\x02\x00\x01\x00", b"\x00" * 64, b"NONSENSE\r\n\r\n", b"GET / HTTP/9\r\n\r\n"]
)
async def test_garbage_is_answered_with_400_and_closed(server: Server, connect_raw: ConnectRaw, garbage: bytes) -> None:
    client = await connect_raw(server)
    client.write(garbage + b"\r\n\r\n")
    response = await client.response()
    assert response.status == 400
