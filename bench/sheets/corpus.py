"""Pieces to read: the works that ship with music21, or a folder. A tune of a tunebook is a piece of its own."""

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from msgspec import Struct

__all__ = ["Piece", "default_folder", "pieces"]

_MUSICXML: Final = (".mxl", ".musicxml", ".xml")
_ABC: Final = ".abc"
_MIDI: Final = (".mid", ".midi", ".rmi")
_TUNE: Final = re.compile(r"(?m)^X:\s*\d")


class Piece(Struct, frozen=True):
    """A piece: where it is from, its format by that, and its bytes."""

    name: str
    format: str
    content: bytes


def default_folder() -> Path:
    """The works within music21's package.

    Raises:
        FileNotFoundError: music21 is not installed.
    """
    spec = find_spec("music21")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("music21 is not installed: it is in the extra `bench`")
    return Path(spec.origin).parent / "corpus"


def pieces(folder: Path) -> Iterator[Piece]:
    """All pieces below `folder`, in the order of their names."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name, suffix = str(path.relative_to(folder)), path.suffix.lower()
        if suffix in _MUSICXML:
            yield Piece(name, "MusicXML", path.read_bytes())
        elif suffix in _MIDI:
            yield Piece(name, "MIDI", path.read_bytes())
        elif suffix == _ABC:
            yield from _tunes(name, path.read_bytes())


def _tunes(name: str, content: bytes) -> Iterator[Piece]:
    """The tunes of a file, without what is between them and of no tune; what stands before the first is of each."""
    text = content.decode("latin-1").replace("\r\n", "\n").replace("\r", "\n")
    starts = [match.start() for match in _TUNE.finditer(text)]
    if len(starts) < 2:
        yield Piece(name, "ABC", content)
        return
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        number = text[start:end].split("\n", 1)[0].removeprefix("X:").strip()
        yield Piece(f"{name}#{number}", "ABC", (text[: starts[0]] + text[start:end]).encode("latin-1"))
