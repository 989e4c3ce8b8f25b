"""HTTP on the same port as the WebSocket."""

import gzip
import json

import pytest

from rhythmd.app import Server
from tests.metrics import connections, until_connections
from tests.raw import ConnectRaw, frame, upgrade_request

PING = 0x89
LIVE = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize("path", ["/wsx", "/ws/", "/ws/1", "/w", "/wS", "//ws"])
async def test_path_beside_ws_is_not_the_hubs(server: Server, connect_raw: ConnectRaw, path: str) -> None:
    client = await connect_raw(server)
    client.write(upgrade_request(path))
    response = await client.response()
    assert response.status == 404
    assert json.loads(response.body)["error"]["code"] == "not-found"


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT", "DELETE", "PATCH"])
async def test_other_method_at_ws_is_not_allowed(server: Server, connect_raw: ConnectRaw, method: str) -> None:
    client = await connect_raw(server)
    client.write(upgrade_request().replace(b"GET", method.encode()))
    line = (await client.head()).splitlines()[0]
    assert line == b"HTTP/1.1 405 Method Not Allowed"


# One and the same path, as RFC 9112, 3.2, RFC 3986, 6.2.2, and proxies write it.
SAME = [
    "/ws", "/%77s", "/w%73", "/%77%73", "/ws?", "/ws?a=b", "http://piano.example/ws", "HTTP://piano.example:8080/%77s?x",
    "ws://piano.example/ws",
]  # fmt: skip


@pytest.mark.parametrize("target", SAME)
async def test_every_form_of_the_path_opens_a_socket(server: Server, connect_raw: ConnectRaw, target: str) -> None:
    client = await connect_raw(server)
    await client.upgrade(target)
    client.write(frame(PING, b"here"))
    await client.frame()
    assert (await client.frame()).payload == b"here"


@pytest.mark.parametrize("target", ["http://x", "http://x?y", "HTTP://x:80", "http://x/"])
async def test_absolute_target_without_a_path_is_the_root(server: Server, connect_raw: ConnectRaw, target: str) -> None:
    client = await connect_raw(server)
    client.write(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    response = await client.response()
    assert (response.status, response.headers["content-type"]) == (200, "text/html; charset=utf-8")


@pytest.mark.parametrize("target", ["http://user@x/ws", "http://x:y/ws", "http://a b/", "http://x#y", "http://[::1/"])
async def test_absolute_target_names_a_proper_host(server: Server, connect_raw: ConnectRaw, target: str) -> None:
    client = await connect_raw(server)
    client.write(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert (await client.response()).status == 400


async def test_server_as_a_whole_says_what_it_can(server: Server, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(server)
    client.write(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
    response = await client.response()
    assert response.status == 204
    assert response.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
    assert {"date", "content-security-policy", "x-request-id"} <= response.headers.keys()


@pytest.mark.parametrize("before", [b"\r\n", b"\r\n\r\n", b"\n"])
async def test_empty_lines_before_a_request_are_skipped(server: Server, connect_raw: ConnectRaw, before: bytes) -> None:
    client = await connect_raw(server)
    client.write(before)
    await client.upgrade()


@pytest.mark.parametrize(
    "host",
    [
        None,
        "a b/c",
        "a/b",
        "a, b",
        "user@host",
        "a:b",
        "[::1",
        "a:80:80",
        "a:65536",
        "a:99999",
        "http://a",
        "a?b",
        "a#b",
        "a\\b",
    ],
)
@pytest.mark.parametrize("path", ["/ws", "/health/live"])
async def test_request_without_a_proper_host_is_refused(
    server: Server, connect_raw: ConnectRaw, host: str | None, path: str
) -> None:
    client = await connect_raw(server)
    client.write(upgrade_request(path, {"Host": host}))
    assert (await client.response()).status == 400


async def test_request_with_two_hosts_is_refused(server: Server, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(server)
    client.write(upgrade_request(changes={"Host": "a.example\r\nHost: a.example"}))
    assert (await client.response()).status == 400


@pytest.mark.parametrize("body", ["Content-Length: 3", "Transfer-Encoding: chunked"])
async def test_upgrade_request_with_a_body_is_refused(server: Server, connect_raw: ConnectRaw, body: str) -> None:
    client = await connect_raw(server)
    client.write(upgrade_request(changes={"X-A": f"b\r\n{body}"}) + b"3\r\nabc\r\n0\r\n\r\n")
    assert (await client.response()).status == 400


async def test_upgrade_by_http_1_0_is_refused(server: Server, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(server)
    client.write(upgrade_request().replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert (await client.response()).status == 426


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


@pytest.mark.parametrize("before", [LIVE, LIVE * 3, b"GET /none HTTP/1.1\r\nHost: a\r\n\r\n", upgrade_request("/none")])
async def test_connection_that_spoke_http_becomes_a_socket(
    server: Server, connect_raw: ConnectRaw, before: bytes
) -> None:
    client = await connect_raw(server)
    for at_once in (False, True):
        client.write(before)
        if not at_once:
            for _ in range(before.count(b"GET")):
                assert (await client.response()).status in (200, 404)
    client.write(upgrade_request() + frame(PING, b"early") + frame(PING, b"cut")[:5])
    for _ in range(before.count(b"GET")):
        assert (await client.response()).status in (200, 404)
    assert (await client.response()).status == 101
    assert (await client.frame()).opcode == 2
    assert (await client.frame()).payload == b"early"
    client.write(frame(PING, b"cut")[5:])
    assert (await client.frame()).payload == b"cut"
    assert await connections(server) == 1
    client.half_close()
    await client.rest()
    await until_connections(server, 0)


async def test_large_body_is_refused_in_the_envelope(server: Server, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(server)
    client.write(b"POST /api/v1/rooms/active HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000000\r\n\r\n")
    client.write(b"x" * 5_000_000)
    response = await client.response()
    assert response.status in (405, 413)
    assert json.loads(response.body)["error"]["code"] in ("method-not-allowed", "too-large")


EXPECTING = "Host: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 2\r\n"


async def test_body_is_asked_for_when_all_else_is_right(server: Server, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(server)
    for expectation in ("100-continue", "100-Continue"):
        client.write(
            f"POST /api/v1/auth/guest HTTP/1.1\r\n{EXPECTING}\r\n".replace("100-continue", expectation).encode()
        )
        assert (await client.response()).status == 100
        client.write(b"{}")
        assert (await client.response()).status == 200


@pytest.mark.parametrize(
    ("line", "replaced", "by", "status"),
    [
        ("POST /none", "", "", 404),
        ("DELETE /api/v1/auth/guest", "", "", 405),
        ("POST /api/v1/auth/ticket", "", "", 401),
        ("POST /api/v1/auth/guest", "application/json", "text/plain", 415),
        ("POST /api/v1/auth/guest", "Content-Length: 2", "Content-Length: 100000", 413),
        ("POST /api/v1/auth/guest", "Host:", "Origin: https://evil.example\r\nHost:", 403),
        ("POST /api/v1/sheet_music/upload", "Content-Length: 2", "Content-Length: 9999999999", 401),
    ],
)
async def test_body_that_would_be_refused_is_not_asked_for(
    server: Server, connect_raw: ConnectRaw, line: str, replaced: str, by: str, status: int
) -> None:
    client = await connect_raw(server)
    client.write(f"{line} HTTP/1.1\r\n{EXPECTING.replace(replaced, by) if replaced else EXPECTING}\r\n".encode())
    assert (await client.response()).status == status


# What the parser refuses is told in the envelope, by HTTP/1.1, and holds nothing of what was sent.
REFUSED: list[tuple[bytes, int, str]] = [
    (b"\x16\x03\x01\x02\x00\x01\x00", 400, "bad-request"),
    (b"\x00" * 64, 400, "bad-request"),
    (b"NONSENSE", 400, "bad-request"),
    (b"get / HTTP/1.1\r\nHost: echo", 501, "not-implemented"),
    (b"GET / HTTP/9", 400, "bad-request"),
    (b"GET / HTTP/1.1\r\nHost: echo\r\nBad Name: echo", 400, "bad-request"),
    (b"GET / HTTP/1.1\r\nHost: echo\r\nX: a\r\n b", 400, "bad-request"),
    (b"GET / HTTP/1.1\r\nHost: echo\r\nContent-Length: echo", 400, "bad-request"),
    (b"GET / HTTP/1.1\r\nHost: echo\r\nTransfer-Encoding: chunked\r\nContent-Length: 3", 400, "bad-request"),
    (b"GET / HTTP/1.1\r\nHost: echo\r\nTransfer-Encoding: echo", 400, "bad-request"),
    (b"PRI * HTTP/2.0\r\n\r\nSM", 505, "http-version-not-supported"),
    (b"GET http:///echo HTTP/1.1\r\nHost: echo", 400, "bad-request"),
    (b"BREW /echo HTTP/1.1\r\nHost: echo", 501, "not-implemented"),
    (b"PROPFIND / HTTP/1.1\r\nHost: echo", 501, "not-implemented"),
    (b"TRACE / HTTP/1.1\r\nHost: echo", 405, "method-not-allowed"),
    (b"GET / HTTP/2.0\r\nHost: echo", 505, "http-version-not-supported"),
    (b"GET /" + b"echo" * 2_100 + b" HTTP/1.1\r\nHost: echo", 414, "uri-too-long"),
    (b"GET / HTTP/1.1\r\nHost: echo\r\nX: /" + b"echo" * 2_100, 431, "headers-too-large"),
    (b"GET / HTTP/1.1\r\nHost: echo" + b"".join(b"\r\nX%d: echo" % n for n in range(200)), 431, "headers-too-large"),
]  # fmt: skip


@pytest.mark.parametrize(("request_", "status", "code"), REFUSED)
async def test_refusal_of_the_parser_is_like_every_other(
    server: Server, connect_raw: ConnectRaw, request_: bytes, status: int, code: str
) -> None:
    client = await connect_raw(server)
    client.write(request_ + b"\r\n\r\n")
    line, _, rest = (await client.head()).partition(b"\r\n")
    assert line.startswith(b"HTTP/1.1 %d " % status)
    headers = {
        name.lower(): value.strip() for name, _, value in (row.partition(":") for row in rest.decode().split("\r\n"))
    }
    body = (await client.body(int(headers["content-length"]))).decode()
    error = json.loads(body)["error"]
    assert (error["code"], error["request_id"]) == (code, headers["x-request-id"])
    assert {"date", "content-security-policy", "x-content-type-options", "referrer-policy"} <= headers.keys()
    assert "echo" not in rest.decode() + body


async def test_body_in_another_encoding_is_refused(server: Server, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(server)
    bomb = gzip.compress(bytes(1_000_000))
    head = f"Host: a\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}"
    client.write(f"POST /api/v1/auth/guest HTTP/1.1\r\n{head}\r\n\r\n".encode() + bomb)
    response = await client.response()
    assert (response.status, json.loads(response.body)["error"]["code"]) == (415, "unsupported-media-type")
    assert response.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("body", [b"Content-Length: 40\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n5\r\n{"])
async def test_client_that_goes_away_in_its_body_is_no_failure_of_ours(
    server: Server, connect_raw: ConnectRaw, body: bytes
) -> None:
    client = await connect_raw(server)
    client.write(b"POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n" + body)
    await client.drain()
    await until_connections(server, 1)
    client.reset()
    await until_connections(server, 0)


@pytest.mark.parametrize("connection", ["close", "keep-alive"])
async def test_old_request_is_answered_with_our_version(
    server: Server, connect_raw: ConnectRaw, connection: str
) -> None:
    client = await connect_raw(server)
    client.write(f"GET /api/v1/openapi.json HTTP/1.0\r\nHost: localhost\r\nConnection: {connection}\r\n\r\n".encode())
    head = await client.head()
    assert head.startswith(b"HTTP/1.1 200 ")
    assert f"\r\nConnection: {connection}\r\n".encode() in head
