"""Other libraries' reading of a piece: the notes of the MIDI files that they make of it."""

import io
from base64 import b64decode
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from typing import Any, Final, NamedTuple

from mido import MidiFile

from bench.sheets.corpus import Piece
from rhythmd.sheets.formats.musicxml.container import unpack

__all__ = ["PEERS", "PeerFailure", "Reading", "SheetNote", "read_midi", "version_of"]


class SheetNote(NamedTuple):
    """A note: beginning and length in quarters, and MIDI key."""

    start: float
    key: int
    length: float


Reading = list[SheetNote]
"""The notes of a piece in order, those of all tracks together."""


class PeerFailure(Exception):
    """The library cannot read the piece, or finds no note in it."""


def read_midi(content: bytes) -> Reading:
    """The notes of a MIDI file. A key that is pressed again while it is down begins a new note."""
    file = MidiFile(file=io.BytesIO(content), clip=True)
    notes: Reading = []
    for track in file.tracks:
        tick = 0
        down: dict[tuple[int, int], int] = {}
        for message in track:
            tick += message.time
            if message.type not in ("note_on", "note_off"):
                continue
            place = message.channel, message.note
            start = down.pop(place, None)
            if start is not None:
                notes.append(_note(start, tick, message.note, file.ticks_per_beat))
            if message.type == "note_on" and message.velocity:
                down[place] = tick
    return sorted(notes)


def _note(start: int, end: int, key: int, ticks_per_quarter: int) -> SheetNote:
    return SheetNote(start / ticks_per_quarter, key, (end - start) / ticks_per_quarter)


def _text(piece: Piece) -> str:
    """The piece as text, out of its container."""
    content = unpack(piece.content) if piece.content.startswith(b"PK") else piece.content
    if content.startswith((BOM_UTF16_BE, BOM_UTF16_LE)):
        return content.decode("utf-16")
    return content.decode("utf-8", "replace").removeprefix("\ufeff")


def _verovio(piece: Piece) -> Reading:
    library: Any = import_module("verovio")
    library.enableLog(library.LOG_OFF)
    toolkit = library.toolkit()
    toolkit.setInputFrom("abc" if piece.format == "ABC" else "musicxml")
    if not toolkit.loadData(_text(piece)):
        raise PeerFailure("it does not load")
    return read_midi(b64decode(toolkit.renderToMIDI()))


def _music21(piece: Piece) -> Reading:
    converter: Any = import_module("music21.converter")
    translate: Any = import_module("music21.midi.translate")
    score = converter.parse(_text(piece), format="abc" if piece.format == "ABC" else "musicxml")
    return read_midi(translate.streamToMidiFile(score).writestr())


PEERS: Final[dict[str, Callable[[Piece], Reading]]] = {"Verovio": _verovio, "music21": _music21}


def version_of(name: str) -> str:
    """The installed version of a peer."""
    return version(name.lower())
