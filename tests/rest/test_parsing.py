"""HTTP by the book: what is no request, methods that nobody knows, bodies that wait to be asked for, challenges."""

import json
from typing import Final

import pytest

from rhythmd.app import Server
from tests.raw import ConnectRaw, RawClient, Response
from tests.rest.api import Api, User

HOST: Final = b"Host: localhost\r\n"
SECRET: Final = b"SECRET"


async def refused(client: RawClient, request: bytes) -> Response:
    """The answer, which must be as all are, to what is no request."""
    client.write(request)
    head = await client.head()
    assert head.startswith(b"HTTP/1.1 ")
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)}
    body = await client.rest()
    for name in ("date", "x-request-id", "x-content-type-options", "content-security-policy", "referrer-policy"):
        assert headers[name], name
    assert headers["content-type"] == "application/json"
    assert headers["connection"] == "close"
    assert int(headers["content-length"]) == len(body)
    assert SECRET not in head + body
    assert json.loads(body)["error"]["request_id"] == headers["x-request-id"]
    return Response(int(lines[0].split()[1]), headers, body)


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (b"SECRET\r\n\r\n", 400, "bad-request"),
        (b"GET /SECRET HTTP/9.9\r\n\r\n", 505, "http-version-not-supported"),
        (b"GET / HTTP/1.1\r\nSECRET SECRET: 1\r\n\r\n", 400, "bad-request"),
        (b"GET / HTTP/1.1\r\nSECRET\r\n\r\n", 400, "bad-request"),
        (b"POST / HTTP/1.1\r\nContent-Length: SECRET\r\n\r\n", 400, "bad-request"),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "bad-request"),
        (b"\x16\x03\x01\x02\x00\x01\x00SECRET\r\n\r\n", 400, "bad-request"),
        (b"GET /SECRET" + b"a" * 9_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414, "uri-too-long"),
        (b"GET http://host/?SECRET" + b"a" * 9_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414, "uri-too-long"),
        (b"GET / HTTP/1.1\r\nX: /SECRET" + b"a" * 9_000 + b"\r\n\r\n", 431, "headers-too-large"),
        (b"GET / HTTP/1.1\r\nSECRET" + b"a" * 9_000 + b": 1\r\n\r\n", 431, "headers-too-large"),
        (b"GET / HTTP/1.1\r\n" + b"X: SECRET\r\n" * 200 + b"\r\n", 431, "headers-too-large"),
        (b"SECRET / HTTP/1.1\r\n" + HOST + b"\r\n", 501, "not-implemented"),
        (b"get / HTTP/1.1\r\n" + HOST + b"\r\n", 501, "not-implemented"),
    ],
)
async def test_what_the_parser_refuses_is_answered_like_everything(
    server: Server, connect_raw: ConnectRaw, request_: bytes, status: int, code: str
) -> None:
    answer = await refused(await connect_raw(server), request_)
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (status, code)


@pytest.mark.parametrize(
    ("method", "status"), [("PROPFIND", 501), ("LINK", 501), ("TRACE", 405), ("DELETE", 405), ("OPTIONS", 405)]
)
async def test_unknown_method_is_not_implemented(
    server: Server, connect_raw: ConnectRaw, method: str, status: int
) -> None:
    client = await connect_raw(server)
    for path in ("/", "/health/live", "/api/v1/rooms/active"):
        client.write(f"{method} {path} HTTP/1.1\r\n".encode() + HOST + b"\r\n")
        answer = await client.response()
        assert answer.status == status
        assert ("allow" in answer.headers) is (status == 405)


@pytest.mark.parametrize(
    ("method", "path", "token", "body"),
    [
        ("GET", "/users/profile", None, None),
        ("GET", "/users/profile", "nobody", None),
        ("POST", "/auth/login", None, {"usertag": "Nobody", "password": "wrong horse"}),
        ("POST", "/auth/refresh", None, {"refresh_token": "nothing"}),
        ("GET", "/sheet_music/search?favorites=true", None, None),
    ],
)
async def test_every_401_says_how_to_log_in(
    api: Api, method: str, path: str, token: str | None, body: dict[str, str] | None
) -> None:
    answer = await api.call(method, path, body, token=token)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_wrong_media_type_is_told_the_right_ones(api: Api, clara: User) -> None:
    typed = {"Content-Type": "text/plain"}
    answer = await api.call("POST", "/auth/login", headers=typed, data=b"x")
    assert (answer.status, answer.headers["Accept"]) == (415, "application/json")
    answer = await api.call("POST", "/sheet_music/upload", headers=typed, data=b"x", token=clara.access_token)
    assert answer.status == 415
    assert "multipart/form-data" in answer.headers["Accept"].split(", ")


def asking(path: str, length: int, *more: str) -> bytes:
    """The head of a request whose body waits to be asked for."""
    lines = [f"POST /api/v1{path} HTTP/1.1", "Host: localhost", "Expect: 100-continue", f"Content-Length: {length}"]
    return "\r\n".join([*lines, *more, "", ""]).encode()


async def test_body_is_asked_for_after_everything_else_is_right(patient: Server, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(patient)
    body = b'{"cookies": false}'
    client.write(asking("/auth/guest", len(body), "Content-Type: application/json"))
    assert (await client.response()).status == 100
    client.write(body)
    assert (await client.response()).status == 200


@pytest.mark.parametrize(
    ("path", "length", "more", "status"),
    [
        ("/auth/guest", 5, ["Content-Type: text/plain"], 415),
        ("/auth/guest", 10**9, ["Content-Type: application/json"], 413),
        ("/auth/guest", 5, ["Content-Type: application/json", "Origin: https://other.example"], 403),
        ("/auth/ticket", 5, ["Content-Type: application/json"], 401),
        ("/rooms/create", 5, ["Content-Type: application/json", "Authorization: Bearer nobody"], 401),
        ("/nowhere", 5, ["Content-Type: application/json"], 404),
    ],
)
async def test_body_that_helps_nothing_is_never_asked_for(
    patient: Server, connect_raw: ConnectRaw, path: str, length: int, more: list[str], status: int
) -> None:
    client = await connect_raw(patient)
    client.write(asking(path, length, *more))
    assert (await client.response()).status == status
    client.reset()


async def test_cookie_without_an_origin_is_told_the_remedy(api: Api, clara: User) -> None:
    cookie = {"Cookie": f"rhythm_access={clara.access_token}"}
    answer = await api.call("POST", "/auth/ticket", headers=cookie)
    assert (answer.status, answer.code) == (403, "cross-site")
    assert "Origin" in answer.body["error"]["message"]
    assert "Authorization" in answer.body["error"]["message"]
    assert (await api.call("POST", "/auth/ticket", headers={**cookie, "Origin": api.url})).status == 200
