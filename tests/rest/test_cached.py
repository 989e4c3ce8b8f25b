"""The list of rooms is kept as bytes and sent past aiohttp's own answers: it must still be HTTP in every form."""

from email.utils import parsedate_to_datetime
from typing import Final

import orjson

from rhythmd.app import Server
from tests.raw import ConnectRaw, Response
from tests.rest.answers import RATE_HEADERS
from tests.server import Serve

ACTIVE: Final = "/api/v1/rooms/active"
COMMON: Final = ("Date", "X-Request-Id", "Content-Security-Policy", "X-Content-Type-Options", *RATE_HEADERS)


def request(method: str = "GET", version: str = "1.1", *lines: str) -> bytes:
    head = [f"{method} {ACTIVE} HTTP/{version}", "Host: localhost", *lines]
    return ("\r\n".join(head) + "\r\n\r\n").encode()


def is_whole(response: Response) -> bool:
    return response.status == 200 and orjson.loads(response.body)["rooms"][0]["name"] == "Lobby"


async def test_list_has_the_headers_of_other_answers(server: Server, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(server)
    client.write(request())
    response = await client.response()
    assert is_whole(response)
    assert [name for name in COMMON if name.lower() not in response.headers] == []
    assert parsedate_to_datetime(response.headers["date"]).year > 2000
    assert response.headers["content-type"] == "application/json"


async def test_list_of_an_allowed_origin_may_be_read(serve: Serve, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(await serve('server.allowed_origins=["https://friend.example"]'))
    client.write(request("GET", "1.1", "Origin: https://friend.example"))
    response = await client.response()
    assert response.headers["access-control-allow-origin"] == "https://friend.example"
    assert response.headers["vary"] == "Origin"


async def test_head_has_the_length_and_no_body(server: Server, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(server)
    client.write(request("HEAD", "1.1", "Connection: close"))
    head, _, body = (await client.rest()).partition(b"\r\n\r\n")
    client = await connect_raw(server)
    client.write(request())
    assert f"Content-Length: {len((await client.response()).body)}\r\n".encode() in head
    assert body == b""


async def test_requests_behind_each_other_are_answered_in_order(server: Server, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(server)
    client.write(request() * 3)
    answers = [await client.response() for _ in range(3)]
    assert all(is_whole(answer) for answer in answers)
    assert len({answer.headers["x-request-id"] for answer in answers}) == 3


async def test_connection_closes_when_the_client_asks_for_it(server: Server, connect_raw: ConnectRaw) -> None:
    for sent in (request("GET", "1.1", "Connection: close"), request("GET", "1.0")):
        client = await connect_raw(server)
        client.write(sent)
        response = await client.response()
        assert is_whole(response)
        assert response.headers["connection"] == "close"
        assert await client.rest() == b""


async def test_old_client_may_keep_its_connection(server: Server, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(server)
    for _ in range(2):
        client.write(request("GET", "1.0", "Connection: keep-alive"))
        response = await client.response()
        assert is_whole(response)
        assert response.headers["connection"] == "keep-alive"
