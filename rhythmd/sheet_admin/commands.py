"""The options of `rhythmd sheets import` and `export`.

What the commands do is in `rhythmd.sheet_admin.terminal`, imported when one of them is run: `rhythmd serve` shares this
command line, and shall not load a progress bar that it never uses.
"""

import argparse
from pathlib import Path

from rhythmd.admin import Commands, Shared
from rhythmd.config import Config
from rhythmd.rows import SheetPrivacy

__all__ = ["add_sheet_commands"]


def add_sheet_commands(commands: Commands, shared: Shared) -> None:
    """Add all; each sets `run`, which takes the options and returns the exit status."""
    sheets = commands.add_parser("sheets", help="fill, copy and check the library of sheet music")
    kinds = sheets.add_subparsers(title="commands", required=True, metavar="COMMAND")
    importer = shared.add(
        kinds, "import", "make sheets of the files below a folder; what is one already is passed over", _import
    )
    importer.add_argument(
        "folder", type=_folder, metavar="DIR", help="where the files are; links out of it are refused"
    )
    importer.add_argument("--as", dest="creator", required=True, metavar="USERTAG", help="whose sheets they will be")
    importer.add_argument(
        "--privacy", type=SheetPrivacy, choices=[*SheetPrivacy],
        help="who may find them (default: what the list of an export says, else public)",
    )  # fmt: skip
    importer.add_argument("--pending", action="store_true", help="leave their approval to an editor")
    importer.add_argument("--workers", metavar="N", help="how many files to read at once (workers.processes)")
    importer.add_argument("--report", type=Path, metavar="FILE", help="write what became of each file, as JSON lines")
    exporter = shared.add(
        kinds, "export", "write all sheets to a folder, with a list of them; what is there already stays", _export
    )
    exporter.add_argument("folder", type=Path, metavar="DIR", help="new, empty, or an earlier export's")
    exporter.add_argument("--midi", action="store_true", help="write the MIDI made from other formats, too")


def _folder(text: str) -> Path:
    path = Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is no folder")
    return path


async def _import(config: Config, options: argparse.Namespace) -> int:
    from rhythmd.sheet_admin.terminal import run_import  # noqa: PLC0415 - see above

    return await run_import(config, options)


async def _export(config: Config, options: argparse.Namespace) -> int:
    from rhythmd.sheet_admin.terminal import run_export  # noqa: PLC0415 - see above

    return await run_export(config, options)
