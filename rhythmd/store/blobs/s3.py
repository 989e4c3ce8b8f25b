"""Files behind S3, Amazon's or another's; no other file imports the library for it.

A process that is killed in the middle of a large file leaves parts that nobody can read. S3 removes them by itself if
the bucket has a rule for it (AbortIncompleteMultipartUpload).
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable
from contextlib import suppress
from datetime import timedelta
from typing import Final, TypeVar

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from rhythmd.config import BlobsConfig
from rhythmd.errors import ConfigError
from rhythmd.ports import NotFound, StoreUnavailable
from rhythmd.store.blobs.content import check_key, resized
from rhythmd.telemetry import OutageLog

__all__ = ["S3Blobs"]

T = TypeVar("T")

PART_BYTES: Final = 5 * 1024 * 1024  # no part but the last may have less
PARTS_AT_ONCE: Final = 2
CHUNK_BYTES: Final = 262_144
NO_BUCKET: Final = "NoSuchBucket"
PROBE: Final = "probe"
"""A key of no file: to be told so costs one request, and writes nothing."""


class _Stopped(Exception):
    """The upload is not wanted any more."""


class _Parts:
    """What the library uploads. It tells S3 to forget an upload whose parts raise, not one that is cancelled."""

    def __init__(self, first: bytes, rest: AsyncIterator[bytes]) -> None:
        self._first: bytes | None = first
        self._rest = rest
        self._next: asyncio.Task[bytes] | None = None
        self._stopped = False
        self.error: Exception | None = None
        self.size = 0

    def __aiter__(self) -> "_Parts":
        return self

    async def __anext__(self) -> bytes:
        if self._stopped:
            raise _Stopped
        if self._first is not None:
            part, self._first = self._first, None
            self.size += len(part)
            return part
        self._next = asyncio.create_task(self._read())
        try:
            part = await self._next
        except asyncio.CancelledError:
            raise _Stopped from None
        except Exception as error:
            self.error = error
            raise
        if not part:
            raise StopAsyncIteration
        self.size += len(part)
        return part

    async def _read(self) -> bytes:
        return await _next(self._rest)

    def stop(self) -> None:
        self._stopped = True
        if self._next is not None:
            self._next.cancel()


class S3Blobs:
    """`rhythmd.ports.BlobStore` in a bucket, for any number of servers."""

    def __init__(self, config: BlobsConfig) -> None:
        timeout = timedelta(seconds=config.s3_timeout_s)
        keys = config.s3_access_key, config.s3_secret_key
        self._store = S3Store(
            config.s3_bucket,
            config={"access_key_id": keys[0], "secret_access_key": keys[1]} if config.s3_access_key else {},
            region=config.s3_region,
            endpoint=config.s3_endpoint or f"https://s3.{config.s3_region}.amazonaws.com",
            virtual_hosted_style_request=False,
            client_options={"allow_http": config.s3_endpoint.startswith("http:"), "timeout": timeout},
            retry_config={"max_retries": 2, "retry_timeout": timeout},
        )
        self._bucket = config.s3_bucket
        self._outage = OutageLog(f"S3 bucket {config.s3_bucket}")

    async def start(self) -> bool:
        try:
            await self._call(anext(aiter(obstore.list(self._store, chunk_size=1)), None))
        except _NoBucket as error:
            raise ConfigError(f"blobs.s3_bucket: there is no bucket {self._bucket!r}") from error
        return False

    async def close(self) -> None:
        """The library closes its connections."""

    async def put(self, key: str, content: AsyncIterable[bytes], limit: int | None = None) -> int:
        check_key(key)
        parts = resized(content, PART_BYTES, limit)
        first = await anext(parts)
        if len(first) < PART_BYTES:
            await self._call(obstore.put_async(self._store, key, first, use_multipart=False))
            return len(first)
        upload = _Parts(first, parts)
        await self._put_parts(key, upload)
        return upload.size

    async def get(self, key: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        size = await self.size(key)
        end = size if stop is None else min(stop, size)
        if start >= end:
            return _nothing()
        result = await self._call(obstore.get_async(self._store, key, options={"range": (start, end)}))
        return self._rest(result.stream(CHUNK_BYTES))

    async def size(self, key: str) -> int:
        return (await self._call(obstore.head_async(self._store, check_key(key))))["size"]

    async def probe(self) -> None:
        with suppress(NotFound):
            await self.size(PROBE)

    async def delete(self, key: str) -> bool:
        try:
            await self.size(key)
        except NotFound:
            return False
        await self._call(obstore.delete_async(self._store, key))
        return True

    async def keys(self, folder: str = "") -> AsyncIterator[str]:
        pages = aiter(obstore.list(self._store, check_key(folder) if folder else None))
        while page := await self._call(anext(pages, None)):
            for item in page:
                yield item["path"]

    async def _put_parts(self, key: str, parts: _Parts) -> None:
        upload = asyncio.ensure_future(
            self._call(
                obstore.put_async(self._store, key, parts, chunk_size=PART_BYTES, max_concurrency=PARTS_AT_ONCE), parts
            )
        )
        try:
            await asyncio.shield(upload)
        except asyncio.CancelledError:
            parts.stop()
            await asyncio.wait({upload})
            upload.exception()  # it is of no more interest
            raise

    async def _rest(self, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        while True:
            part: bytes = await self._call(_next(stream))
            if not part:
                return
            yield part

    async def _call(self, call: Awaitable[T], parts: _Parts | None = None) -> T:
        """What the library answers. Raises the port's errors in place of its own, and those of `parts` as they are."""
        try:
            result = await call
        except (BaseError, OSError) as error:
            if parts is not None and parts.error is not None:
                raise parts.error from None
            raise self._translated(error) from error
        self._outage.over()
        return result

    def _translated(self, error: Exception) -> NotFound | StoreUnavailable:
        text = str(error).partition("\n\n")[0]
        if isinstance(error, FileNotFoundError) and NO_BUCKET not in text:
            return NotFound("no such file")
        kind = _NoBucket if NO_BUCKET in text else StoreUnavailable
        unavailable = kind(f"S3: {text}")
        self._outage.began(unavailable)
        return unavailable


class _NoBucket(StoreUnavailable):
    """The bucket is not there."""


async def _nothing() -> AsyncIterator[bytes]:
    for part in list[bytes]():
        yield part


async def _next(stream: AsyncIterator[bytes]) -> bytes:
    return await anext(stream, b"")
