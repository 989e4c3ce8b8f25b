"""What is served beside the API: the page and its files, the API's document, and how the server is doing."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final

import orjson
from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from rhythm_protocol.errors import ErrorCode
from rhythmd.rest.serving.call import Route
from rhythmd.rest.serving.envelope import ApiError
from rhythmd.rest.serving.openapi import document
from rhythmd.rest.serving.paths import VARIABLES
from rhythmd.rest.serving.static import StaticFile

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
    """The page at `/` and the few files that it loads, from memory."""

    def __init__(self) -> None:
        bodies = dict(_load(files("rhythmd") / "web"))
        bodies |= {name: body for name, body in _load(files("rhythm_protocol")) if name.endswith(".js")}
        self._files = _Files(bodies)

    async def index(self, request: web.BaseRequest) -> web.Response:
        return await self._files.response(request, "index.html")

    async def static(self, request: web.BaseRequest) -> web.Response:
        return await self._files.response(request, request[VARIABLES]["name"])


class DocsResource:
    """`/api/v1/openapi.json`, and `/api/v1/docs` to try it. The document is made once, when it is first asked for."""

    def __init__(self, table: Sequence[Route[Any]]) -> None:
        self._table = table
        self._document: StaticFile | None = None
        self._files = _Files(dict(_load(files("rhythmd") / "web" / DOCS_FOLDER)))

    async def openapi(self, request: web.BaseRequest) -> web.Response:
        if self._document is None:
            # Off the loop: it takes as long as some hundred notes.
            self._document = await asyncio.to_thread(_encoded, self._table)
        return self._document.response(request)

    async def page(self, request: web.BaseRequest) -> web.Response:
        return await self._files.response(request, "docs.html")

    async def file(self, request: web.BaseRequest) -> web.Response:
        return await self._files.response(request, request[VARIABLES]["name"])


class HealthResource:
    """`/health/live`, `/health/ready` and `/metrics`, for those who operate the server.

    Live while the loop answers; ready while the store does, too, until the server begins to stop.
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


def _encoded(table: Sequence[Route[Any]]) -> StaticFile:
    return StaticFile(orjson.dumps(document(table)), {"Content-Type": "application/json"})


class _Files:
    """Files by name; each is compressed when it is first asked for, off the loop."""

    def __init__(self, bodies: Mapping[str, bytes]) -> None:
        self._bodies = bodies
        self._made: dict[str, StaticFile] = {}

    async def response(self, request: web.BaseRequest, name: str) -> web.Response:
        """Raises ApiError (`not-found`)."""
        body, made = self._bodies.get(name), self._made.get(name)
        if body is None:
            raise ApiError(ErrorCode.NOT_FOUND, "there is no such file")
        if made is None:
            headers = {**PAGE_HEADERS, "Content-Type": TYPES[_extension(name)]}
            made = self._made[name] = await asyncio.to_thread(StaticFile, body, headers)
        return made.response(request)


def _load(folder: Traversable) -> Iterator[tuple[str, bytes]]:
    return ((file.name, file.read_bytes()) for file in folder.iterdir() if _extension(file.name) in TYPES)


def _extension(name: str) -> str:
    return name.rpartition(".")[2]
