"""The .mxl container: a zip archive whose META-INF/container.xml names the score in it (MusicXML 4.0, "container")."""

import io
import zlib
from typing import Final
from zipfile import BadZipFile, ZipFile, ZipInfo

from rhythmd.sheets.formats.bounds import RefusedFile, printable, tidy
from rhythmd.sheets.formats.markup import read_elements

__all__ = ["MAX_UNPACKED", "unpack"]

MAX_UNPACKED: Final = 40_000_000
"""Bytes of a score in a container. Scores shrink to a twentieth, seldom more."""

_MAX_ENTRIES: Final = 200
_CONTAINER: Final = "META-INF/container.xml"
_SCORE_TYPES: Final = ("", "application/vnd.recordare.musicxml+xml")
_ENCRYPTED: Final = 1
_ZIP: Final = b"PK\x03\x04"
_BROKEN: Final = (BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError, ValueError, LookupError)


def unpack(content: bytes) -> bytes:
    """The score in a container.

    Raises:
        RefusedFile: it is no container, has no score, or is beyond a bound.
    """
    try:
        with ZipFile(io.BytesIO(content)) as archive:
            return _score(archive)
    except RefusedFile:
        raise
    except _BROKEN as error:
        raise RefusedFile(f"this is no readable zip archive ({tidy(str(error))})") from None


def _score(archive: ZipFile) -> bytes:
    entries = archive.infolist()
    if len(entries) > _MAX_ENTRIES:
        raise RefusedFile(f"the archive has more than {_MAX_ENTRIES} files")
    for entry in entries:
        _check_name(entry.filename)
    names = {entry.filename: entry for entry in entries}
    if _CONTAINER not in names:
        raise RefusedFile(f"this is a zip archive without {_CONTAINER}, so no MusicXML")
    path = _rootfile(_read(archive, names[_CONTAINER]))
    if path not in names:
        raise RefusedFile(f"the archive has no file {printable(path)}, which its container names")
    score = _read(archive, names[path])
    if score.startswith(_ZIP):
        raise RefusedFile(f"the file {printable(path)} in the archive is an archive itself")
    return score


def _check_name(name: str) -> None:
    """Nothing is ever written under these names, but a path that leads out of the archive is no accident."""
    if name.startswith("/") or "\\" in name or ":" in name.split("/", 1)[0] or ".." in name.split("/"):
        raise RefusedFile(f"the archive has a file {printable(name)}, whose path leads out of it")


def _read(archive: ZipFile, entry: ZipInfo) -> bytes:
    """The content of an entry, whatever size it claims to have."""
    if entry.flag_bits & _ENCRYPTED:
        raise RefusedFile(f"the file {printable(entry.filename)} in the archive is encrypted")
    with archive.open(entry) as file:
        content = file.read(MAX_UNPACKED + 1)
    if len(content) > MAX_UNPACKED:
        raise RefusedFile(f"the file {printable(entry.filename)} in the archive has more than {MAX_UNPACKED:,} bytes")
    return content


def _rootfile(container: bytes) -> str:
    root = read_elements(container, frozenset(), lambda _open, _element: False)
    files = [file for group in root.all("rootfiles") for file in group.all("rootfile")]
    scores = [file for file in files if file.get("media-type") in _SCORE_TYPES]
    if root.tag != "container" or not scores:
        raise RefusedFile(f"{_CONTAINER} names no MusicXML file")
    return scores[0].get("full-path")
