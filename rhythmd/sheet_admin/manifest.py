"""`sheets.jsonl`, the list beside exported files: a line of JSON for each sheet, with all that the library knows.

`file` and `midi` name its files in the folder; `midi` is empty where there is none beside the file itself.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import orjson
from msgspec import Struct

from rhythmd.errors import ConfigError
from rhythmd.names.fields import cleaned
from rhythmd.rest.resources.inputs import SheetDescribed
from rhythmd.rest.resources.sheets import described
from rhythmd.rows import Approval, Sheet
from rhythmd.sheets.library import SheetDescription

__all__ = ["MANIFEST", "Listed", "describe", "line_of", "read_manifest"]

MANIFEST: Final = "sheets.jsonl"
_DESCRIBED: Final = frozenset(SheetDescribed.__struct_fields__)
_FROM_FILE: Final = "category"


class Listed(Struct, frozen=True, kw_only=True):
    """A line, as far as it is used: the files' names, which content, and what is said of the sheet."""

    file: str
    midi: str = ""
    hash: str = ""
    file_name: str = ""
    approval: Approval = Approval.APPROVED
    said: dict[str, Any] = {}


def line_of(sheet: Sheet, file: str, midi: str) -> bytes:
    """A sheet's line."""
    return orjson.dumps({"file": file, "midi": midi, **msgspec.to_builtins(sheet)}, option=orjson.OPT_APPEND_NEWLINE)


def read_manifest(folder: Path) -> dict[str, Listed]:
    """The lines of a folder's list by their `file`; none if there is no list. Raises ConfigError."""
    path = folder / MANIFEST
    if not path.exists():
        return {}
    number = 0
    listed: dict[str, Listed] = {}
    try:
        with path.open("rb") as lines:
            for line in lines:
                number += 1
                entry = _parse(line)
                listed[entry.file] = entry
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (msgspec.ValidationError, orjson.JSONDecodeError) as error:
        raise ConfigError(f"{path}, line {number}: {error}") from error
    return listed


def _parse(line: bytes) -> Listed:
    values = orjson.loads(line)
    if not isinstance(values, dict):
        raise msgspec.ValidationError("this is no object")
    said = {name: value for name, value in values.items() if name in _DESCRIBED - {_FROM_FILE} and value}
    return msgspec.convert({**values, "said": said}, Listed)


def describe(said: Mapping[str, Any]) -> SheetDescription:
    """What a line says of its sheet, within the bounds of an upload. Raises ValueError."""
    return described(cleaned(msgspec.convert(said, SheetDescribed)))
