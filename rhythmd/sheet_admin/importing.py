"""A folder's files become sheets, several at once. What is a sheet already is passed over, so it can be repeated."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final

from msgspec import UNSET, Struct, structs

from rhythmd.errors import FileTooCostly, Refused, RefusedFile
from rhythmd.fairness.disk import account_holder
from rhythmd.locks import KeyedLocks
from rhythmd.ports import SheetStore, StoreUnavailable
from rhythmd.rest.resources.sheets import plain_name
from rhythmd.rows import Account, Approval, ScoreFacts, Sheet, SheetPrivacy
from rhythmd.sheet_admin.manifest import MANIFEST, Listed, describe
from rhythmd.sheets.files import SheetFiles, digest
from rhythmd.sheets.library import SheetDescription, SheetLibrary, one_line
from rhythmd.workers.scratch import ScratchFolder

__all__ = ["Handled", "Importer", "Outcome", "Terms", "find_files", "name_in"]

PART_BYTES: Final = 262_144
AGAIN_S: Final = 1.0


class Outcome(StrEnum):
    """What became of a file: it is a sheet now, it was one before, or it cannot be one."""

    IMPORTED = "imported"
    THERE = "already there"
    REFUSED = "refused"


class Handled(Struct, frozen=True, kw_only=True):
    """A line of the report. `format` is the sheet's category, of a refused file the end of its name."""

    file: str
    outcome: Outcome
    format: str
    sheet: str = ""
    title: str = ""
    notes: int = 0
    duration_ms: int = 0
    remarks: tuple[str, ...] = ()
    reason: str = ""


class Terms(Struct, frozen=True, kw_only=True):
    """How files become sheets: whose they are, who may see them, and up to which size.

    `privacy` None is what the list beside the files says, and public without one.
    """

    creator: Account
    privacy: SheetPrivacy | None
    approval: Approval
    max_bytes: int


def name_in(folder: Path, path: Path) -> str:
    """A file's name in the list and in reports: its path below the folder."""
    return os.fsencode(path.relative_to(folder)).decode("utf-8", "backslashreplace")


def find_files(folder: Path, listed: Mapping[str, Listed]) -> list[Path]:
    """The files below a folder, in order, without its list and the MIDI files that were made from others of them."""
    paths: list[Path] = []

    def take_unreadable(error: OSError) -> None:
        paths.append(Path(os.fsdecode(error.filename)))

    for parent, _, names in os.walk(folder, onerror=take_unreadable):
        paths += [Path(parent, name) for name in names]
    made = {MANIFEST, *(entry.midi for entry in listed.values())}
    return sorted(path for path in paths if name_in(folder, path) not in made)


class Importer:
    """Makes sheets of files.

    Args:
        sheets: the rows.
        files: the contents.
        library: the rules.
        scratch: for contents on their way.
        terms: of all files.
        folder: where they are; no symbolic link leads out of it.
        listed: what a list beside them says of some.
    """

    def __init__(
        self,
        sheets: SheetStore,
        files: SheetFiles,
        library: SheetLibrary,
        scratch: ScratchFolder,
        terms: Terms,
        folder: Path,
        listed: Mapping[str, Listed],
    ) -> None:
        self._sheets = sheets
        self._files = files
        self._library = library
        self._scratch = scratch
        self._terms = terms
        self._folder = folder
        self._listed = listed
        self._locks = KeyedLocks()  # by content and name

    async def run(self, paths: Iterable[Path], at_once: int, tell: Callable[[Handled], None]) -> None:
        """Import all; `tell` hears of each. Raises StoreUnavailable when a second attempt fails, too."""
        waiting = iter(paths)
        tasks = [asyncio.create_task(self._work(waiting, tell)) for _ in range(at_once)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, waiting: Iterator[Path], tell: Callable[[Handled], None]) -> None:
        for path in waiting:
            try:
                handled = await self._handle(path)
            except StoreUnavailable:
                await asyncio.sleep(AGAIN_S)
                handled = await self._handle(path)
            tell(handled)

    async def _handle(self, path: Path) -> Handled:
        name = name_in(self._folder, path)
        try:
            sheet, outcome = await self._import(path, self._listed.get(name))
        except (RefusedFile, FileTooCostly) as error:
            return _refused(name, error.reason)
        except Refused as error:
            return _refused(name, error.message)
        return Handled(
            file=name,
            outcome=outcome,
            format=sheet.category,
            sheet=sheet.id,
            title=sheet.title,
            notes=sheet.notes,
            duration_ms=sheet.duration_ms,
            remarks=sheet.remarks,
        )

    async def _import(self, path: Path, listed: Listed | None) -> tuple[Sheet, Outcome]:
        """The sheet, and whether it is new. Raises RefusedFile, FileTooCostly, Refused and StoreUnavailable."""
        given = self._given(listed)
        name = plain_name((listed and listed.file_name) or path.name)
        async with self._scratch.filled(self._parts(path)) as file:
            hash_, _ = await asyncio.to_thread(digest, file)
            async with self._alone_with(hash_, name):
                sheet = await self._sheets.find(self._terms.creator.id, hash_, name)
                if sheet is not None:
                    return sheet, Outcome.THERE
                return await self._add(file, name, given, self._approval(listed)), Outcome.IMPORTED

    async def _add(self, file: BinaryIO, name: str, given: SheetDescription, approval: Approval) -> Sheet:
        content = await self._files.admit(file, account_holder(self._terms.creator.id))
        return await self._library.add(
            self._terms.creator, content, name, _with_title(given, content.facts, name), approval
        )

    @asynccontextmanager
    async def _alone_with(self, hash_: str, name: str) -> AsyncIterator[None]:
        """One at a time of the same files in several folders: the second one finds the sheet of the first."""
        async with self._locks.of((hash_, name)):
            yield

    def _given(self, listed: Listed | None) -> SheetDescription:
        try:
            given = describe(listed.said if listed else {})
        except ValueError as error:
            raise RefusedFile(f"{MANIFEST} says of it: {error}") from error
        privacy = self._terms.privacy
        return given if privacy is None else structs.replace(given, privacy=privacy)

    def _approval(self, listed: Listed | None) -> Approval:
        """What no editor has approved where it comes from, one has to look at here."""
        if listed is not None and listed.approval is not Approval.APPROVED:
            return Approval.PENDING
        return self._terms.approval

    async def _parts(self, path: Path) -> AsyncIterator[bytes]:
        """A file's content. Raises RefusedFile."""
        file = await asyncio.to_thread(_open, path, self._folder, self._terms.max_bytes)
        size = 0
        try:
            while part := await asyncio.to_thread(_read, file):
                size += len(part)
                if size > self._terms.max_bytes:
                    raise _too_large(self._terms.max_bytes)
                yield part
        finally:
            file.close()


def _refused(name: str, reason: str) -> Handled:
    return Handled(file=name, outcome=Outcome.REFUSED, format=Path(name).suffix.lower(), reason=reason)


def _with_title(given: SheetDescription, facts: ScoreFacts, name: str) -> SheetDescription:
    """The file's name stands in for a title that nobody has given."""
    if given.title not in {UNSET, ""} or one_line(facts.title):
        return given
    return structs.replace(given, title=one_line(Path(name).stem))


def _open(path: Path, folder: Path, limit: int) -> BinaryIO:
    """Raises RefusedFile."""
    try:
        if path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
            raise RefusedFile("it is a link that leads out of the folder")
        # Without waiting: the other end of a named pipe may never come.
        file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")
    except OSError as error:
        raise _unreadable(error) from error
    status = os.fstat(file.fileno())
    problem = None if stat.S_ISREG(status.st_mode) else RefusedFile("it is no regular file")
    if status.st_size > limit:
        problem = _too_large(limit)
    if problem is not None:
        file.close()
        raise problem
    return file


def _read(file: BinaryIO) -> bytes:
    """Raises RefusedFile."""
    try:
        return file.read(PART_BYTES)
    except OSError as error:
        raise _unreadable(error) from error


def _unreadable(error: OSError) -> RefusedFile:
    return RefusedFile(f"it cannot be read: {error.strerror}")


def _too_large(limit: int) -> RefusedFile:
    return RefusedFile(f"it has more than {limit} bytes")
