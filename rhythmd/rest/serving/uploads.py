"""Files that requests bring, alone as the body or in a form: read in parts into a scratch file, never into memory."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from sys import maxsize
from typing import BinaryIO, Final, NamedTuple

import msgspec
import orjson
from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from msgspec import Struct

from rhythm_protocol.errors import ErrorCode
from rhythmd.config import LimitsConfig
from rhythmd.fairness.slots import FairSlots
from rhythmd.rest.serving.envelope import ApiError
from rhythmd.rest.serving.invitation import invite_body, widened
from rhythmd.rest.serving.multipart import FormError, FormParser, Part, boundary_of
from rhythmd.workers.scratch import ScratchFolder, append

__all__ = ["FILE_FIELD", "FORM", "Received", "Upload", "UploadReader", "UploadedFile", "form_values"]

FORM: Final = "multipart/form-data"
FILE_FIELD: Final = "file"
JSON: Final = "application/json"
PIECE_BYTES: Final = 65_536
AT_ONCE: Final = 2
"""Uploads of which a piece is worked on at the same time. Hundreds that come in at once would take the loop from the
notes: each round of it would read and take apart a quarter of a megabyte of every one.
"""
MOST_PARTS: Final = 100
FORM_BYTES: Final = 16_384
"""What a form needs around its parts: boundaries and heads."""
CLOSE: Final = {"Connection": "close"}


class Upload(Struct, frozen=True, kw_only=True):
    """The column of a route that takes a file, in a form's field `file`, or as the whole body.

    Args:
        limit: bytes that the file may have.
        media_types: of a body that is the file. What a file is, its content says, and never this.
        is_required: False for a route that takes JSON, or a form without a file, as well.
    """

    limit: int
    media_types: tuple[str, ...] = ()
    is_required: bool = True


class UploadedFile(NamedTuple):
    """A file that came with a request. It is gone when the request is answered.

    Args:
        content: on disk, without a name there.
        size: bytes.
        name: what the sender calls it, any text; "" if it has no name.
    """

    content: BinaryIO
    size: int
    name: str


class Received(NamedTuple):
    """The file, and the form's other fields: for each name the values in their order."""

    file: UploadedFile | None
    fields: dict[str, list[object]]


class _Sink:
    """Where a file goes while it comes: some of it waits to be written together, the rest is on disk."""

    def __init__(self, content: BinaryIO, limit: int, name: str) -> None:
        self._content = content
        self._limit = limit
        self._name = name
        self._waiting = bytearray()
        self._size = 0

    async def take(self, part: bytes) -> None:
        """Raises ApiError (`too-large`) and StoreUnavailable."""
        self._size += len(part)
        if self._size > self._limit:
            raise _too_large(self._limit)
        self._waiting += part
        if len(self._waiting) >= PIECE_BYTES:
            await self._write()

    async def finish(self) -> UploadedFile:
        await self._write()
        return UploadedFile(self._content, self._size, self._name)

    async def _write(self) -> None:
        part = bytes(self._waiting)
        self._waiting.clear()
        if part:
            await append(self._content, part)


class _Form:
    """What of a form has come. A body that is the file alone counts as one."""

    def __init__(self, upload: Upload, field_bytes: int) -> None:
        self._upload = upload
        self._left = field_bytes
        self._parts = 0
        self._content: BinaryIO | None = None
        self._sink: _Sink | None = None
        self._is_in_file = False
        self._part: Part | None = None
        self._text = bytearray()
        self._fields: dict[str, list[object]] = defaultdict(list)
        self._is_chosen = True

    async def begin(self, scratch: ScratchFolder, part: Part) -> None:
        """A part begins, and so the one before has ended. Raises FormError and ApiError."""
        self._end_field()
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise FormError(f"it has more than {MOST_PARTS} parts")
        self._is_in_file = part.name == FILE_FIELD
        if self._is_in_file:
            # What a browser sends for a form in which no file was chosen.
            self._is_chosen = part.file_name != ""
            await self.begin_file(scratch, part.file_name or "")
        elif part.file_name is not None:
            raise ApiError(ErrorCode.INVALID_FIELD, "this field takes no file", part.name)
        else:
            self._part = part

    async def begin_file(self, scratch: ScratchFolder, name: str) -> None:
        if self._content is not None:
            raise FormError("it has more than one file")
        self._content = await scratch.open()
        self._sink = _Sink(self._content, self._upload.limit, name)
        self._is_in_file = True

    async def take(self, content: bytes) -> None:
        """More of the part that began last. Raises ApiError (`too-large`)."""
        if self._is_in_file and self._sink is not None:
            await self._sink.take(content)
            return
        self._left -= len(content)
        if self._left < 0:
            raise ApiError(ErrorCode.TOO_LARGE, "the form's fields are too long", headers=CLOSE)
        self._text += content

    async def finish(self) -> Received:
        """Raises ApiError (`invalid-field`) if a file is missing."""
        self._end_field()
        file = None if self._sink is None else await self._sink.finish()
        if file is not None and not file.size and not self._is_chosen:
            file.content.close()
            file = None
        if file is None and self._upload.is_required:
            raise ApiError(ErrorCode.INVALID_FIELD, "the file is missing", FILE_FIELD)
        return Received(file, dict(self._fields))

    def close(self) -> None:
        if self._content is not None:
            self._content.close()

    def _end_field(self) -> None:
        part, text = self._part, bytes(self._text)
        self._part = None
        self._text.clear()
        if part is None:
            return
        try:
            value = orjson.loads(text) if part.media_type == JSON else text.decode()
        except ValueError:
            expected = JSON if part.media_type == JSON else "text in UTF-8"
            raise ApiError(ErrorCode.INVALID_FIELD, f"expected {expected}", part.name) from None
        self._fields[part.name].append(value)


class UploadReader:
    """Reads the bodies of requests that bring a file.

    Args:
        scratch: where files are in the meantime.
        limits: of time, and of a form's fields.
    """

    def __init__(self, scratch: ScratchFolder, limits: LimitsConfig) -> None:
        self._scratch = scratch
        self._limits = limits
        self._pieces = FairSlots(AT_ONCE, maxsize)  # the number of connections bounds how many wait

    def is_for(self, upload: Upload, request: web.BaseRequest) -> bool:
        """Whether the body is what this reads, and not the JSON that a route may take as well.

        Raises ApiError (`unsupported-media-type`).
        """
        kind = request.content_type
        if kind == FORM or kind in upload.media_types:
            return True
        if upload.is_required:
            allowed = ", ".join((FORM, *upload.media_types))
            raise ApiError(ErrorCode.UNSUPPORTED_MEDIA_TYPE, f"expected {allowed}", headers={hdrs.ACCEPT: allowed})
        return False

    async def read(self, upload: Upload, request: web.BaseRequest) -> Received:
        """What the body holds; the caller closes the file.

        Raises:
            ApiError: `too-large`, `too-slow`, `bad-request`, `invalid-field`.
            StoreUnavailable: the disk is full.
        """
        form = _Form(upload, self._limits.body_bytes)
        try:
            with widened(request.transport):
                async with asyncio.timeout(self._limits.upload_s):
                    return await self._read(upload, request, form)
        except BaseException as error:
            form.close()
            if isinstance(error, TimeoutError):
                message = f"the file must be here in {self._limits.upload_s:g} s"
                raise ApiError(ErrorCode.TOO_SLOW, message, headers=CLOSE) from None
            raise

    async def _read(self, upload: Upload, request: web.BaseRequest, form: _Form) -> Received:
        is_form = request.content_type == FORM
        most = upload.limit + (FORM_BYTES + self._limits.body_bytes if is_form else 0)
        if (request.content_length or 0) > most:
            raise _too_large(upload.limit)
        await invite_body(request)
        try:
            if not is_form:
                return await self._read_alone(request, form)
            return await self._read_form(request, form, most)
        except FormError as error:
            raise ApiError(ErrorCode.BAD_REQUEST, f"the form cannot be read: {error}") from None

    async def _read_alone(self, request: web.BaseRequest, form: _Form) -> Received:
        await form.begin_file(self._scratch, "")
        async for piece in _body(request):
            async with self._pieces.slot():
                await form.take(piece)
        return await form.finish()

    async def _read_form(self, request: web.BaseRequest, form: _Form, most: int) -> Received:
        parser = FormParser(boundary_of(request.headers.get("Content-Type", "")))
        size = 0
        async for piece in _body(request):
            size += len(piece)
            if size > most:
                raise _too_large(most)
            async with self._pieces.slot():
                for event in parser.feed(piece):
                    if isinstance(event, Part):
                        await form.begin(self._scratch, event)
                    else:
                        await form.take(event)
        if not parser.is_complete:
            raise FormError("its end is missing")
        return await form.finish()


def form_values(fields: dict[str, list[object]], wanted: type[Struct]) -> dict[str, object]:
    """The fields of a form as an object of JSON has them.

    A field that `wanted` has as a list may be there several times, or once with the whole list as JSON. Raises
    ApiError (`bad-request`) for another one that is there twice.
    """
    lists = _list_fields(wanted)
    values: dict[str, object] = {}
    for name, given in fields.items():
        if name in lists and not (len(given) == 1 and isinstance(given[0], list)):
            values[name] = given
        elif len(given) == 1:
            values[name] = given[0]
        else:
            raise ApiError(ErrorCode.BAD_REQUEST, "a field is there twice", name)
    return values


def _list_fields(wanted: type[Struct]) -> set[str]:
    described = msgspec.inspect.type_info(wanted)
    assert isinstance(described, msgspec.inspect.StructType)  # noqa: S101 - inputs are structs
    return {field.encode_name for field in described.fields if _may_be_list(field.type)}


def _may_be_list(kind: msgspec.inspect.Type) -> bool:
    kinds = kind.types if isinstance(kind, msgspec.inspect.UnionType) else (kind,)
    return any(isinstance(each, msgspec.inspect.CollectionType) for each in kinds)


async def _body(request: web.BaseRequest) -> AsyncIterator[bytes]:
    """The body in pieces as they come. Raises ApiError (`bad-request`) when it breaks off."""
    try:
        while piece := await request.content.read(PIECE_BYTES):
            yield piece
    except (OSError, HttpProcessingError, web.RequestPayloadError):
        raise ApiError(ErrorCode.BAD_REQUEST, "the body broke off") from None


def _too_large(limit: int) -> ApiError:
    return ApiError(ErrorCode.TOO_LARGE, f"the file may have at most {limit} bytes", headers=CLOSE)
