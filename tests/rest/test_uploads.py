"""Files in requests: streamed to disk, bounded in size and time, and their form's fields checked like JSON."""

import asyncio
import contextlib
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson
import pytest
from aiohttp import web
from msgspec import Struct, field

from rhythmd.app import Server
from rhythmd.config import LimitsConfig
from rhythmd.fairness.turns import Turns
from rhythmd.rest.serving.call import Call, Input, Route
from rhythmd.rest.serving.dispatcher import Dispatcher
from rhythmd.rest.serving.guard import Endpoint, RequestGuard
from rhythmd.rest.serving.origins import Origins
from rhythmd.rest.serving.paths import PathMatcher
from rhythmd.rest.serving.rates import Rates
from rhythmd.rest.serving.reports import Reports
from rhythmd.rest.serving.source import RequestSource
from rhythmd.rest.serving.uploads import Upload, UploadReader
from rhythmd.telemetry import Stats
from rhythmd.workers.scratch import ScratchFolder, parts_of
from tests.conftest import ErrorLog
from tests.deadline import until, within
from tests.rest.api import UNLIMITED, open_api
from tests.server import ServerProcess, Spawn, make_config

LIMIT: Final = 200_000
LARGE: Final = 5_000_000
AT_ONCE: Final = 40
CONTENT: Final = bytes(range(256)) * 700
LIMITS: Final = LimitsConfig(body_bytes=2_000, upload_s=3.0, requests_per_minute=10_000)


class Fields(Input, frozen=True):
    """Fields of all kinds."""

    title: str
    year: int = 0
    public: bool = False
    tags: list[str] = field(default_factory=list)


class Echo(Struct, frozen=True):
    """What a handler got."""

    fields: Fields
    name: str | None
    size: int
    sha256: str


async def echo(call: Call[Fields]) -> Echo:
    """Say what came."""
    if call.file is None:
        return Echo(call.input, None, 0, "")
    content = b"".join([part async for part in parts_of(call.file.content)])
    return Echo(call.input, call.file.name, call.file.size, sha256(content).hexdigest())


Send = Callable[..., Awaitable[tuple[int, Any]]]


@pytest.fixture
async def url(server: Server, tmp_path: Path) -> AsyncIterator[str]:
    """Where a server with two routes for files is: `/strict` needs one, `/lax` takes JSON as well."""
    config = make_config(tmp_path)
    source = RequestSource(config.server)
    origins = Origins(config.server, source)
    uploads = UploadReader(ScratchFolder(tmp_path / "scratch"), LIMITS)
    guard = RequestGuard(
        server.auth.authenticator, Rates(LIMITS), origins, source, LIMITS, server.auth.auditor, {}, uploads
    )
    rows = []
    for path, is_required in (("/strict", True), ("/lax", False)):
        upload = Upload(limit=LIMIT, media_types=("audio/midi",), is_required=is_required)
        route = Route(method="POST", path=path, handler=echo, input=Fields, answer=Echo, upload=upload)
        rows.append(("POST", path, Endpoint(route, guard).handle))
    turns = Turns(asyncio.get_running_loop(), LIMITS, Stats())
    dispatcher = Dispatcher(PathMatcher(rows), origins, source, Reports(config.errors), turns)
    loop = asyncio.get_running_loop()
    factory = partial(web.BaseRequest, loop=loop, client_max_size=LIMITS.body_bytes)
    http = web.Server(dispatcher.answer, request_factory=factory, access_log=None, lingering_time=0.1)
    listener = await loop.create_server(http, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    listener.close()
    http.pre_shutdown()
    await http.shutdown(1)
    assert open_scratch(tmp_path) == 0


@pytest.fixture
async def send(url: str) -> AsyncIterator[Send]:
    """Posts data: status and body."""
    async with aiohttp.ClientSession(url) as session:

        async def post(path: str, data: Any, **headers: str) -> tuple[int, Any]:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            async with await within(session.post(path, data=data, headers=sent)) as answer:
                return answer.status, orjson.loads(await answer.read())

        yield post


def open_scratch(folder: Path) -> int:
    """How many scratch files of a folder this process has open."""
    count = 0
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            count += str(entry.readlink()).startswith(str(folder / "scratch"))
    return count


def form(content: bytes | None = CONTENT, /, **fields: str) -> aiohttp.FormData:
    made = aiohttp.FormData(default_to_multipart=True)
    for name, value in fields.items():
        made.add_field(name, value)
    if content is not None:
        made.add_field("file", content, filename="a.mid", content_type="image/png")
    return made


def code(answer: tuple[int, Any]) -> tuple[int, str, str | None]:
    status, body = answer
    return status, body["error"]["code"], body["error"]["field"]


async def test_form_brings_file_and_fields(send: Send) -> None:
    data = form(title="Träumerei", year="1838", public="true")
    data.add_field("tags", "romantic")
    data.add_field("tags", "slow")
    status, body = await send("/strict", data)
    assert status == 200
    fields = {"title": "Träumerei", "year": 1838, "public": True, "tags": ["romantic", "slow"]}
    assert body == {
        "fields": fields, "name": "a.mid", "size": len(CONTENT), "sha256": sha256(CONTENT).hexdigest(),
    }  # fmt: skip


@pytest.mark.parametrize("tags", [["romantic"], ["romantic", "slow"], []])
async def test_list_as_json_in_one_field(send: Send, tags: list[str]) -> None:
    data = form(title="x")
    data.add_field("tags", orjson.dumps(tags).decode(), content_type="application/json")
    assert (await send("/strict", data))[1]["fields"]["tags"] == tags


async def test_one_value_of_a_list_is_a_list(send: Send) -> None:
    assert (await send("/strict", form(title="x", tags="romantic")))[1]["fields"]["tags"] == ["romantic"]


async def test_file_alone_is_the_body(send: Send) -> None:
    answer = await send("/strict", CONTENT, Content_Type="audio/midi")
    assert code(answer) == (400, "invalid-field", "title"), "the fields are missing"


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({}, "title"),
        ({"title": "x", "year": "soon"}, "year"),
        ({"title": "x", "public": "perhaps"}, "public"),
        ({"title": "x", "owner": "me"}, "owner"),
    ],
)
async def test_field_that_is_wrong_is_named(send: Send, fields: dict[str, str], name: str) -> None:
    assert code(await send("/strict", form(**fields))) == (400, "invalid-field", name)


async def test_field_twice_is_refused(send: Send) -> None:
    data = form(title="x")
    data.add_field("title", "y")
    assert code(await send("/strict", data)) == (400, "bad-request", "title")


async def test_field_that_is_no_text_is_refused(send: Send) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="title"\r\n\r\n\xff\r\n--x--\r\n'
    answer = await send("/strict", body, Content_Type="multipart/form-data; boundary=x")
    assert code(answer) == (400, "invalid-field", "title")


async def test_file_in_another_field_is_refused(send: Send) -> None:
    data = form(title="x")
    data.add_field("title", b"y", filename="b.mid")
    assert code(await send("/strict", data)) == (400, "invalid-field", "title")


async def test_two_files_are_refused(send: Send) -> None:
    data = form(title="x")
    data.add_field("file", b"y", filename="b.mid")
    assert code(await send("/strict", data)) == (400, "bad-request", None)


async def test_form_without_a_file_is_refused_where_one_is_needed(send: Send) -> None:
    assert code(await send("/strict", form(None, title="x"))) == (400, "invalid-field", "file")
    data = form(None, title="x")
    data.add_field("file", b"", filename="", content_type="application/octet-stream")  # a browser's empty choice
    assert code(await send("/strict", data)) == (400, "invalid-field", "file")
    status, body = await send("/lax", form(None, title="x"))
    assert (status, body["name"]) == (200, None)


async def test_json_is_taken_only_where_no_file_is_needed(send: Send) -> None:
    data = orjson.dumps({"title": "x", "tags": ["a"]})
    status, body = await send("/lax", data, Content_Type="application/json")
    assert (status, body["fields"]["tags"], body["name"]) == (200, ["a"], None)
    assert code(await send("/strict", data, Content_Type="application/json"))[:2] == (415, "unsupported-media-type")
    assert code(await send("/strict", CONTENT, Content_Type="image/png"))[:2] == (415, "unsupported-media-type")


async def test_largest_file_is_taken_and_one_byte_more_is_not(send: Send) -> None:
    status, body = await send("/strict", form(bytes(LIMIT), title="x"))
    assert (status, body["size"], body["sha256"]) == (200, LIMIT, sha256(bytes(LIMIT)).hexdigest())
    assert code(await send("/strict", form(bytes(LIMIT + 1), title="x")))[:2] == (413, "too-large")
    assert code(await send("/lax", bytes(LIMIT + 1), Content_Type="audio/midi"))[:2] == (413, "too-large")


async def test_fields_that_are_too_long_are_refused(send: Send) -> None:
    assert code(await send("/strict", form(title="x" * 3_000)))[:2] == (413, "too-large")


async def test_too_many_fields_are_refused(send: Send) -> None:
    data = form(title="x")
    for _ in range(101):
        data.add_field("tags", "a")
    assert code(await send("/strict", data)) == (400, "bad-request", None)


async def chunks(total: int) -> AsyncIterator[bytes]:
    for _ in range(total // 1_000):
        yield bytes(1_000)


async def test_file_of_unknown_length_is_cut_off_at_the_limit(send: Send) -> None:
    answer = await send("/lax", chunks(LIMIT * 10), Content_Type="audio/midi")
    assert code(answer)[:2] == (413, "too-large")


@pytest.mark.parametrize("body", [b"", b"--x", b"--x--", b"--x\r\n\r\n\r\n--x--", b"\xff" * 100])
async def test_body_that_is_no_form_is_refused(send: Send, body: bytes) -> None:
    answer = await send("/strict", body, Content_Type="multipart/form-data; boundary=x")
    assert code(answer)[0] == 400


async def test_form_without_a_boundary_is_refused(send: Send) -> None:
    assert code(await send("/strict", b"", Content_Type="multipart/form-data")) == (400, "bad-request", None)


def raw(url: str, length: int, kind: str = "audio/midi") -> bytes:
    return f"POST /lax HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n".encode()


async def connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))


async def test_slow_sender_is_refused(url: str) -> None:
    reader, writer = await connect(url)
    writer.write(raw(url, 1_000) + bytes(500))
    head = await within(reader.readuntil(b"\r\n\r\n"))
    assert b" 408 " in head
    assert b"connection: close" in head.lower()
    writer.close()
    await writer.wait_closed()


async def test_length_over_the_limit_is_refused_before_the_body_is_sent(url: str) -> None:
    reader, writer = await connect(url)
    writer.write(raw(url, 2_000_000_000))
    assert b" 413 " in await within(reader.readuntil(b"\r\n\r\n"))
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("kind", ["audio/midi", "multipart/form-data; boundary=x"])
async def test_sender_that_hangs_up_is_no_error(url: str, tmp_path: Path, errors_logged: ErrorLog, kind: str) -> None:
    _, writer = await connect(url)
    begin = b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n' + bytes(1_000)
    writer.write(raw(url, 100_000, kind) + begin)
    await until(lambda: open_scratch(tmp_path) == 1, "the file is being read")
    writer.transport.abort()
    await until(lambda: open_scratch(tmp_path) == 0, "the file is gone")


async def test_compressed_body_is_refused(send: Send) -> None:
    packed = zlib.compress(bytes(50_000_000))
    answer = await send("/lax", packed, Content_Type="audio/midi", Content_Encoding="deflate")
    assert code(answer)[:2] == (415, "unsupported-media-type")


async def begin_upload(port: int, token: str, size: int) -> asyncio.StreamWriter:
    """The beginning of a form with a large file, with so many bytes of it."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    head = (
        f"POST /api/v1/sheet_music/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {size + 1_000}\r\n\r\n"
        '--x\r\nContent-Disposition: form-data; name="file"; filename="a.mid"\r\n\r\n'
    )
    writer.write(head.encode() + bytes(size))
    await within(writer.drain())
    return writer


def scratch_sizes(server: ServerProcess) -> list[int]:
    """The bytes of each scratch file that a server has open."""
    sizes: list[int] = []
    for entry in Path(f"/proc/{server.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            if "/scratch/" in str(entry.readlink()):
                sizes.append(entry.stat().st_size)
    return sizes


async def test_files_on_their_way_are_on_disk_and_not_in_memory(spawn: Spawn) -> None:
    server = await spawn(*UNLIMITED, "limits.uploads_per_minute=1000")
    async with open_api(server) as api:
        token = (await api.register()).access_token
    before = server.resident_bytes
    writers = await asyncio.gather(*(begin_upload(server.port, token, LARGE) for _ in range(AT_ONCE)))
    await until(lambda: sum(scratch_sizes(server)) > AT_ONCE * (LARGE - 200_000), "all is written")
    assert len(scratch_sizes(server)) == AT_ONCE
    assert server.resident_bytes - before < AT_ONCE * LARGE / 4
    for writer in writers:
        writer.transport.abort()
    await until(lambda: not scratch_sizes(server), "all is gone")
