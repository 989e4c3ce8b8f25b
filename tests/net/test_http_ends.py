"""Where a request, its body and its connection end: half-closed connections, broken bodies, last answers."""

import asyncio
import json
import logging
import re
import ssl
from typing import Final

import pytest

from rhythmd.app import Server
from rhythmd.rest.serving import connection
from tests.certificates import Certificate
from tests.deadline import within
from tests.metrics import until_connections
from tests.raw import ConnectRaw, RawClient, frame, upgrade_request
from tests.server import Serve

LIVE: Final = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"
NONE: Final = b"GET /none HTTP/1.1\r\nHost: a\r\n\r\n"
GUEST: Final = b"POST /api/v1/auth/guest HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
CHUNKED: Final = GUEST + b"Transfer-Encoding: chunked\r\n\r\n"
BODY: Final = b"2\r\n{}\r\n0\r\n\r\n"
MANY: Final = "limits.auth_requests_per_minute=100000"


def statuses(answers: bytes) -> list[int]:
    """Of all answers in what came of a connection."""
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", answers)]


async def all_answers(client: RawClient, *parts: bytes, half_close: bool = False) -> bytes:
    """Everything until the server ends the connection; each part is sent when the one before has been read."""
    for number, part in enumerate(parts):
        if number:
            await asyncio.sleep(0.02)
        client.write(part)
        await client.drain()
    if half_close:
        client.half_close()
    return await client.rest()


# The client ends its side


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ([LIVE], [200]),
        ([LIVE + NONE + LIVE], [200, 404, 200]),
        ([LIVE * 100], [200] * 100),
        ([GUEST + b"Content-Length: 2\r\n\r\n{}"], [200]),
        ([CHUNKED + BODY], [200]),
        ([CHUNKED, BODY + LIVE], [200, 200]),
        ([LIVE + b"GET /no"], [200]),
        ([LIVE + b"GET /none HTTP/1.1\r\nHo"], [200]),
        ([GUEST + b"Content-Length: 20\r\n\r\n{}"], [400]),
        ([CHUNKED + b"2\r\n{}\r\n"], [400]),
        ([CHUNKED + b"2\r\n{"], [400]),
        ([b"POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n{}"], [404]),
        ([upgrade_request("/none") + LIVE], [404, 200]),
        ([upgrade_request()], []),
        ([LIVE + upgrade_request()], [200]),
        ([b"\r\n"], []),
        ([], []),
    ],
)
async def test_client_that_has_said_all_gets_its_answers(
    server: Server, connect_raw: ConnectRaw, sent: list[bytes], expected: list[int]
) -> None:
    assert statuses(await all_answers(await connect_raw(server), *sent, half_close=True)) == expected
    await until_connections(server, 0)


async def test_last_answer_to_a_client_that_has_said_all_says_so(server: Server, connect_raw: ConnectRaw) -> None:
    for request in (
        LIVE,
        NONE,
        GUEST + b"Content-Length: 2\r\n\r\n{}",
        LIVE.replace(b"/health/live", b"/api/v1/rooms/active"),
    ):
        answer = await all_answers(await connect_raw(server), request, half_close=True)
        assert re.search(rb"\r\nConnection: close\r\n", answer, re.IGNORECASE)


async def test_tls_connection_ends_with_its_answers_and_no_warning(
    serve: Serve, certificate: Certificate, caplog: pytest.LogCaptureFixture
) -> None:
    server = await serve(f"server.tls_cert={certificate.certificate}", f"server.tls_key={certificate.key}")
    tls = ssl.create_default_context(cafile=str(certificate.certificate))
    with caplog.at_level(logging.WARNING):
        for sent in (b"", LIVE, GUEST):
            _, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=tls)
            writer.write(sent)
            writer.close()
            await within(writer.wait_closed())
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=tls)
        writer.write(LIVE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert statuses(await within(reader.read())) == [200]
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=tls)
        writer.write(GUEST + b"Content-Length: 5000000\r\n\r\n" + b"x" * 1_000_000)
        answer = await within(reader.readuntil(b"}}"))
        assert (statuses(answer), b"\r\nConnection: close\r\n" in answer) == ([413], True)
        writer.close()
    assert not caplog.records


# Bodies that are none


@pytest.mark.parametrize(
    "broken",
    [
        b"ZZ\r\n",
        b"2\r\n{}ZZ",
        b"2\n{}\n0\n\n",
        b"0x2\r\n{}\r\n",
        b"-2\r\n{}\r\n",
        b"fffffffffffffffff\r\n",
        b"2\r\n{}\r\n0\r\nBad Name: x\r\n\r\n",
        b"2\r\n{}\r\n0\r\n" + b"X: y\r\n" * 1_000 + b"\r\n",
        b"2\r\n{}\r\n0\r\nX: " + b"y" * 10_000 + b"\r\n\r\n",
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
async def test_malformed_chunk_is_refused_at_once(
    server: Server, connect_raw: ConnectRaw, broken: bytes, at_once: bool
) -> None:
    parts = [CHUNKED + broken] if at_once else [CHUNKED, broken]
    answer = await all_answers(await connect_raw(server), *parts)
    assert statuses(answer) == [400]
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "bad-request"


async def test_malformed_body_that_nobody_reads_ends_the_connection(server: Server, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(server)
    client.write(CHUNKED.replace(b"/api/v1/auth/guest", b"/none"))
    assert (await client.response()).status == 404
    assert await all_answers(client, b"ZZ\r\n") == b""


@pytest.mark.parametrize("body", [BODY, b'2;a=b;c="d"\r\n{}\r\n000\r\n\r\n', b"1\r\n{\r\n1\r\n}\r\n0\r\nX: y\r\n\r\n"])
@pytest.mark.parametrize("step", [1, 7, 1_000])
async def test_chunked_body_ends_where_it_ends(serve: Serve, connect_raw: ConnectRaw, body: bytes, step: int) -> None:
    client = await connect_raw(await serve(MANY))
    await client.write_slowly((CHUNKED + body + LIVE) * 2, step)
    assert [(await client.response()).status for _ in range(4)] == [200] * 4


# What is known of transfer codings


@pytest.mark.parametrize(
    ("version", "framing", "status"),
    [
        (b"1.1", b"Transfer-Encoding: gzip, chunked", 501),
        (b"1.1", b"Transfer-Encoding: identity, chunked", 501),
        (b"1.1", b"Transfer-Encoding: gzip", 400),  # its end cannot be known (RFC 9112, 6.3)
        (b"1.1", b"Transfer-Encoding: chunked, gzip", 400),
        (b"1.1", b"Transfer-Encoding: chunked, chunked", 400),
        (b"1.1", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400),
        (b"1.1", b"Transfer-Encoding: chunked\r\nContent-Length: 12", 400),
        (b"1.1", b"Content-Length: 12\r\nTransfer-Encoding: chunked", 400),
        (b"1.1", b"Transfer-Encoding:\r\nContent-Length: 12", 400),
        (b"1.0", b"Transfer-Encoding: chunked", 400),
        (b"1.1", b"Content-Length: +12", 400),
        (b"1.1", b"Content-Length: 12, 12", 400),
        (b"1.1", b"Content-Length: 12\r\nContent-Length: 12", 400),
        (b"1.1", b"Content-Length:", 400),
        (b"1.1", b"Content-Length: 0xc", 400),
        (b"1.1", b"Content-Length: 99999999999999999999", 400),
    ],
)
async def test_body_of_which_the_end_is_in_doubt_ends_the_connection(
    server: Server, connect_raw: ConnectRaw, version: bytes, framing: bytes, status: int
) -> None:
    request = GUEST.replace(b"HTTP/1.1", b"HTTP/" + version) + framing + b"\r\n\r\n" + BODY + LIVE
    answer = await all_answers(await connect_raw(server), request)
    assert statuses(answer) == [status]
    assert b"\r\nConnection: close\r\n" in answer


# Requests behind requests


@pytest.mark.parametrize("version", [b"1.2", b"1.9"])
async def test_higher_minor_version_is_served(server: Server, connect_raw: ConnectRaw, version: bytes) -> None:
    client = await connect_raw(server)
    newer = LIVE.replace(b"1.1", version)
    client.write(newer + LIVE)
    client.write(newer)
    for _ in range(3):
        assert (await client.head()).startswith(b"HTTP/1.1 200 ")
        await client.body(len(b'{"status":"alive"}'))
    await client.write_slowly(newer)
    assert (await client.head()).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("bad", "status"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"\x00\x01\x02", 400),
        (b"GET / HTTP/3.0\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"GET / HTTP/0.9\r\n\r\n", 505),
        (b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        (b"GET /" + b"a" * 9_000, 414),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 9_000, 431),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200, 431),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: a\n\n", 400),
        (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", 400),
    ],
)
@pytest.mark.parametrize("before", [LIVE, LIVE * 40, upgrade_request("/none")])
async def test_what_is_wrong_is_refused_behind_the_answers_to_what_is_right(
    server: Server, connect_raw: ConnectRaw, before: bytes, bad: bytes, status: int
) -> None:
    answers = statuses(await all_answers(await connect_raw(server), before + bad))
    assert answers == [404 if b"/none" in before else 200] * before.count(b"GET") + [status]


async def test_request_behind_an_offer_of_another_protocol_is_answered(server: Server, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(server)
    offer = LIVE.replace(b"\r\n\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    client.write(offer + NONE + offer + LIVE)
    assert [(await client.response()).status for _ in range(4)] == [200, 404, 200, 200]
    client.write(upgrade_request(changes={"Upgrade": "h2c, websocket"}) + frame(0x89, b"early"))
    assert (await client.response()).status == 101
    await client.frame()
    assert (await client.frame()).payload == b"early"


async def test_flood_of_pipelined_requests_is_answered_as_it_is_read(server: Server, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(server)
    client.write(NONE * 2_000)
    assert {(await client.response()).status for _ in range(2_000)} == {404}


# The end of the connection


async def unread(client: RawClient, request: bytes) -> bytes:
    """The answer to what is refused while the client goes on sending for a moment."""
    client.write(request)
    await client.drain()
    answer = b""
    async with asyncio.timeout(5):
        answer = await client.head()
        for _ in range(5):
            client.write(b"x" * 10_000)
            await client.drain()
            await asyncio.sleep(0.005)
    return answer + await client.rest()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"NONSENSE\r\n\r\n", 400),
        (b"GET / HTTP/3.0\r\n\r\n", 505),
        (b"GET /" + b"a" * 100_000, 414),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 1_000_000, 431),
        (GUEST + b"Content-Length: 5000000\r\n\r\n" + b"x" * 1_000_000, 413),
        (CHUNKED + b"ZZ\r\n" + b"x" * 1_000_000, 400),
        (GUEST + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + b"x" * 1_000_000, 501),
        (b"GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + LIVE * 1_000, 200),
    ],
)
async def test_answer_is_not_overtaken_by_a_reset(
    server: Server, connect_raw: ConnectRaw, request_: bytes, status: int
) -> None:
    client = await connect_raw(server)
    assert statuses(await unread(client, request_)) == [status]
    await client.close()
    await until_connections(server, 0)


async def test_connection_that_is_one_too_many_reads_why(serve: Serve, connect_raw: ConnectRaw) -> None:
    server = await serve("limits.connections=1")
    await (await connect_raw(server)).upgrade()
    assert statuses(await unread(await connect_raw(server), LIVE * 1_000)) == [503]


async def test_client_that_goes_on_sending_is_not_listened_to_for_ever(
    server: Server, connect_raw: ConnectRaw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "LINGER_S", 0.05)
    client = await connect_raw(server)
    client.write(b"NONSENSE\r\n\r\n")
    await client.rest()

    async def go_on() -> None:
        while True:
            client.write(b"x" * 1_000)
            await client.drain()
            await asyncio.sleep(0.01)

    with pytest.raises(ConnectionError):
        await within(go_on())
