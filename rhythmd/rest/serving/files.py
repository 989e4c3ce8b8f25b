"""Files as answers: whole or the part that was asked for, and only if the client has not got them already."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import quote

from aiohttp import hdrs, web

from rhythm_protocol.errors import ErrorCode
from rhythmd.ports import StoreUnavailable
from rhythmd.rest.serving.cached import client_has
from rhythmd.rest.serving.envelope import ApiError
from rhythmd.telemetry import rest_log

__all__ = ["FILE_ERRORS", "FILE_STATUSES", "Read", "ServedFile", "file_response"]

FILE_STATUSES: Final = (HTTPStatus.NOT_MODIFIED, HTTPStatus.PARTIAL_CONTENT)
FILE_ERRORS: Final = (
    ErrorCode.NOT_FOUND,
    ErrorCode.UNAVAILABLE,
    ErrorCode.PRECONDITION_FAILED,
    ErrorCode.RANGE_NOT_SATISFIABLE,
)
"""What a route of a file answers with beside 200, for its row."""

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9 ._-]")
_RANGES: Final = re.compile(r"bytes=(.*)", re.IGNORECASE)
_RANGE: Final = re.compile(r"([0-9]*)-([0-9]*)")
_DIGITS: Final = 18  # of a number of bytes; no file is larger than that
_LARGER_THAN_ALL: Final = 10**_DIGITS

Read = Callable[[int, int], Awaitable[AsyncIterator[bytes]]]


class ServedFile(NamedTuple):
    """A version of a file.

    Args:
        etag: says which version, in quotes; no other bytes have it (RFC 9110, 8.8.3: a strong one).
        size: bytes.
        media_type: of the content.
        name: what it is to be called on disk, with its extension; any text.
        cache_control: who may keep it.
        read: gives the bytes from one position to before another.
    """

    etag: str
    size: int
    media_type: str
    name: str
    cache_control: str
    read: Read


async def file_response(request: web.BaseRequest, file: ServedFile) -> web.Response:
    """What a GET or HEAD of the file is answered with (RFC 9110, 13 and 14).

    Raises ApiError (`precondition-failed`, `range-not-satisfiable`), and what `file.read` raises.
    """
    headers = {"ETag": file.etag, "Cache-Control": file.cache_control, "Accept-Ranges": "bytes"}
    if client_has(request, file.etag):
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    headers |= {"Content-Type": file.media_type, "Content-Disposition": _attachment(file.name)}
    status, part = HTTPStatus.OK, _wanted(request, file)
    if part is None:
        part = range(file.size)
    else:
        status = HTTPStatus.PARTIAL_CONTENT
        headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{file.size}"
    headers["Content-Length"] = str(len(part))
    if request.method == hdrs.METH_HEAD:
        return web.Response(status=status, headers=headers)
    return web.Response(status=status, headers=headers, body=_sent(request, await file.read(part.start, part.stop)))


async def _sent(request: web.BaseRequest, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """`parts`; when they break off, so does the connection: that is how the client learns of it."""
    try:
        async for part in parts:
            yield part
    except StoreUnavailable as error:
        rest_log.warning("%s %s was cut off: %s", request.method, request.path, error)
        if request.transport is not None:
            request.transport.close()


def _wanted(request: web.BaseRequest, file: ServedFile) -> range | None:
    """The bytes that are asked for; None for all of them. A client must be ready to get more than it asked for.

    Several ranges, another unit, and what is no range are passed over, as RFC 9110 (14.2) allows or asks for.
    """
    if request.method != hdrs.METH_GET or request.headers.get("If-Range", file.etag) != file.etag:
        return None
    found = _RANGES.fullmatch(", ".join(request.headers.getall("Range", ())))
    specs = [spec for spec in (part.strip(" \t") for part in found[1].split(",")) if spec] if found else []
    bounds = _RANGE.fullmatch(specs[0]) if len(specs) == 1 else None
    if bounds is None or specs == ["-"]:
        return None
    return _resolve(bounds[1], bounds[2], file.size)


def _resolve(first: str, last: str, size: int) -> range | None:
    """The range between these numbers in a file of `size` bytes; without the first one, so many bytes of its end."""
    if not first:
        length = _number(last)
        if not length:
            raise _not_satisfiable(size)
        return range(max(0, size - length), size) or None  # of an empty file no range can be named
    begin, end = _number(first), _number(last) if last else _LARGER_THAN_ALL
    if end < begin:
        return None
    if begin >= size:
        raise _not_satisfiable(size)
    return range(begin, min(end + 1, size))


def _number(digits: str) -> int:
    significant = digits.lstrip("0")
    return int(significant or 0) if len(significant) <= _DIGITS else _LARGER_THAN_ALL


def _not_satisfiable(size: int) -> ApiError:
    headers = {"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"}
    return ApiError(ErrorCode.RANGE_NOT_SATISFIABLE, f"the file has {size} bytes", headers=headers)


def _attachment(name: str) -> str:
    """What the file is to be called on disk: in full, and in plain letters for old clients (RFC 6266, 5)."""
    plain = _UNSAFE.sub("_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='', errors='replace')}"
