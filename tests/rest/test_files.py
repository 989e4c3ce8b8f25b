"""Downloads in parts (RFC 9110, 13 and 14), against a server, and for files that no recording is like."""

from collections.abc import AsyncIterator
from typing import Any, Final

import aiohttp
import pytest
from aiohttp.test_utils import make_mocked_request

from rhythmd.app import Server
from rhythmd.ports import StoreUnavailable
from rhythmd.rest.serving.envelope import ApiError
from rhythmd.rest.serving.files import ServedFile, file_response
from rhythmd.rows import Recording
from tests.client import Connect
from tests.rest.api import Api, Download
from tests.rest.test_recordings import open_socket, record

SIZE: Final = 1_000
HUGE: Final = "9" * 5_000


@pytest.fixture
async def url(api: Api, patient: Server, connect: Connect) -> str:
    """Where a recording's file is."""
    clara = await api.register("Clara")
    return (await record(await open_socket(api, patient, connect, clara.access_token))).url


@pytest.fixture
async def whole(api: Api, url: str) -> Download:
    answer = await api.download(url)
    assert (answer.status, answer.headers["Accept-Ranges"]) == (200, "bytes")
    return answer


PARTS: Final = {
    "bytes=0-0": (0, 1),
    "bytes=0-": (0, None),
    "bytes=5-20": (5, 21),
    "bytes=5-5": (5, 6),
    "bytes=10-99999": (10, None),
    f"bytes=10-{HUGE}": (10, None),
    "bytes=-1": (-1, None),
    "bytes=-10": (-10, None),
    "bytes=-99999": (0, None),
    f"bytes=-{HUGE}": (0, None),
    "bytes=0000000000000000000000005-0000000000000000000000006": (5, 7),
    "BYTES=1-2": (1, 3),
    "bytes= 1-2": (1, 3),
    "bytes=,1-2 ,": (1, 3),
}
IGNORED: Final = (
    "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-4", "bytes=1--2", "bytes=--1", "bytes=1", "bytes=+1-2",
    "bytes=1-2,4-5", "bytes=-1,-2", "items=0-1", "bytes 0-1", "bytes=0x1-2", "bytes=1.0-2", "bytes=1 - 2", "bytes=²-³",
    "=0-1", "bytes==0-1", "0-1", "",
)  # fmt: skip
UNSATISFIABLE: Final = ("bytes=99999-", "bytes=99999-100000", "bytes=-0", "bytes=-00", f"bytes={HUGE}-")


@pytest.mark.parametrize("wanted", PARTS)
async def test_range_gives_a_part(api: Api, url: str, whole: Download, wanted: str) -> None:
    answer = await api.download(url, headers={"Range": wanted})
    start, stop = PARTS[wanted]
    content = whole.content[start:stop]
    assert (answer.status, answer.content) == (206, content)
    size = len(whole.content)
    first = range(size)[start]
    assert answer.headers["Content-Range"] == f"bytes {first}-{first + len(content) - 1}/{size}"
    assert answer.headers["Content-Length"] == str(len(content))
    for name in ("ETag", "Content-Type", "Content-Disposition", "Cache-Control"):
        assert answer.headers[name] == whole.headers[name]


@pytest.mark.parametrize("wanted", IGNORED)
async def test_what_is_no_single_range_gives_all(api: Api, url: str, whole: Download, wanted: str) -> None:
    answer = await api.download(url, headers={"Range": wanted})
    assert (answer.status, answer.content) == (200, whole.content)
    assert "Content-Range" not in answer.headers


@pytest.mark.parametrize("wanted", UNSATISFIABLE)
async def test_range_behind_the_end_is_refused(api: Api, url: str, whole: Download, wanted: str) -> None:
    answer = await api.download(url, headers={"Range": wanted})
    assert answer.status == 416
    assert answer.headers["Content-Range"] == f"bytes */{len(whole.content)}"
    assert b"range-not-satisfiable" in answer.content


async def test_if_match_gives_no_other_version(api: Api, url: str, whole: Download) -> None:
    etag = whole.headers["ETag"]
    for condition, status in (
        (etag, 200),
        ("*", 200),
        (f'"another", {etag}', 200),
        (f"W/{etag}", 412),
        ('"another"', 412),
        ("nonsense", 412),
    ):
        for path in (url, "/static/app.js", "/api/v1/rooms/active"):
            tag = (await api.download(path)).headers["ETag"]
            answer = await api.download(path, headers={"If-Match": condition.replace(etag, tag)})
            assert answer.status == status, (path, condition)
    assert b"precondition-failed" in answer.content


async def test_if_range_gives_a_part_only_of_the_same_version(api: Api, url: str, whole: Download) -> None:
    etag = whole.headers["ETag"]
    for condition, status in (
        (etag, 206),
        (f"W/{etag}", 200),
        ('"another"', 200),
        ("Sat, 29 Oct 1994 19:43:31 GMT", 200),
        ("nonsense", 200),
    ):
        answer = await api.download(url, headers={"Range": "bytes=0-3", "If-Range": condition})
        assert answer.status == status
    changed = await api.download(url, headers={"Range": "bytes=99999-", "If-Range": '"another"'})
    assert (changed.status, changed.content) == (200, whole.content)


async def test_file_that_one_has_is_not_sent_in_parts(api: Api, url: str, whole: Download) -> None:
    headers = {"Range": "bytes=0-3", "If-None-Match": whole.headers["ETag"]}
    answer = await api.download(url, headers=headers)
    assert (answer.status, answer.content) == (304, b"")


async def test_head_tells_of_all_of_it(api: Api, url: str, whole: Download) -> None:
    path = url.removeprefix("/api/v1")
    for headers in ({}, {"Range": "bytes=0-3"}, {"Range": "bytes=99999-"}):
        answer = await api.call("HEAD", path, headers=headers)
        assert (answer.status, answer.body) == (200, None)
        assert int(answer.headers["Content-Length"]) == len(whole.content)
        assert answer.headers["Accept-Ranges"] == "bytes"
    known = await api.call("HEAD", path, headers={"If-None-Match": whole.headers["ETag"]})
    assert known.status == 304


async def test_parts_together_are_the_file(api: Api, url: str, whole: Download) -> None:
    content = b""
    while len(content) < len(whole.content):
        begin = len(content)
        content += (await api.download(url, headers={"Range": f"bytes={begin}-{begin + 6}"})).content
    assert content == whole.content


async def test_document_has_the_statuses(api: Api) -> None:
    document: Any = (await api.call("GET", "/openapi.json")).body
    responses = document["paths"]["/api/v1/recordings/{id}/file"]["get"]["responses"]
    assert {"200", "206", "304", "404", "416"} <= set(responses)
    assert responses["206"]["content"] == responses["200"]["content"]


# Other files


async def nothing(start: int, stop: int) -> AsyncIterator[bytes]:
    async def no_parts() -> AsyncIterator[bytes]:
        yield bytes(stop - start)

    return no_parts()


def served(size: int = SIZE, name: str = "a.mid") -> ServedFile:
    return ServedFile('"1"', size, "audio/midi", name, "no-cache", nothing)


async def test_empty_file_has_no_part() -> None:
    for wanted in ("bytes=-5", ""):
        response = await file_response(make_mocked_request("GET", "/", {"Range": wanted}), served(0))
        assert (response.status, response.headers["Content-Length"]) == (200, "0")
    for wanted in ("bytes=0-0", "bytes=0-"):
        with pytest.raises(ApiError) as caught:
            await file_response(make_mocked_request("GET", "/", {"Range": wanted}), served(0))
        assert (caught.value.code.status, caught.value.headers["Content-Range"]) == (416, "bytes */0")


@pytest.mark.parametrize(
    "name", ['"; x="', "a\r\nSet-Cookie: b=c", "../../etc/passwd", "\udc80", "a" * 2_000, "", "夜想曲"]
)
async def test_name_cannot_leave_its_place(name: str) -> None:
    response = await file_response(make_mocked_request("GET", "/"), served(name=name))
    disposition = response.headers["Content-Disposition"]
    assert disposition.isascii()
    assert disposition.isprintable()
    plain = disposition.removeprefix('attachment; filename="').partition("\"; filename*=UTF-8''")
    assert not set('"\\/;') & set(plain[0] + plain[2])


async def test_file_that_cannot_be_read_to_its_end_is_cut_off(
    api: Api, patient: Server, url: str, whole: Download, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client knows by Content-Length that the rest is missing, and can go on there."""

    async def read(recording: Recording, start: int, stop: int) -> AsyncIterator[bytes]:
        async def breaking() -> AsyncIterator[bytes]:
            yield whole.content[start : start + 10]
            raise StoreUnavailable("gone")

        return breaking()

    with monkeypatch.context() as patch:
        patch.setattr(patient.hub.archive, "read", read)
        with pytest.raises(aiohttp.ClientPayloadError):
            await api.download(url)
    rest = await api.download(url, headers={"Range": "bytes=10-"})
    assert rest.content == whole.content[10:]
