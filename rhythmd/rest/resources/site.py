"""What is served beside the API: the page and its files, the API's document, and how the server is doing."""

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final

import orjson
from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from rhythm_protocol.errors import ErrorCode
from rhythmd.rest.serving.call import Route
from rhythmd.rest.serving.cookies import remember_browser
from rhythmd.rest.serving.envelope import ApiError
from rhythmd.rest.serving.openapi import document
from rhythmd.rest.serving.paths import VARIABLES
from rhythmd.rest.serving.source import RequestSource
from rhythmd.rest.serving.static import ASK_AGAIN, FOR_EVER, StaticFile

__all__ = ["DocsResource", "HealthResource", "PageResource"]

TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}
PAGE_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; connect-src 'self' ws: wss:; frame-ancestors 'none'",
}
DOCS_FOLDER: Final = "api"


class PageResource:
    """The page at `/` and the few files that it loads, from memory.

    The page asks for them below a folder named after what is in them all, so that a browser keeps them for ever.

    Args:
        source: knows where a browser's cookies are good; without one no browser gets any.
        browser_days: for which a browser is told from others; 0: it gets no cookie.
    """

    def __init__(self, source: RequestSource | None = None, browser_days: float = 0.0) -> None:
        self._source = source
        self._browser_days = browser_days
        known = dict(_load(files("rhythmd") / "web"))
        known |= {name: file for name, file in _load(files("rhythm_protocol")) if name.endswith(".js")}
        self._files = known
        self._version = hashlib.sha256("".join(known[name].digest for name in sorted(known)).encode()).hexdigest()[:16]
        index = known["index.html"].body.replace(b'"static/', f'"static/{self._version}/'.encode())
        self._index = StaticFile(TYPES["html"], index, PAGE_HEADERS)

    async def index(self, request: web.BaseRequest) -> web.Response:
        response = self._index.answer(request)
        if self._source is not None:
            remember_browser(request, response, self._source.cookie_scope(request), self._browser_days)
        return response

    async def static(self, request: web.BaseRequest) -> web.Response:
        return _file(self._files, request).answer(request)

    async def versioned(self, request: web.BaseRequest) -> web.Response:
        """A page that an earlier version of the server gave out gets the files of this one, until it is loaded anew."""
        is_ours = request[VARIABLES]["version"] == self._version
        return _file(self._files, request).answer(request, FOR_EVER if is_ours else ASK_AGAIN)


class DocsResource:
    """`/api/v1/openapi.json`, and `/api/v1/docs` to try it. The document is made once, when it is first asked for."""

    def __init__(self, table: Sequence[Route[Any]], server: str, most_players: int) -> None:
        self._make = partial(_document, table, server, most_players)
        self._document: asyncio.Task[StaticFile] | None = None
        self._files = dict(_load(files("rhythmd") / "web" / DOCS_FOLDER))

    async def openapi(self, request: web.BaseRequest) -> web.Response:
        if self._document is None:
            # Off the loop: it takes as long as some hundred notes.
            self._document = asyncio.create_task(asyncio.to_thread(self._make))
        return (await asyncio.shield(self._document)).answer(request)

    async def page(self, request: web.BaseRequest) -> web.Response:
        return self._files["docs.html"].answer(request)

    async def file(self, request: web.BaseRequest) -> web.Response:
        return _file(self._files, request).answer(request)


class HealthResource:
    """`/health/live`, `/health/ready` and `/metrics`, for those who operate the server.

    Live while the loop answers; ready while what is written is kept, too, until the server begins to stop.
    """

    def __init__(self, why_not_ready: Callable[[], str | None], metrics: CollectorRegistry) -> None:
        self._why_not_ready = why_not_ready
        self._metrics = metrics

    async def live(self, _request: web.BaseRequest) -> web.Response:
        return web.json_response({"status": "live"})

    async def ready(self, _request: web.BaseRequest) -> web.Response:
        reason = self._why_not_ready()
        return web.json_response({"status": reason or "ready"}, status=503 if reason else 200)

    async def metrics(self, _request: web.BaseRequest) -> web.Response:
        return web.Response(body=generate_latest(self._metrics), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _document(table: Sequence[Route[Any]], server: str, most_players: int) -> StaticFile:
    made = StaticFile("application/json", orjson.dumps(document(table, server, most_players)))
    _ = made.packed  # so that nobody waits for it on the loop
    return made


def _load(folder: Traversable) -> Iterator[tuple[str, StaticFile]]:
    for file in folder.iterdir():
        kind = TYPES.get(_extension(file.name))
        if kind is not None:
            yield file.name, StaticFile(kind, file.read_bytes(), PAGE_HEADERS)


def _file(known: Mapping[str, StaticFile], request: web.BaseRequest) -> StaticFile:
    file = known.get(request[VARIABLES]["name"])
    if file is None:
        raise ApiError(ErrorCode.NOT_FOUND, "there is no such file")
    return file


def _extension(name: str) -> str:
    return name.rpartition(".")[2]
