"""What a browser loads: once, compressed, and again only when it has changed."""

import gzip
import re
from collections.abc import Iterator
from typing import Final

import pytest

from rhythmd.app import Server
from tests.raw import ConnectRaw, RawClient, Response

PATHS: Final = (
    "/",
    "/static/app.js",
    "/static/style.css",
    "/api/v1/openapi.json",
    "/api/v1/docs",
    "/api/v1/docs/docs.js",
)


async def get(client: RawClient, path: str, *headers: tuple[str, str]) -> Response:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    client.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode())
    return await client.response()


@pytest.mark.parametrize("path", PATHS)
async def test_file_is_sent_once(server: Server, connect_raw: ConnectRaw, path: str) -> None:
    client = await connect_raw(server)
    plain = await get(client, path)
    packed = await get(client, path, ("Accept-Encoding", "gzip, deflate, br"))
    assert plain.status == packed.status == 200
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < len(plain.body)
    assert plain.headers["etag"] != packed.headers["etag"], "they are other bytes"
    for first, coding in ((plain, "identity"), (packed, "gzip")):
        assert first.headers["vary"] == "Accept-Encoding"
        again = await get(client, path, ("If-None-Match", first.headers["etag"]), ("Accept-Encoding", coding))
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", first.headers["etag"])
        assert again.headers["vary"] == "Accept-Encoding"
        assert again.headers["cache-control"] == first.headers["cache-control"]


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        ("gzip", True),
        ("GZIP;Q=0.5", True),
        ("x-gzip", True),
        ("*", True),
        ("br;q=1, *;q=0.1", True),
        ("gzip;q=1.0, identity;q=0.5", True),
        ("deflate, gzip ; q=0.3", True),
        ("", False),
        ("identity", False),
        ("br, deflate", False),
        ("gzip;q=0", False),
        ("gzip;q=0, *", False),
        ("*;q=0", False),
        ("gzip;q=0.5, identity;q=0.8", False),
        ("gzip;q=nonsense", False),
    ],
)
async def test_client_gets_the_form_that_it_takes(
    server: Server, connect_raw: ConnectRaw, accepted: str, packed: bool
) -> None:
    response = await get(await connect_raw(server), "/static/app.js", ("Accept-Encoding", accepted))
    assert (response.headers.get("content-encoding") == "gzip") is packed


def conditions(etag: str) -> Iterator[tuple[tuple[tuple[str, str], ...], int]]:
    """Headers, and the status that they lead to."""
    name = "If-None-Match"
    for value in (etag, f"W/{etag}", f'"a", {etag}', f'{etag},"b"', "*", f' "a,b" ,W/{etag} ', f'"a" {etag}'):
        yield ((name, value),), 304
    yield ((name, '"a"'), (name, etag)), 304
    for value in ('"a"', etag.strip('"'), etag[:-2] + '"', "", '"*"', "a, *"):
        yield ((name, value),), 200
    yield ((name, '"a"'), (name, '"b"')), 200


async def test_condition_is_read_in_all_its_forms(server: Server, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(server)
    for path in ("/static/app.js", "/api/v1/rooms/active"):
        etag = (await get(client, path)).headers["etag"]
        for headers, status in conditions(etag):
            assert (await get(client, path, *headers)).status == status, headers


async def test_page_names_files_that_may_be_kept_for_ever(server: Server, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(server)
    page = await get(client, "/")
    assert page.headers["cache-control"] == "private, no-cache"  # it comes with a cookie
    names = re.findall(rb'"(static/[0-9a-f]+/[\w.-]+)"', page.body)
    assert len(names) >= 3
    for name in names:
        file = await get(client, f"/{name.decode()}")
        assert "immutable" in file.headers["cache-control"]
        earlier = await get(client, "/static/0123456789abcdef/" + name.decode().rpartition("/")[2])
        assert (earlier.body, earlier.headers["cache-control"]) == (file.body, "no-cache")
    assert (await get(client, "/static/0123456789abcdef/nothing.js")).status == 404


async def test_head_says_what_get_sends(server: Server, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(server)
    for path in PATHS:
        whole = await get(client, path)
        client.write(f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        head = (await client.head()).decode().lower()
        assert f"content-length: {len(whole.body)}\r\n" in head
        assert f"etag: {whole.headers['etag']}\r\n" in head
