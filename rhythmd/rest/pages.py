"""The page at `/` and what it loads."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from aiohttp import web

from rhythm_protocol.errors import ErrorCode
from rhythmd.rest.envelope import ApiError
from rhythmd.rest.router import VARIABLES

__all__ = ["PAGE_HEADERS", "TYPES", "PagesResource"]

TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}
PAGE_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; connect-src 'self' ws: wss:; frame-ancestors 'none'",
    "Cache-Control": "no-cache",
}


class PagesResource:
    """Serves the few files of the page from memory."""

    def __init__(self) -> None:
        self._files = dict(_load(files("rhythmd") / "web"))
        self._files |= {name: body for name, body in _load(files("rhythm_protocol")) if name.endswith(".js")}

    async def index(self, _request: web.BaseRequest) -> web.Response:
        return self._answer("index.html")

    async def static(self, request: web.BaseRequest) -> web.Response:
        return self._answer(request[VARIABLES]["name"])

    def _answer(self, name: str) -> web.Response:
        body = self._files.get(name)
        if body is None:
            raise ApiError(ErrorCode.NOT_FOUND, "there is no such file")
        content_type = TYPES[name.rpartition(".")[2]]
        return web.Response(body=body, headers={**PAGE_HEADERS, "Content-Type": content_type})


def _load(folder: Traversable) -> list[tuple[str, bytes]]:
    return [(file.name, file.read_bytes()) for file in folder.iterdir() if file.name.rpartition(".")[2] in TYPES]
