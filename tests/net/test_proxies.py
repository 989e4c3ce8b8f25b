"""Behind a proxy the server tells its visitors apart: for bans, limits, pages and cookies, over real sockets."""

import asyncio
import json
import ssl
import struct
from typing import Final

import pytest

from rhythm_protocol.messages import RoomLeft
from rhythmd.app import Server
from rhythmd.net.proxy_protocol import SIGNATURE_2
from tests.certificates import Certificate
from tests.client import Client, Connect
from tests.deadline import within
from tests.raw import ConnectRaw, RawClient, frame, upgrade_request
from tests.rest.api import open_api
from tests.server import Serve

PING: Final = 0x89
LIVE: Final = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
PROXY_1: Final = b"PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\n"
PROXY_2: Final = SIGNATURE_2 + struct.pack(">BBH", 0x21, 0x11, 12) + bytes((203, 0, 113, 7, 192, 0, 2, 1, 1, 2, 3, 4))
NOBODY_TRUSTED: Final = "server.trusted_proxies=[]"
PUBLIC: Final = "https://piano.example"


def forwarded(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address}


async def banned_then(connect: Connect, server: Server, banned: str, other: str) -> str | None:
    """The code of what a guest of address `other` meets in a room that has banned one of address `banned`."""
    owner: Client = await connect(server, headers=forwarded("198.51.100.1"))
    guest = await connect(server, headers=forwarded(banned))
    room = f"Salon of {banned}"
    for client in (owner, guest):
        await client.join(room)
    await owner.ask("ban", {"user": guest.welcome.user.id})
    await guest.expect(RoomLeft)
    newcomer = await connect(server, headers=forwarded(other))
    answer = await newcomer.answer("join-room", {"room": room})
    return None if answer.error is None else answer.error.code


async def test_ban_of_a_guest_holds_for_its_address_and_for_nobody_else(server: Server, connect: Connect) -> None:
    assert await banned_then(connect, server, "203.0.113.7", "203.0.113.7") == "banned"
    assert await banned_then(connect, server, "203.0.113.9", "203.0.113.10") is None


async def test_ban_holds_for_a_network_of_ipv6(server: Server, connect: Connect) -> None:
    assert await banned_then(connect, server, "2001:db8:0:1::1", "[2001:db8:0:1:2::3]:4711") == "banned"
    assert await banned_then(connect, server, "2001:db8:0:2::1", "2001:db8:0:3::1") is None


async def test_nobody_is_banned_for_an_address_that_no_trusted_proxy_told(serve: Serve, connect: Connect) -> None:
    server = await serve(NOBODY_TRUSTED)
    assert await banned_then(connect, server, "203.0.113.7", "203.0.113.7") is None


async def test_sockets_of_one_address_are_limited_behind_a_proxy(serve: Serve, connect_raw: ConnectRaw) -> None:
    server = await serve("limits.connections_per_address=2")
    first, second, third, other = [await connect_raw(server) for _ in range(4)]
    for client in (first, second, third):
        client.write(LIVE)  # one connection of a proxy carries many clients' requests
        assert (await client.response()).status == 200
    await first.upgrade(changes=forwarded("203.0.113.7"))
    await second.upgrade(changes=forwarded("203.0.113.7:81"))
    third.write(upgrade_request(changes=forwarded("203.0.113.7")))
    response = await third.response()
    assert (response.status, json.loads(response.body)["error"]["code"]) == (503, "busy")
    assert "retry-after" in response.headers
    await other.upgrade(changes=forwarded("203.0.113.8"))
    first.reset()
    while True:
        third.write(upgrade_request(changes=forwarded("203.0.113.7")))
        if (await third.response()).status == 101:
            break


@pytest.mark.parametrize("header", [PROXY_1, PROXY_2])
@pytest.mark.parametrize("step", [1, 5, 1_000])
async def test_balancer_of_tcp_names_the_client(
    serve: Serve, connect_raw: ConnectRaw, header: bytes, step: int
) -> None:
    server = await serve("limits.connections_per_address=1")
    client = await connect_raw(server)
    await client.write_slowly(header + LIVE, step)
    assert (await client.response()).status == 200
    await client.upgrade()
    client.write(frame(PING, b"here"))
    await client.frame()
    assert (await client.frame()).payload == b"here"
    second = await connect_raw(server)
    second.write(header + upgrade_request())
    assert (await second.response()).status == 503
    plain = await connect_raw(server)
    plain.write(LIVE)
    assert (await plain.response()).status == 200


@pytest.mark.parametrize("header", [PROXY_1, PROXY_2])
async def test_proxy_header_of_a_stranger_is_no_http(serve: Serve, connect_raw: ConnectRaw, header: bytes) -> None:
    client = await connect_raw(await serve(NOBODY_TRUSTED))
    client.write(header + LIVE)
    assert (await client.response()).status == 400


async def test_bad_proxy_header_ends_the_connection(server: Server, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(server)
    client.write(b"PROXY TCP4 nobody\r\n" + LIVE)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await client.response()


async def test_proxy_header_that_never_ends_is_given_up(serve: Serve, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(await serve("limits.handshake_s=0.1"))
    client.write(PROXY_1[:20])
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await client.response()


@pytest.mark.parametrize("header", [b"", PROXY_1, PROXY_2])
@pytest.mark.parametrize("at_once", [False, True])
async def test_tls_may_begin_behind_a_proxy_header(
    serve: Serve, certificate: Certificate, header: bytes, at_once: bool
) -> None:
    server = await serve(f"server.tls_cert={certificate.certificate}", f"server.tls_key={certificate.key}")
    tls = ssl.create_default_context(cafile=str(certificate.certificate))
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    outgoing, incoming = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = tls.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    if not at_once:
        writer.write(header)
        await writer.drain()
        header = b""
    with pytest.raises(ssl.SSLWantReadError):
        session.do_handshake()
    writer.write(header + outgoing.read())
    while True:
        incoming.write(await within(reader.read(65_536)))
        try:
            session.do_handshake()
            break
        except ssl.SSLWantReadError:
            writer.write(outgoing.read())
    session.write(LIVE)  # in one segment with the end of the handshake
    writer.write(outgoing.read())
    answer = b""
    while not answer.endswith(b"}"):
        incoming.write(await within(reader.read(65_536)))
        try:
            answer += session.read()
        except ssl.SSLWantReadError:
            continue
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    writer.close()


# Pages


def socket_status(origin: str, host: str = "upstream:8080", more: dict[str, str] | None = None) -> bytes:
    return upgrade_request(changes={"Origin": origin, "Host": host, **(more or {})})


async def status(client: RawClient, request: bytes) -> int:
    client.write(request)
    return (await client.response()).status


@pytest.mark.parametrize(
    ("origin", "host", "expected"),
    [
        (PUBLIC, "upstream:8080", 101),
        ("https://PIANO.example:443", "upstream:8080", 101),
        ("http://upstream:8080", "upstream:8080", 101),
        ("https://other.example", "other.example", 101),
        ("https://other.example", "other.example:443", 101),
        ("http://other.example", "Other.example:80", 101),
        ("http://[2001:db8::1]:8080", "[2001:db8::1]:8080", 101),
        ("http://piano.example", "upstream:8080", 403),
        ("https://piano.example:8443", "upstream:8080", 403),
        ("https://piano.example.evil.example", "upstream:8080", 403),
        ("https://evil.example/https://piano.example", "upstream:8080", 403),
        ("https://piano.example@evil.example", "upstream:8080", 403),
        ("http://other.example:8080", "other.example", 403),
        ("http://other.example", "other.example:443", 403),
        ("null", "upstream:8080", 403),
        ("", "upstream:8080", 403),
        ("file://", "upstream:8080", 403),
    ],
)
async def test_page_of_our_own_address_may_connect_and_ask(
    serve: Serve, connect_raw: ConnectRaw, origin: str, host: str, expected: int
) -> None:
    server = await serve(f"server.public_url={PUBLIC}/piano")
    assert await status(await connect_raw(server), socket_status(origin, host)) == expected
    async with open_api(server) as api:
        answer = await api.call("POST", "/auth/guest", {}, headers={"Origin": origin, "Host": host})
    assert answer.status == (200 if expected == 101 else 403)


@pytest.mark.parametrize(
    ("origin", "more", "expected"),
    [
        ("https://other.example", {"X-Forwarded-Proto": "https"}, 101),
        ("http://other.example", {"X-Forwarded-Proto": "https"}, 403),
        ("HTTP://other.example", {"X-Forwarded-Proto": "https"}, 403),
        ("http://other.example", {"Forwarded": "for=203.0.113.7;proto=https;host=other.example"}, 403),
        ("http://other.example", {"X-Forwarded-Proto": "http"}, 101),
        ("http://other.example", {}, 101),
        # The public address is encrypted, whether the proxy says so or not.
        ("http://piano.example", {"Host": "piano.example"}, 403),
        ("http://piano.example:8080", {"Host": "piano.example:8080"}, 403),
        ("https://piano.example", {"Host": "piano.example"}, 101),
    ],
)
async def test_page_without_tls_speaks_for_no_visitor_who_comes_through_it(
    serve: Serve, connect_raw: ConnectRaw, origin: str, more: dict[str, str], expected: int
) -> None:
    server = await serve(f"server.public_url={PUBLIC}/piano")
    headers = {"Host": "other.example", **more}
    request = upgrade_request(changes={"Origin": origin, **headers})
    assert await status(await connect_raw(server), request) == expected
    async with open_api(server) as api:
        answer = await api.call("POST", "/auth/guest", {}, headers={"Origin": origin, **headers})
    assert answer.status == (200 if expected == 101 else 403)


async def test_host_that_a_proxy_tells_is_ours(serve: Serve, connect_raw: ConnectRaw) -> None:
    for trusted, expected in ((True, 101), (False, 403)):
        server = await serve(*([] if trusted else [NOBODY_TRUSTED]))
        for told in ({"X-Forwarded-Host": "piano.example"}, {"Forwarded": "for=203.0.113.7;host=piano.example"}):
            assert await status(await connect_raw(server), socket_status(PUBLIC, more=told)) == expected


# A path in front of everything


@pytest.mark.parametrize("prefix", ["", "/piano"])
async def test_everything_is_below_the_path_of_the_public_address(serve: Serve, connect: Connect, prefix: str) -> None:
    """A proxy may take the path away, or leave it."""
    server = await serve(f"server.public_url={PUBLIC}/piano")
    async with open_api(server) as api:
        for path in ("/", "/api/v1/openapi.json", "/api/v1/docs", "/health/live", "/static/app.js"):
            assert (await api.download(f"{prefix}{path}")).status == 200, path
        assert (await api.download("/pianos/health/live")).status == 404
        assert (await api.download("/piano/piano/health/live")).status == 404
        answer = await api.call("POST", "/auth/guest", {"cookies": True}, headers={"X-Forwarded-Proto": "https"})
        cookie = answer.cookies["__Secure-rhythm_access"]
        assert (cookie["path"], cookie["secure"]) == ("/piano", True)
        headers = {"Cookie": f"{cookie.key}={cookie.value}", "Origin": PUBLIC}
        ticket = await api.call("POST", "/auth/ticket", {}, headers=headers)
        assert ticket.status in (200, 201), ticket.body
        url: str = ticket.body["url"]
        assert url.startswith("wss://piano.example/piano/ws?ticket=")
        client = await connect(server, path=f"{prefix}/ws?{url.partition('?')[2]}")
        assert client.welcome.user.guest


async def test_folder_without_its_slash_leads_to_the_one_with_it(serve: Serve, connect_raw: ConnectRaw) -> None:
    server = await serve(f"server.public_url={PUBLIC}/piano")
    client = await connect_raw(server)
    client.write(b"GET /piano?a=b HTTP/1.1\r\nHost: a\r\n\r\n")
    response = await client.response()
    assert (response.status, response.headers["location"]) == (308, "/piano/?a=b")
