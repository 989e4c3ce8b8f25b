"""The page's files and the API's document: sent once, then asked for anew; small for those who can read that."""

import gzip

import aiohttp
import pytest

from rhythmd.rest.serving.static import accepts_gzip

PATHS = ["/", "/static/app.js", "/api/v1/openapi.json", "/api/v1/docs", "/static/rhythm-protocol.js"]


@pytest.mark.parametrize("path", PATHS)
async def test_file_that_the_client_has_is_not_sent_again(http: aiohttp.ClientSession, path: str) -> None:
    for encoding in ("gzip", "identity"):
        asked = {"Accept-Encoding": encoding}
        async with http.get(path, headers=asked) as answer:
            body, etag = await answer.read(), answer.headers["ETag"]
            assert (answer.status, answer.headers["Vary"]) == (200, "Accept-Encoding")
            assert answer.headers["Cache-Control"] == "no-cache"
            assert answer.headers.get("Content-Encoding", "identity") == encoding
        assert body
        for known in (etag, "*", f"W/{etag}", f'"a,b", {etag}', f'{etag},"b"'):
            async with http.get(path, headers={**asked, "If-None-Match": known}) as answer:
                assert (answer.status, answer.headers["ETag"], await answer.read()) == (304, etag, b"")
                assert answer.headers["Vary"] == "Accept-Encoding"
        twice = [("Accept-Encoding", encoding), ("If-None-Match", '"other"'), ("If-None-Match", etag)]
        async with http.get(path, headers=twice) as answer:
            assert answer.status == 304
        for other in ('"other"', etag.strip('"'), ""):
            async with http.get(path, headers={**asked, "If-None-Match": other}) as answer:
                assert answer.status == 200


async def test_forms_of_a_file_are_the_same_file_with_two_etags(http: aiohttp.ClientSession) -> None:
    async with http.get("/static/app.js", headers={"Accept-Encoding": "identity"}) as answer:
        plain, etag = await answer.read(), answer.headers["ETag"]
    request = http.get("/static/app.js", headers={"Accept-Encoding": "gzip"})
    async with request as answer:
        assert await answer.read() == plain
        assert answer.headers["ETag"] != etag
        assert int(answer.headers["Content-Length"]) < len(plain) / 2
        assert len(gzip.compress(plain)) < len(plain)
    async with http.head("/static/app.js", headers={"Accept-Encoding": "gzip", "If-None-Match": etag}) as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    ("accepted", "gzipped"),
    [
        ("", False), ("gzip", True), ("GZIP", True), ("br, gzip;q=0.8", True), ("gzip;q=0", False), ("*", True),
        ("*;q=0", False), ("gzip;q=0, *", False), ("identity", False), ("identity;q=1, gzip;q=0.5", False),
        ("identity;q=0.5, gzip", True), ("x-gzip", True), ("gzip; q=0.001", True), ("gzip;q=x", False), ("br", False),
        ("gzip;q=nan", False), ("gzip;q=2", False), (",,", False),
    ],
)  # fmt: skip
def test_choice_of_the_form(accepted: str, gzipped: bool) -> None:
    assert accepts_gzip(accepted) is gzipped
