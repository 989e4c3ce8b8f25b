"""The page and its files."""

import re

import aiohttp
import pytest

from tests.rest.answers import failure

POLICY = "default-src 'self'; connect-src 'self' ws: wss:; frame-ancestors 'none'"


async def page(http: aiohttp.ClientSession, path: str, content_type: str) -> str:
    """The text of a file, after a look at its headers."""
    async with http.get(path) as answer:
        assert (answer.status, answer.content_type, answer.charset) == (200, content_type, "utf-8")
        assert answer.headers["Content-Security-Policy"] == POLICY
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        return await answer.text()


async def test_index_loads_only_files_that_are_there(http: aiohttp.ClientSession) -> None:
    text = await page(http, "/", "text/html")
    paths = re.findall(r'(?:src|href)="([^"#]+)"', text)
    assert paths
    for path in paths:
        async with http.get(path) as answer:
            assert answer.status == 200, path


async def test_index_obeys_its_own_policy(http: aiohttp.ClientSession) -> None:
    text = await page(http, "/", "text/html")
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", text)


async def test_module_of_the_wire_is_served(http: aiohttp.ClientSession) -> None:
    assert "export" in await page(http, "/static/rhythm-protocol.js", "text/javascript")


@pytest.mark.parametrize("name", ["nothing.js", "__init__.py", "..%2fconfig.py"])
async def test_other_files_are_not_served(http: aiohttp.ClientSession, name: str) -> None:
    assert (await failure(http, f"/static/{name}")).status == 404
