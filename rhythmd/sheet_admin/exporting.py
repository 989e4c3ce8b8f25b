"""All sheets become files of a folder, with a list of them beside; what is there already is not written again."""

import asyncio
import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

from rhythmd.errors import ConfigError
from rhythmd.ports import NotFound, SheetStore
from rhythmd.rows import Sheet, SheetFile
from rhythmd.sheet_admin.manifest import MANIFEST, line_of, read_manifest
from rhythmd.sheets.files import SheetFiles, digest

__all__ = ["Exported", "Exporter", "Fate", "Names"]

PAGE: Final = 500
STEM_BYTES: Final = 180
PARTIAL: Final = ".partial"
"""The file that is being written; it gets its name when it is whole."""
MIDI: Final = ".mid"
_UNSAFE: Final = re.compile(r'[/\\:*?"<>|]')
_RESERVED: Final = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")  # what Windows takes for devices
_UNFINISHED: Final = f".{MANIFEST}"


class Fate(StrEnum):
    """What became of a sheet: its file was written, was there, or cannot be had."""

    WRITTEN = "written"
    THERE = "already there"
    LOST = "lost"


class Exported(NamedTuple):
    """A sheet, and why there is no file of it if there is none."""

    sheet: Sheet
    fate: Fate
    reason: str = ""


class Names:
    """Names of files that are safe everywhere, each given once, also where case does not count."""

    def __init__(self) -> None:
        self._given: set[str] = set()
        self._times: Counter[str] = Counter()

    def stem(self, title: str) -> str:
        """A name without its ending: the title, or `title (2)` and so on."""
        plain = _plain(title)
        while True:
            self._times[plain.casefold()] += 1
            times = self._times[plain.casefold()]
            stem = plain if times == 1 else f"{plain} ({times})"
            if stem.casefold() not in self._given:
                self._given.add(stem.casefold())
                return stem


def _plain(title: str) -> str:
    """A title as part of a file's name: neither a path nor hidden, and short enough."""
    text = unicodedata.normalize("NFC", _UNSAFE.sub("-", title))
    text = "".join(character for character in text if character.isprintable())
    short = text.encode("utf-8", "ignore")[:STEM_BYTES].decode("utf-8", "ignore").strip(" .")
    return f"_{short}" if _RESERVED.fullmatch(short) else short or "Untitled"


class Exporter:
    """Writes sheets to a folder that is new, empty, or an earlier export's.

    Args:
        sheets: the rows.
        files: the contents.
        folder: made if need be.
        with_midi: write the MIDI that is made from other formats, too.
    """

    def __init__(self, sheets: SheetStore, files: SheetFiles, folder: Path, *, with_midi: bool) -> None:
        self._sheets = sheets
        self._files = files
        self._folder = folder
        self._with_midi = with_midi
        self._names = Names()

    async def run(self, tell: Callable[[Exported], None]) -> None:
        """Export all; `tell` hears of each sheet. Raises ConfigError, StoreError and OSError."""
        before = await asyncio.to_thread(_prepare, self._folder)
        kept: set[str] = set()
        with (self._folder / _UNFINISHED).open("wb") as manifest:
            async for sheet, file in self._all():
                done, line, names = await self._export(sheet, file)
                await asyncio.to_thread(manifest.write, line)
                kept.update(names)
                tell(done)
        await asyncio.to_thread(_finish, self._folder, before - kept)

    async def _all(self) -> AsyncIterator[tuple[Sheet, SheetFile | None]]:
        after = 0
        while page := await self._sheets.sheets(PAGE, after):
            after = page[-1].number
            files = {file.hash: file for file in await self._files_of(page)}
            for sheet in page:
                yield sheet, files.get(sheet.hash)

    async def _files_of(self, sheets: Iterable[Sheet]) -> list[SheetFile]:
        return await self._sheets.files_of({sheet.hash for sheet in sheets})

    async def _export(self, sheet: Sheet, file: SheetFile | None) -> tuple[Exported, bytes, list[str]]:
        """What became of it, its line of the list, and the names of its files."""
        if file is None:
            return Exported(sheet, Fate.LOST, "nothing is known of its file"), b"", []
        stem = self._names.stem(sheet.title)
        name, midi = stem + file.extension, stem + MIDI if self._with_midi and file.midi_size else ""
        try:
            fate = await self._write_original(file, name)
            if midi:
                await self._write(midi, await self._files.read_midi(file, 0, file.midi_size))
        except NotFound:
            return Exported(sheet, Fate.LOST, "its file is gone"), b"", []
        if fate is Fate.LOST:
            return Exported(sheet, fate, "its file is damaged"), b"", []
        return Exported(sheet, fate), line_of(sheet, name, midi), [name, midi] if midi else [name]

    async def _write_original(self, file: SheetFile, name: str) -> Fate:
        if await asyncio.to_thread(_has, self._folder / name, file):
            return Fate.THERE
        is_whole = await self._write(name, await self._files.read(file, 0, file.size), file.hash)
        return Fate.WRITTEN if is_whole else Fate.LOST

    async def _write(self, name: str, parts: AsyncIterator[bytes], hash_: str | None = None) -> bool:
        """Whether it had that hash; if not, nothing is written."""
        partial, content = self._folder / PARTIAL, hashlib.sha256()
        await asyncio.to_thread(partial.unlink, missing_ok=True)
        with await asyncio.to_thread(partial.open, "xb") as out:
            async for part in parts:
                content.update(part)
                await asyncio.to_thread(out.write, part)
        if hash_ not in {None, content.hexdigest()}:
            await asyncio.to_thread(partial.unlink)
            return False
        await asyncio.to_thread(partial.replace, self._folder / name)
        return True


def _prepare(folder: Path) -> set[str]:
    """The names of an earlier export's files. Raises ConfigError if the folder has something else."""
    folder.mkdir(parents=True, exist_ok=True)
    names = {entry.name for entry in os.scandir(folder)}
    if names and names.isdisjoint({MANIFEST, _UNFINISHED}):
        raise ConfigError(f"{folder} is neither empty nor an earlier export")
    return {name for entry in read_manifest(folder).values() for name in (entry.file, entry.midi) if name}


def _finish(folder: Path, stale: set[str]) -> None:
    """Give the list its name, and remove the files of sheets that are gone."""
    (folder / _UNFINISHED).replace(folder / MANIFEST)
    (folder / PARTIAL).unlink(missing_ok=True)
    for name in stale:
        if Path(name).name == name:
            (folder / name).unlink(missing_ok=True)


def _has(path: Path, file: SheetFile) -> bool:
    """Whether the file is there, with this content."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size != file.size:
        return False
    with path.open("rb") as content:
        return digest(content)[0] == file.hash
