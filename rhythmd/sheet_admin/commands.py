"""The options of `rhythmd sheets import`, `export` and `check`.

What the commands do is in `rhythmd.sheet_admin.terminal`, imported when one of them is run: `rhythmd serve` shares this
command line, and shall not load a progress bar that it never uses.
"""

import argparse
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from rhythmd.admin import Commands, Shared, add_format
from rhythmd.config import Config
from rhythmd.options import choice, text
from rhythmd.rows import SheetPrivacy

__all__ = ["add_sheet_commands"]


def add_sheet_commands(commands: Commands, shared: Shared) -> None:
    """Add all; each sets `run`, which takes the options and returns the exit status."""
    sheets = commands.add_parser("sheets", help="fill, copy and check the library of sheet music")
    sheets.description = "Fill, copy and check the library of sheet music, beside a running server or without one."
    kinds = sheets.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_import(shared.add(kinds, "import", "make sheets of the files in a folder", _import))
    _add_export(shared.add(kinds, "export", "write all sheets to a folder", _export))
    _add_check(shared.add(kinds, "check", "look for what does not agree, and repair it", _check))


def _add_import(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Make sheets of all files in a folder and below. What is a sheet already is passed over: an import that was "
        "stopped can be started again. Files that are no sheet music are refused, each with its reason; that is no "
        "failure."
    )
    parser.add_argument("folder", type=_folder, metavar="DIR", help="where the files are; links out of it are refused")
    parser.add_argument(
        "--as", dest="creator", type=text, required=True, metavar="USERTAG", help="whose sheets they will be"
    )
    parser.add_argument(
        "--privacy", type=choice(SheetPrivacy), metavar="PRIVACY",
        help="public, unlisted or private (default: what the list of an export says, else public)",
    )  # fmt: skip
    parser.add_argument("--pending", action="store_true", help="leave their approval to an editor")
    parser.add_argument("--workers", metavar="N", help="how many files to read at once (workers.processes)")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write what became of each file, as JSON lines")


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Write the files of all sheets to a folder, named by their titles, and sheets.jsonl with all that is known of "
        "them, which an import reads. Files that are there already stay, so that an export which was stopped can be "
        "started again. Files of sheets that are gone since an earlier export are removed."
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="new, empty, or an earlier export's")
    parser.add_argument("--midi", action="store_true", help="write the MIDI made from other formats, too")


def _add_check(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Look for files that are lost, that nothing knows or that no sheet has, for favourites of no sheet, and for "
        "sheets that their words do not find. The status is 1 if there is something that a server does not mend by "
        "itself. A server that runs may be about to use what is new: while one runs, or where nobody can tell, what is "
        "younger than an hour is passed over. With SQLite and blobs in a folder, a lock on that folder tells."
    )
    parser.add_argument("--repair", action="store_true", help="remove what nothing knows or uses, and mend the words")
    parser.add_argument("--deep", action="store_true", help="read every file, and compare it with its hash")
    add_format(parser)


def _folder(given: str) -> Path:
    path = Path(given)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"{given} is no folder")
    return path


def _import(config: Config, options: argparse.Namespace) -> Coroutine[Any, Any, int]:
    from rhythmd.sheet_admin.terminal import run_import  # noqa: PLC0415 - see above

    return run_import(config, options)


def _export(config: Config, options: argparse.Namespace) -> Coroutine[Any, Any, int]:
    from rhythmd.sheet_admin.terminal import run_export  # noqa: PLC0415 - see above

    return run_export(config, options)


def _check(config: Config, options: argparse.Namespace) -> Coroutine[Any, Any, int]:
    from rhythmd.sheet_admin.terminal import run_check  # noqa: PLC0415 - see above

    return run_check(config, options)
