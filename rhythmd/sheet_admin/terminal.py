"""`rhythmd sheets` at a terminal: a progress bar on standard error, what came of it on standard output.

Exit statuses: 0 done, also when files were refused; 1 something went wrong or is wrong; 2 wrong options.
"""

import argparse
import fcntl
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import BinaryIO, Final, NoReturn

import orjson
from msgspec import Struct, to_builtins
from tqdm import tqdm

from rhythmd.admin import OPERATOR, Format, open_auth, opened, print_list
from rhythmd.app import open_blobs, open_scratch
from rhythmd.clock import unix_ms
from rhythmd.config import Config
from rhythmd.errors import ConfigError
from rhythmd.ports import Store, StoreError
from rhythmd.rows import Account, Approval
from rhythmd.sheet_admin.checking import Checker, Problem, Remedy
from rhythmd.sheet_admin.exporting import Exported, Exporter, Fate
from rhythmd.sheet_admin.importing import Handled, Importer, Outcome, Terms, find_files
from rhythmd.sheet_admin.manifest import read_manifest
from rhythmd.sheets.files import SheetFiles
from rhythmd.sheets.library import SheetLibrary
from rhythmd.terminal import complain, printable
from rhythmd.workers.pool import WorkerPool
from rhythmd.workers.scratch import ScratchFolder

__all__ = ["run_check", "run_export", "run_import"]

FAILED: Final = 1
IMPORT_LOCK: Final = "import.lock"


class Shelf(Struct, frozen=True):
    """The library with all that is behind it.

    `is_alone` says that whatever was begun before `since` (Unix ms) was begun by processes that are gone. SQLite and a
    folder of blobs are one machine's, and each process that uses such a folder has a lock on it; of other databases and
    places nobody can say that.
    """

    store: Store
    files: SheetFiles
    scratch: ScratchFolder
    since: int
    is_alone: bool


@asynccontextmanager
async def _open_shelf(config: Config) -> AsyncIterator[Shelf]:
    async with opened(config) as store:
        blobs, workers, scratch = open_blobs(config), WorkerPool(config.workers), open_scratch(config)
        since = unix_ms()
        is_alone = await blobs.start()
        try:
            files = SheetFiles(store.sheets, blobs, workers, scratch)
            yield Shelf(store, files, scratch, since, is_alone and config.store.backend == "sqlite")
        finally:
            await workers.close()
            await blobs.close()


def _bar(unit: str, total: int | None = None) -> "tqdm[NoReturn]":
    """A progress bar, if anybody sees it."""
    return tqdm(total=total, unit=unit, file=sys.stderr, disable=None)


# Importing


class _Report:
    """Counts what became of files, shows it, and writes it down.

    Args:
        total: how many files there are.
        out: gets a line of JSON for each file.
    """

    def __init__(self, total: int, out: BinaryIO | None) -> None:
        self._bar = _bar("file", total)
        self._out = out
        self._counts: Counter[tuple[str, Outcome]] = Counter()
        self._refusals: list[Handled] = []

    def add(self, handled: Handled) -> None:
        self._counts[handled.format or "(no suffix)", handled.outcome] += 1
        if handled.outcome is Outcome.REFUSED:
            self._refusals.append(handled)
        if self._out is not None:
            self._out.write(orjson.dumps(to_builtins(handled), option=orjson.OPT_APPEND_NEWLINE))
            self._out.flush()
        self._bar.update()

    def count(self, outcome: Outcome) -> int:
        return sum(count for (_, each), count in self._counts.items() if each is outcome)

    def show(self) -> None:
        """Print all of it."""
        self._bar.close()
        for refusal in sorted(self._refusals, key=lambda each: each.file):
            print(printable(f"{refusal.file}: {refusal.reason}"))
        rows = [(kind, [self._counts[kind, each] for each in Outcome]) for kind in sorted({k for k, _ in self._counts})]
        rows.append(("all", [self.count(each) for each in Outcome]))
        width = max(len(kind) for kind, _ in rows)
        print("  ".join([" " * width, *Outcome]))
        for kind, counts in rows:
            numbers = (f"{count:{len(each)}d}" for each, count in zip(Outcome, counts, strict=True))
            print("  ".join([printable(kind).ljust(width), *numbers]))


async def run_import(config: Config, options: argparse.Namespace) -> int:
    """Import a folder; the exit status. Raises ConfigError and StoreError."""
    folder: Path = options.folder
    listed = read_manifest(folder)
    paths = [path for path in find_files(folder, listed) if not _is_same(path, options.report)]
    async with _open_shelf(config) as shelf, open_auth(config, shelf.store) as auth:
        creator = await _creator(shelf.store, options.creator)
        terms = Terms(
            creator=creator,
            privacy=options.privacy,
            approval=Approval.PENDING if options.pending else Approval.APPROVED,
            max_bytes=config.sheets.max_bytes,
        )
        library = SheetLibrary(shelf.store.sheets, shelf.files, shelf.scratch, auth.auditor, config.sheets)
        importer = Importer(shelf.store.sheets, shelf.files, library, shelf.scratch, terms, folder, listed)
        with _only_import(config), _written(options.report) as out:
            # Before it begins, as it may be killed, or the database be away at its end.
            auth.auditor.record(
                "sheets.imported", target=creator.id, client=OPERATOR, files=len(paths), approval=str(terms.approval)
            )
            return await _run_import(importer, paths, config.workers.processes, _Report(len(paths), out))


async def _run_import(importer: Importer, paths: list[Path], at_once: int, report: _Report) -> int:
    try:
        await importer.run(paths, at_once, report.add)
    except StoreError as error:
        complain(f"stopped: {error}")
        return FAILED
    finally:
        report.show()
    return 0


def _is_same(path: Path, report: Path | None) -> bool:
    """Whether a file is the report of an earlier import."""
    return report is not None and path.name == report.name and path.resolve() == report.resolve()


async def _creator(store: Store, usertag: str) -> Account:
    account = await store.accounts.by_usertag(usertag)
    if account is None:
        raise ConfigError(f"--as: there is no user {usertag!r}")
    return account


@contextmanager
def _only_import(config: Config) -> Iterator[None]:
    """Two at once would make two sheets of one file. The lock ends with the process."""
    path = Path(config.server.data_dir) / IMPORT_LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError("another import is under way") from None
        yield


@contextmanager
def _written(path: Path | None) -> Iterator[BinaryIO | None]:
    if path is None:
        yield None
        return
    try:
        out = path.open("wb")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    with out:
        yield out


# Exporting


async def run_export(config: Config, options: argparse.Namespace) -> int:
    """Export all sheets; the exit status. Raises ConfigError and StoreError."""
    fates: Counter[Fate] = Counter()
    async with _open_shelf(config) as shelf:
        exporter = Exporter(shelf.store.sheets, shelf.files, options.folder, with_midi=options.midi)
        with _bar("sheet") as bar:

            def tell(done: Exported) -> None:
                fates[done.fate] += 1
                bar.update()
                if done.fate is Fate.LOST:
                    bar.write(printable(f"{done.sheet.id} ({done.sheet.title}): {done.reason}"), file=sys.stdout)

            await exporter.run(tell)
    print(", ".join(f"{fates[fate]} {fate}" for fate in Fate))
    return FAILED if fates[Fate.LOST] else 0


# Checking


async def run_check(config: Config, options: argparse.Namespace) -> int:
    """Check the library; the exit status. Raises StoreError."""
    counts: Counter[Remedy] = Counter()
    async with _open_shelf(config) as shelf:
        checker = Checker(
            shelf.store.sheets,
            shelf.files,
            shelf.since,
            is_alone=shelf.is_alone,
            repairs=options.repair,
            is_deep=options.deep,
        )

        async def counted() -> AsyncIterator[Problem]:
            async for problem in checker.problems():
                counts[problem.remedy] += 1
                yield problem

        await print_list(counted(), lambda problem: printable(f"{problem.text}: {problem.remedy}"), options.format)
        told = [] if shelf.is_alone else ["a server may be running: what is younger than an hour was passed over"]
    told.append(", ".join(f"{count} {remedy}" for remedy, count in counts.items()) or "nothing is wrong")
    if options.format is Format.TEXT:
        print("\n".join(told))
    return FAILED if counts[Remedy.REPAIR] or counts[Remedy.NONE] else 0
