"""`/api/v1/openapi.json`, and `/api/v1/docs` to try it."""

from collections.abc import Sequence
from importlib.resources import files
from typing import Any, Final

import orjson
from aiohttp import web

from rhythm_protocol.errors import ErrorCode
from rhythmd.rest.envelope import ApiError
from rhythmd.rest.openapi import document
from rhythmd.rest.pages import PAGE_HEADERS, TYPES
from rhythmd.rest.router import VARIABLES
from rhythmd.rest.routing import Route

__all__ = ["DocsResource"]

FOLDER: Final = "api"


class DocsResource:
    """Both are made once, at start."""

    def __init__(self, table: Sequence[Route[Any]]) -> None:
        self._document = orjson.dumps(document(table))
        self._files = {file.name: file.read_bytes() for file in (files("rhythmd") / "web" / FOLDER).iterdir()}

    async def openapi(self, _request: web.BaseRequest) -> web.Response:
        return web.Response(body=self._document, content_type="application/json")

    async def page(self, _request: web.BaseRequest) -> web.Response:
        return self._answer("docs.html")

    async def file(self, request: web.BaseRequest) -> web.Response:
        return self._answer(request[VARIABLES]["name"])

    def _answer(self, name: str) -> web.Response:
        body = self._files.get(name)
        if body is None:
            raise ApiError(ErrorCode.NOT_FOUND, "there is no such file")
        return web.Response(body=body, headers={**PAGE_HEADERS, "Content-Type": TYPES[name.rpartition(".")[2]]})
