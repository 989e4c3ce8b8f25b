"""What of the library does not agree: sheets, the rows of their files, the files, favourites and the words of searches.

A server that runs may be about to add what is not complete yet. So each finding is looked at twice, and what is new is
not called unknown: what is older than any upload can be, or, where no server runs, than this check.
"""

from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Final

from msgspec import Struct

from rhythmd.ports import NotFound, SheetStore
from rhythmd.rows import Sheet, SheetFile
from rhythmd.sheets.files import UNUSED_MS, SheetFiles

__all__ = ["Checker", "Problem", "Remedy"]

PAGE: Final = 500


class Remedy(StrEnum):
    """What becomes of a problem: it was repaired now, a server does it by itself, a repair would, or nothing can."""

    DONE = "repaired"
    SERVER = "the server removes it by itself"
    REPAIR = "--repair mends it"
    NONE = "lost, unless somebody uploads the file again"


class Problem(Struct, frozen=True):
    """What is wrong, for people."""

    text: str
    remedy: Remedy


class Checker:
    """Looks through the whole library.

    Args:
        sheets: the rows.
        files: the contents.
        now: Unix ms.
        is_alone: no server uses the library, nor did one in the moment `now`.
        repairs: mend what can be mended.
        is_deep: read every file, too.
    """

    def __init__(
        self, sheets: SheetStore, files: SheetFiles, now: int, *, is_alone: bool, repairs: bool, is_deep: bool
    ) -> None:
        self._sheets = sheets
        self._files = files
        self._before = now if is_alone else now - UNUSED_MS
        self._repairs = repairs
        self._is_deep = is_deep

    async def problems(self) -> AsyncIterator[Problem]:
        """All of them, mended as far as that is asked for. Raises StoreUnavailable."""
        for part in (self._in_sheets(), self._in_files(), self._in_blobs(), self._in_strays()):
            async for problem in part:
                yield problem

    async def _in_sheets(self) -> AsyncIterator[Problem]:
        after = 0
        while page := await self._sheets.sheets(PAGE, after):
            after = page[-1].number
            known = await self._known([sheet.hash for sheet in page])
            for sheet in page:
                if sheet.hash not in known and await self._lacks_its_file(sheet):
                    yield Problem(f"{_name(sheet)}: there is no row of its file {sheet.hash}", Remedy.NONE)
            names = {sheet.id: _name(sheet) for sheet in page}
            for sheet_id in await self._sheets.misindexed(names, mend=self._repairs):
                yield Problem(f"{names[sheet_id]}: it is not found by its words", self._remedy(Remedy.REPAIR))

    async def _known(self, hashes: list[str]) -> set[str]:
        return {file.hash for file in await self._sheets.files_of(hashes)}

    async def _lacks_its_file(self, sheet: Sheet) -> bool:
        now = await self._sheets.get(sheet.id)
        return now is not None and now.hash == sheet.hash and not await self._known([sheet.hash])

    async def _in_files(self) -> AsyncIterator[Problem]:
        after = ""
        while page := await self._sheets.files(PAGE, after):
            after = page[-1].hash
            used = await self._sheets.used_hashes([file.hash for file in page])
            for file in page:
                async for problem in self._in_file(file) if file.hash in used else self._in_unused(file):
                    yield problem

    async def _in_unused(self, file: SheetFile) -> AsyncIterator[Problem]:
        if file.used < self._before:
            is_removed = self._repairs and await self._files.remove(file, self._before)
            remedy = Remedy.DONE if is_removed else Remedy.SERVER
            yield Problem(f"file {file.hash}: no sheet has it", remedy)

    async def _in_file(self, file: SheetFile) -> AsyncIterator[Problem]:
        missing = await self._files.missing_blobs([file])
        if missing and file in await self._as_it_is_now(file):
            for key in missing:
                yield Problem(f"file {file.hash}: {key} is not there, or not of its size", Remedy.NONE)
        elif self._is_deep and not await self._is_whole(file):
            yield Problem(f"file {file.hash}: its content is another one", Remedy.NONE)

    async def _as_it_is_now(self, file: SheetFile) -> list[SheetFile]:
        """The row again, if it is still the same file's and some sheet has it."""
        if not await self._sheets.used_hashes([file.hash]):
            return []
        return [file for now in await self._sheets.files_of([file.hash]) if now.id == file.id]

    async def _is_whole(self, file: SheetFile) -> bool:
        try:
            return await self._files.is_whole(file)
        except NotFound:  # removed since it was looked at
            return file not in await self._as_it_is_now(file)

    async def _in_blobs(self) -> AsyncIterator[Problem]:
        async for key in self._files.unknown_blobs(self._before):
            if self._repairs:
                await self._files.remove_blob(key)
            yield Problem(f"{key}: no row knows it", self._remedy(Remedy.SERVER))

    async def _in_strays(self) -> AsyncIterator[Problem]:
        for kind, count in (await self._sheets.strays(remove=self._repairs)).items():
            yield Problem(f"{count} {kind} of sheets that are not there", self._remedy(Remedy.SERVER))

    def _remedy(self, otherwise: Remedy) -> Remedy:
        return Remedy.DONE if self._repairs else otherwise


def _name(sheet: Sheet) -> str:
    return f"sheet {sheet.id} ({sheet.title})"
