"""The contents of sheets: each is looked at by a worker, stored once, and removed when no sheet has it any more.

A blob is there before its row, and a row before the sheets that have it; all are removed in the other order. So a
process that is killed at any moment leaves at most blobs that no row knows, and rows that no sheet has. Both are
removed later, when they are older than any upload can be.
"""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import BinaryIO, Final

from rhythmd.clock import unix_ms
from rhythmd.fairness.disk import Disk, KeptFile
from rhythmd.fairness.shares import Holder
from rhythmd.ports import BlobStore, SheetStore, StoreError, StoreUnavailable
from rhythmd.rows import ScoreFacts, SheetCategory, SheetFile
from rhythmd.workers.pool import WorkerPool
from rhythmd.workers.scratch import ScratchFolder, parts_of

__all__ = ["FOLDER", "UNUSED_MS", "SheetFiles", "digest"]

FOLDER: Final = "sheets"
UNUSED_MS: Final = 3_600_000
"""Nobody takes so long between the upload of a content and the sheet that has it."""
SWEEP: Final = 1_000
PART_BYTES: Final = 262_144
_JOB: Final = "sheet"
_EXTENSIONS: Final = {
    SheetCategory.MIDI: ".mid",
    SheetCategory.MUSICXML: ".musicxml",
    SheetCategory.ABC: ".abc",
    SheetCategory.VIRTUAL_PIANO: ".txt",
    SheetCategory.MULTIPLAYER_PIANO: ".json",
}
_ZIP: Final = b"PK"


class SheetFiles:
    """Takes contents in, gives them out, and removes those that nobody uses.

    Args:
        sheets: the rows.
        blobs: the bytes.
        workers: read what strangers send.
        scratch: for what a worker makes of it.
        disk: which contents share with other files; without one there is no bound, for the operator's own.
    """

    def __init__(
        self,
        sheets: SheetStore,
        blobs: BlobStore,
        workers: WorkerPool,
        scratch: ScratchFolder,
        disk: Disk | None = None,
    ) -> None:
        self._disk = disk
        if disk is not None:
            disk.add_kind(self._kept)
        self._sheets = sheets
        self._blobs = blobs
        self._workers = workers
        self._scratch = scratch
        self._swept = ""

    async def admit(self, file: BinaryIO, uploader: Holder) -> SheetFile:
        """Keep a file's content; one that is there already is neither read nor stored again, unless its blobs are lost.

        Raises RefusedFile, FileTooCostly, Refused (`busy`, `upload-limit`) and StoreUnavailable.
        """
        hash_, size = await asyncio.to_thread(digest, file)
        known = await self._sheets.claim_file(hash_, unix_ms())
        if known is None:
            if self._disk is not None:
                await self._disk.require(size, uploader)  # before the work of reading it
            return await self._take_in(file, hash_, size, uploader)
        if await self.missing_blobs([known]):
            await self._restore(known, file, uploader)
        return known

    async def _restore(self, known: SheetFile, file: BinaryIO, uploader: Holder) -> None:
        """Put back what is lost. The row stays, so MIDI that comes out with another size than it had is not kept.

        Its bytes are counted, since its row is there, unless another process has made that.
        """
        if self._disk is not None:
            await self._disk.count()
            await self._disk.require_free(_size(known))
            self._disk.take(_key(known), _size(known), uploader)
        await self._blobs.put(_key(known), parts_of(file))
        if not known.midi_size:
            return
        with await self._scratch.open() as midi:
            await self._workers.run(_JOB, file, midi, ScoreFacts)
            if (await asyncio.to_thread(digest, midi))[1] == known.midi_size:
                await self._blobs.put(_midi_key(known), parts_of(midi))

    async def _take_in(self, file: BinaryIO, hash_: str, size: int, uploader: Holder) -> SheetFile:
        midi = await self._scratch.open()
        try:
            facts = await self._workers.run(_JOB, file, midi, ScoreFacts)
            midi_hash, midi_size = await asyncio.to_thread(digest, midi)
            made = SheetFile(
                hash=hash_,
                id=_new_blob_id(hash_),
                extension=await asyncio.to_thread(_extension, file, facts.category),
                size=size,
                midi_size=0 if midi_hash == hash_ else midi_size,
                facts=facts,
                created=unix_ms(),
                used=unix_ms(),
                network=uploader.network,
            )
            if self._disk is not None:
                self._disk.take(_key(made), _size(made), uploader)
            await self._put(made, file, midi)
            # A row whose call failed may be there all the same, so the blobs stay; if it is not, they are found later.
            kept = await self._sheets.add_file(made)
            if kept.id != made.id:
                await self._remove_blobs(made)
            return kept
        finally:
            midi.close()

    async def _put(self, made: SheetFile, file: BinaryIO, midi: BinaryIO) -> None:
        try:
            await self._blobs.put(_key(made), parts_of(file))
            if made.midi_size:
                await self._blobs.put(_midi_key(made), parts_of(midi))
        except StoreUnavailable:
            await self._remove_blobs(made)
            raise

    async def _remove_blobs(self, file: SheetFile) -> None:
        with suppress(StoreError):  # then they are found later
            await self._blobs.delete(_key(file))
            await self._blobs.delete(_midi_key(file))
            self._released(_key(file))

    def _released(self, key: str) -> None:
        if self._disk is not None:
            self._disk.release(key)

    async def count(self) -> None:
        """Count the files that are there, once. Raises StoreUnavailable."""
        if self._disk is not None:
            await self._disk.count()

    async def _kept(self) -> AsyncIterator[KeptFile]:
        last = ""
        while files := await self._sheets.files(SWEEP, last):
            creators = await self._sheets.creators([file.hash for file in files])
            for file in files:
                creator = creators.get(file.hash)
                holder = None if creator is None else Holder(creator, network=file.network)
                yield KeptFile(_key(file), _size(file), holder)
            last = files[-1].hash

    async def get(self, hash_: str) -> SheetFile | None:
        """The row of a content."""
        files = await self._sheets.files_of([hash_])
        return files[0] if files else None

    async def read(self, file: SheetFile, start: int, stop: int) -> AsyncIterator[bytes]:
        """These bytes of the original. Raises NotFound."""
        return await self._blobs.get(_key(file), start, stop)

    async def read_midi(self, file: SheetFile, start: int, stop: int | None) -> AsyncIterator[bytes]:
        """These bytes of its MIDI. Raises NotFound."""
        return await self._blobs.get(_midi_key(file) if file.midi_size else _key(file), start, stop)

    async def sweep(self) -> None:
        """Remove contents that no sheet has, of the next thousand. Raises StoreUnavailable."""
        before = unix_ms() - UNUSED_MS
        files = await self._sheets.files(SWEEP, self._swept)
        used = await self._sheets.used_hashes([file.hash for file in files])
        for file in files:
            if self._disk is not None:
                self._disk.know(KeptFile(_key(file), _size(file), None))  # another process may have added it
            if file.hash not in used:
                await self.remove(file, before)
        self._swept = files[-1].hash if len(files) == SWEEP else ""

    async def remove(self, file: SheetFile, before: int) -> bool:
        """Remove a content unless a sheet has it or it was used since then; whether it was there."""
        if file.used >= before or not await self._sheets.remove_file(file.hash, before):
            return False
        await self._remove_blobs(file)
        return True

    async def sweep_blobs(self) -> None:
        """Remove blobs that no row knows. Raises StoreUnavailable."""
        async for key in self.unknown_blobs(unix_ms() - UNUSED_MS):
            await self.remove_blob(key)

    async def remove_blob(self, key: str) -> None:
        """Remove one that no row knows."""
        await self._blobs.delete(key)
        self._released(key.removesuffix(".mid"))

    async def unknown_blobs(self, before: int) -> AsyncIterator[str]:
        """The keys of blobs that no row knows and that were made before then."""
        keys: list[str] = []
        async for key in self._blobs.keys(FOLDER):
            keys.append(key)
            if len(keys) == SWEEP:
                async for unknown in self._unknown(keys, before):
                    yield unknown
                keys = []
        async for unknown in self._unknown(keys, before):
            yield unknown

    async def _unknown(self, keys: list[str], before: int) -> AsyncIterator[str]:
        known = await self._sheets.files_of({_hash_of(key) for key in keys})
        kept = {key for file in known for key in (_key(file), _midi_key(file))}
        for key in keys:
            if key not in kept and _made(key) < before:
                yield key

    async def missing_blobs(self, files: list[SheetFile]) -> list[str]:
        """The keys of blobs that are not there, or not of the right size, though these rows name them."""
        wanted = {_key(file): file.size for file in files}
        wanted |= {_midi_key(file): file.midi_size for file in files if file.midi_size}
        return [key for key, size in wanted.items() if await self._size_of(key) != size]

    async def is_whole(self, file: SheetFile) -> bool:
        """Whether its blob has the content that its hash says. Raises NotFound."""
        content = hashlib.sha256()
        async for part in await self.read(file, 0, file.size):
            content.update(part)
        return content.hexdigest() == file.hash

    async def _size_of(self, key: str) -> int | None:
        try:
            return await self._blobs.size(key)
        except StoreUnavailable:
            raise
        except StoreError:
            return None


def digest(file: BinaryIO) -> tuple[str, int]:
    """The SHA-256 of a file's content, in hexadecimal, and its bytes; it then stands at its end."""
    digest = hashlib.sha256()
    file.seek(0)
    while part := file.read(PART_BYTES):
        digest.update(part)
    return digest.hexdigest(), file.tell()


def _extension(file: BinaryIO, category: SheetCategory) -> str:
    file.seek(0)
    if category is SheetCategory.MUSICXML and file.read(len(_ZIP)) == _ZIP:
        return ".mxl"
    return _EXTENSIONS[category]


def _new_blob_id(hash_: str) -> str:
    """The content, the time and chance: no blob is written over another one, and each tells whose it is and how old."""
    return f"{hash_}-{unix_ms():x}-{secrets.token_hex(4)}"


def _size(file: SheetFile) -> int:
    return file.size + file.midi_size


def _key(file: SheetFile) -> str:
    return f"{FOLDER}/{file.id}"


def _midi_key(file: SheetFile) -> str:
    return f"{FOLDER}/{file.id}.mid"


def _hash_of(key: str) -> str:
    return key.removeprefix(f"{FOLDER}/").partition("-")[0]


def _made(key: str) -> int:
    """Unix milliseconds; 0 for a key that is none of ours, which was put there by somebody else."""
    parts = key.split("-")
    try:
        return int(parts[1], 16)
    except (IndexError, ValueError):
        return 0
