"""Files in MongoDB, laid out as GridFS: `blobs.files` has a document for each file, `blobs.chunks` its bytes.

A version of a file is there when its document in `blobs.files` is. Its id stands in `blobs.pending` for as long as
there may be chunks without that document, so that those of a killed process are found.
"""

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from secrets import token_hex
from typing import Final

from rhythmd.clock import unix_ms
from rhythmd.ports import NotFound, StoreUnavailable
from rhythmd.store.blobs.content import check_key, finished, resized
from rhythmd.store.mongo import Collection, Database, Document, DriverName, Index

__all__ = ["GridFSBlobs"]

CHUNK_BYTES: Final = 255 * 1024  # as GridFS has it: a document of 256 KiB has room for it
NEWEST_FIRST: Final = (("metadata.revision", -1), ("_id", -1))
LISTED: Final = 1_000
AFTER_ALL: Final = "\x7f"
"""Comes after every character of a key."""
TRIES: Final = 3


class GridFSBlobs:
    """`rhythmd.ports.BlobStore` in MongoDB, for any number of servers.

    Args:
        url: `mongodb://…`.
        database: its name.
        driver: the library that talks to it.
        find_s: how long to look for a server that can be written to before StoreUnavailable is raised.
        timeout_s: how long a call may take in all; each chunk is one.
        abandoned_s: age at which a version that is not finished is no other server's any more.
    """

    def __init__(
        self,
        url: str,
        database: str,
        driver: DriverName = "motor",
        *,
        find_s: float = 2.0,
        timeout_s: float = 5.0,
        abandoned_s: float = 3_600.0,
    ) -> None:
        self._database = Database(url, database, driver, find_s=find_s, timeout_s=timeout_s, high_mark=10_000)
        self._files = Collection(self._database, "blobs.files")
        self._chunks = Collection(self._database, "blobs.chunks")
        self._pending = Collection(self._database, "blobs.pending")
        self._abandoned_ms = round(abandoned_s * 1_000)

    async def start(self) -> bool:
        await self._database.open()
        await self._files.index([Index(("filename", "metadata.revision"))])
        await self._chunks.index([Index(("files_id", "n"), unique=True)])
        before = _id_prefix(unix_ms() - self._abandoned_ms)
        while abandoned := await self._pending.find({"_id": {"$lt": before}}, [("_id", 1)], limit=LISTED):
            for pending in abandoned:
                await self._settle(pending["_id"])
        return False

    async def close(self) -> None:
        await self._database.close()

    async def probe(self) -> None:
        await self._database.command("ping")

    async def put(self, key: str, content: AsyncIterable[bytes], limit: int | None = None) -> int:
        check_key(key)
        version = _id_prefix(unix_ms()) + token_hex(8)
        await self._pending.insert({"_id": version})
        size = number = 0
        try:
            async for part in resized(content, CHUNK_BYTES, limit):
                if part:
                    chunk_id = f"{version}-{number}"
                    chunk = {"_id": chunk_id, "files_id": version, "n": number, "data": part}
                    await finished(self._chunks.insert(chunk))
                size += len(part)
                number += 1
            await finished(self._show(key, version, size))
        except StoreUnavailable:
            raise  # What was under way may still happen, so that it is removed only at a later start.
        except BaseException:
            with suppress(StoreUnavailable):
                await finished(self._settle(version))
            raise
        return size

    async def get(self, key: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        check_key(key)
        # Between the two questions the version may be replaced; then there is another one.
        for _ in range(TRIES):
            file = await self._newest(key)
            end = file["length"] if stop is None else min(stop, file["length"])
            if start >= end:
                return self._rest(file["_id"], start, start, b"")
            with suppress(StoreUnavailable):
                return self._rest(file["_id"], start, end, await self._part(file["_id"], start, end))
        raise StoreUnavailable("the file is replaced again and again")

    async def size(self, key: str) -> int:
        size: int = (await self._newest(check_key(key)))["length"]
        return size

    async def delete(self, key: str) -> bool:
        return await self._remove({"filename": check_key(key)}) > 0

    async def keys(self, folder: str = "") -> AsyncIterator[str]:
        first = f"{check_key(folder)}/" if folder else ""
        last = first
        while True:
            where = {"filename": {"$gt": last, "$lt": first + AFTER_ALL}}
            files = await self._files.find(where, [("filename", 1)], limit=LISTED)
            for file in files:
                if file["filename"] != last:
                    last = file["filename"]
                    yield last
            if not files:
                return

    async def _show(self, key: str, version: str, size: int) -> None:
        """From here on it is this version that is read; what it replaces is removed."""
        newest = await self._files.find({"filename": key}, NEWEST_FIRST, limit=1)
        revision = newest[0]["metadata"]["revision"] + 1 if newest else 1
        await self._files.insert(
            {
                "_id": version,
                "filename": key,
                "length": size,
                "chunkSize": CHUNK_BYTES,
                "uploadDate": datetime.now(UTC),
                "metadata": {"revision": revision},
            }
        )
        await self._pending.delete({"_id": version})
        # Two that come at once may have one revision; all agree that the greater id counts.
        older: list[Document] = [
            {"metadata.revision": {"$lt": revision}},
            {"metadata.revision": revision, "_id": {"$lt": version}},
        ]
        await self._remove({"filename": key, "$or": older})

    async def _remove(self, where: Document) -> int:
        """Remove the matching versions; how many there were."""
        files = await self._files.find(where, [("_id", 1)])
        for file in files:
            await self._pending.put({"_id": file["_id"]})
            await self._files.delete({"_id": file["_id"]})
            await self._settle(file["_id"])
        return len(files)

    async def _settle(self, version: str) -> None:
        """Remove the chunks of a version, unless it is a file's; either way nothing is open about it any more."""
        if await self._files.find_one({"_id": version}) is None:
            await self._chunks.delete({"files_id": version})
        await self._pending.delete({"_id": version})

    async def _newest(self, key: str) -> Document:
        files = await self._files.find({"filename": key}, NEWEST_FIRST, limit=1)
        if not files:
            raise NotFound("no such file")
        return files[0]

    async def _rest(self, version: str, position: int, stop: int, part: bytes) -> AsyncIterator[bytes]:
        """`part`, and what comes after it."""
        while part:
            yield part
            position += len(part)
            part = await self._part(version, position, stop) if position < stop else b""

    async def _part(self, version: str, position: int, stop: int) -> bytes:
        """The bytes from `position` on that are in one chunk."""
        number, offset = divmod(position, CHUNK_BYTES)
        chunk = await self._chunks.find_one({"files_id": version, "n": number})
        if chunk is None:
            raise StoreUnavailable("the file was replaced or deleted while it was read")
        return bytes(chunk["data"][offset : offset + stop - position])


def _id_prefix(time: int) -> str:
    """How the ids begin that were made at `time`, Unix ms: they are in order."""
    return f"{max(time, 0):012x}"
