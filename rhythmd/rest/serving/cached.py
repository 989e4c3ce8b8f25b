"""Answers that are bytes before anybody asks, or that the client has already; and the headers that all answers have."""

import re
from collections.abc import Iterable
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from time import time
from typing import Final

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.abc import AbstractStreamWriter
from multidict import CIMultiDict

from rhythm_protocol.errors import ErrorCode
from rhythmd.rest.serving.envelope import ApiError

__all__ = ["POLICY", "SECURITY", "CachedBody", "CachedResponse", "LastResponse", "client_has", "whole_answer"]

POLICY: Final = "Content-Security-Policy"
ENTITY_TAG: Final = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')
"""The mark of a weak one, and what it says (RFC 9110, 8.8.3)."""
NOTHING: Final = "default-src 'none'; frame-ancestors 'none'"
"""The policy of answers that are no pages."""

SECURITY: Final = CIMultiDict(
    {
        "Server": "rhythmd",  # aiohttp would tell its own version, and Python's
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Embedder-Policy": "require-corp",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        POLICY: NOTHING,
    }
)
"""On every answer; one that has a header of these names keeps its own."""


Header = tuple[str, str]


def _lines(headers: Iterable[Header]) -> bytes:
    return "".join([f"{name}: {value}\r\n" for name, value in headers]).encode()


@lru_cache(1)
def _date(second: int) -> bytes:
    return f"Date: {formatdate(second, usegmt=True)}\r\n".encode()


class CachedBody:
    """The part of an answer that is the same for everybody.

    Args:
        headers: the answer's own.
        body: in full.
    """

    __slots__ = ("body", "head")

    def __init__(self, headers: Iterable[Header], body: bytes) -> None:
        status = f"HTTP/1.1 {HTTPStatus.OK.value} {HTTPStatus.OK.phrase}\r\n".encode()
        self.head = status + _lines([*headers, *SECURITY.items(), (hdrs.CONTENT_LENGTH, str(len(body)))])
        self.body = body


def whole_answer(status: int, headers: Iterable[Header], body: bytes) -> bytes:
    """An answer as bytes, for a connection that aiohttp has no part in."""
    line = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode()
    length = (hdrs.CONTENT_LENGTH, str(len(body)))
    return b"".join((line, _lines([*headers, *SECURITY.items(), length]), _date(int(time())), b"\r\n", body))


class LastResponse(web.StreamResponse):
    """An answer of bytes to which nothing is added. The connection ends with it."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self._content = content
        self.force_close()

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        await request.writer.write_eof(self._content)
        return request.writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to send."""


class CachedResponse(web.StreamResponse):
    """One answer with these bytes, and with `more` headers, which must be safe to be sent.

    aiohttp builds each head anew and sends it by way of several coroutines: a third of what a bare handler costs.
    """

    def __init__(self, bytes_: CachedBody) -> None:
        super().__init__()
        self._bytes = bytes_
        self._stays = True
        self.more: list[Header] = []

    @property
    def keep_alive(self) -> bool:
        return self._stays

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        """Send all of it."""
        self._stays = request.keep_alive and self._keep_alive is not False
        if not self._stays:
            self.more.append((hdrs.CONNECTION, "close"))
        elif request.version < HttpVersion11:
            self.more.append((hdrs.CONNECTION, "keep-alive"))
        body = b"" if request.method == hdrs.METH_HEAD else self._bytes.body
        parts = self._bytes.head, _date(int(time())), _lines(self.more), b"\r\n", body
        await request.writer.write_eof(b"".join(parts))
        return request.writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to send."""


def client_has(request: web.BaseRequest, etag: str) -> bool:
    """Whether the client has this version already (If-None-Match; RFC 9110, 13.1.2). Several lines are one list.

    Raises ApiError (`precondition-failed`) if it wants no other version than those that it names (If-Match; 13.1.1).
    """
    wanted = request.headers.getall(hdrs.IF_MATCH, None)
    if wanted is not None and not _names(wanted, etag, is_strong=True):
        raise ApiError(ErrorCode.PRECONDITION_FAILED, "there is another version of it", headers={"ETag": etag})
    known = request.headers.getall(hdrs.IF_NONE_MATCH, None)
    return known is not None and _names(known, etag, is_strong=False)


def _names(lines: list[str], etag: str, *, is_strong: bool) -> bool:
    """Whether a list of versions has this one; where `is_strong`, one that is marked as weak is no version."""
    tags = ",".join(lines)
    found = [tag for weak, tag in ENTITY_TAG.findall(tags) if not (weak and is_strong)]
    return tags.strip() == "*" or etag in found
