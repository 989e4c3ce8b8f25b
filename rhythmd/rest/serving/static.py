"""Files that are bytes before anybody asks: each with its ETag, and compressed once."""

import gzip
from collections.abc import Mapping
from hashlib import blake2b
from http import HTTPStatus
from typing import Final

from aiohttp import hdrs, web

from rhythmd.rest.serving.cached import client_has

__all__ = ["StaticFile", "accepts_gzip"]

LEVEL: Final = 9
LEAST_GAIN: Final = 64
"""Bytes that compressing must save to be worth its header."""
_IDENTITY: Final = "identity"
_GZIP: Final = frozenset({"gzip", "x-gzip"})


class StaticFile:
    """A file in the forms in which it is sent. To make one takes a moment: not on the loop.

    Args:
        body: in full.
        headers: of every answer with it.
    """

    def __init__(self, body: bytes, headers: Mapping[str, str]) -> None:
        self._headers = {"Cache-Control": "no-cache", **headers, hdrs.VARY: hdrs.ACCEPT_ENCODING}
        self._body = body
        self._etag = _etag(body)
        small = gzip.compress(body, LEVEL, mtime=0)
        self._gzip = small if len(small) + LEAST_GAIN < len(body) else None
        self._gzip_etag = f'{self._etag[:-1]}-gzip"'  # a strong ETag is of bytes (RFC 9110, 8.8.3.3)

    def response(self, request: web.BaseRequest) -> web.Response:
        """What a GET or HEAD of the file is answered with."""
        body, etag, headers = self._body, self._etag, dict(self._headers)
        if self._gzip is not None and accepts_gzip(",".join(request.headers.getall(hdrs.ACCEPT_ENCODING, ()))):
            body, etag = self._gzip, self._gzip_etag
            headers[hdrs.CONTENT_ENCODING] = "gzip"
        headers[hdrs.ETAG] = etag
        if client_has(request, etag):
            del headers[hdrs.CONTENT_TYPE]
            headers.pop(hdrs.CONTENT_ENCODING, None)
            return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
        return web.Response(body=body, headers=headers)


def accepts_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding (RFC 9110, 12.5.3) has gzip, and likes it no less than the plain form."""
    weights: dict[str, float] = {}
    for part in accepted.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        weights["gzip" if name in _GZIP else name] = _weight(parameters)
    gzip_weight = weights.get("gzip", weights.get("*", 0.0))
    return gzip_weight > 0 and gzip_weight >= weights.get(_IDENTITY, 0.0)


def _weight(parameters: list[str]) -> float:
    """What `q` says; 1 without it, 0 if it is no number from 0 to 1."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                weight = float(value)
            except ValueError:
                return 0.0
            return weight if 0 <= weight <= 1 else 0.0
    return 1.0


def _etag(body: bytes) -> str:
    return f'"{blake2b(body, digest_size=12).hexdigest()}"'
