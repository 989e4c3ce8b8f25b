"""Files that do not change while the server runs: each with its version, and compressed for who takes it so."""

import gzip
import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import Final

from aiohttp import hdrs, web

from rhythmd.rest.serving.cached import client_has

__all__ = ["ASK_AGAIN", "FOR_EVER", "StaticFile"]

ASK_AGAIN: Final = "no-cache"
FOR_EVER: Final = "public, max-age=31536000, immutable"
"""For what is under a name that no other content will ever have (RFC 8246)."""
GZIP: Final = "gzip"
LEAST: Final = 512  # bytes; below, the headers of the compression outweigh it
DIGEST: Final = 16  # hexadecimal digits


class StaticFile:
    """One file in memory.

    Args:
        content_type: with its charset.
        body: of the file.
        headers: of its own, on every answer.
    """

    def __init__(self, content_type: str, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self._content_type = content_type
        self._headers = dict(headers or {})
        self.body = body
        self.digest = hashlib.sha256(body).hexdigest()[:DIGEST]

    @cached_property
    def packed(self) -> bytes | None:
        """The body compressed, which is done once; None if nothing is gained by it."""
        if len(self.body) < LEAST:
            return None
        packed = gzip.compress(self.body, mtime=0)
        return packed if len(packed) < len(self.body) else None

    def answer(self, request: web.BaseRequest, cache_control: str = ASK_AGAIN) -> web.Response:
        """The file as this client takes it, or 304 if it has it."""
        packed = self.packed if _takes_gzip(request) else None
        etag = f'"{self.digest}{"" if packed is None else "-gzip"}"'
        headers = {**self._headers, "ETag": etag, "Cache-Control": cache_control, "Vary": "Accept-Encoding"}
        if client_has(request, etag):
            return web.Response(status=304, headers=headers)
        if packed is not None:
            headers["Content-Encoding"] = GZIP
        headers["Content-Type"] = self._content_type
        return web.Response(body=self.body if packed is None else packed, headers=headers)


def _takes_gzip(request: web.BaseRequest) -> bool:
    """Whether the client takes gzip, and not rather nothing of the kind (RFC 9110, 12.5.3)."""
    weights: dict[str, float] = {}
    for part in ",".join(request.headers.getall(hdrs.ACCEPT_ENCODING, [])).split(","):
        coding, _, parameter = part.partition(";")
        weights[coding.strip().lower()] = _weight(parameter)
    others = weights.get("*", 0.0)
    wanted = weights.get(GZIP, weights.get("x-gzip", others))
    return wanted > 0 and wanted >= weights.get("identity", 0.0)


def _weight(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    try:
        return float(value) if name.strip().lower() == "q" else 1.0
    except ValueError:
        return 0.0
