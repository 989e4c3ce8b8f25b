"""The one way into the formats: which one a file has, seen from its content, and what it says.

A file's name is never looked at. What begins like a format is read as that and as nothing else, so that a file which
lies about its type is refused by the reader of what it pretends to be.
"""

import codecs
import re
from typing import BinaryIO, Final

from rhythmd.midi.parser import find_midi
from rhythmd.rows import ScoreFacts, SheetCategory
from rhythmd.sheets.formats.abc_notation.tune import read_tune
from rhythmd.sheets.formats.bounds import MAX_BYTES, RefusedFile, at_byte
from rhythmd.sheets.formats.mpp_text import NO_RECORDING, is_json, read_mpp
from rhythmd.sheets.formats.musicxml.container import unpack
from rhythmd.sheets.formats.musicxml.document import read_document
from rhythmd.sheets.formats.performance import Performance, write
from rhythmd.sheets.formats.playing import perform
from rhythmd.sheets.formats.score import Score
from rhythmd.sheets.formats.standard_midi import read_midi
from rhythmd.sheets.formats.virtual_piano import read_virtual_piano

__all__ = ["analyse"]

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_XML: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*<|(?:\xff\xfe)?<\x00|(?:\xfe\xff)?\x00<")
_ZIP: Final = b"PK\x03\x04"
_ABC: Final = re.compile(r"(?:^|[\r\n])(?:X:[ \t]*\d|K:[ \t]*[A-Ga-gHn]|%abc)")
_JSON: Final = re.compile(r"\s*(?:\{|\[\s*[\[{])")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


def analyse(source: BinaryIO, midi: BinaryIO) -> ScoreFacts:
    """The facts of a file of sheet music, and its Standard MIDI File.

    Args:
        source: the file, at its beginning, at most `MAX_BYTES` long.
        midi: gets the Standard MIDI File; of one without faults, the bytes of its header and its tracks.

    Raises:
        RefusedFile: the file does not parse, or is beyond a bound; `midi` may have got something before.
    """
    content = source.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise RefusedFile(f"it has more than {MAX_BYTES:,} bytes")
    if not content:
        raise RefusedFile("it is empty")
    if find_midi(content) >= 0:
        facts, kept = read_midi(content)
        midi.write(kept)
        return facts
    facts, performance = _read(content)
    write(performance, midi)
    return facts


def _read(content: bytes) -> tuple[ScoreFacts, Performance]:
    if content.startswith(_ZIP):
        return _play(SheetCategory.MUSICXML, read_document(unpack(content)))
    if _XML.match(content):
        return _play(SheetCategory.MUSICXML, read_document(content))
    text = _decode(content)
    if _ABC.search(text):
        return _play(SheetCategory.ABC, read_tune(text))
    if _JSON.match(text):
        return read_mpp(text)
    try:
        return read_virtual_piano(text)
    except RefusedFile:
        if is_json(text):  # a list of something: [123] is one, too, and a chord
            raise RefusedFile(NO_RECORDING) from None
        raise


def _play(category: SheetCategory, score: Score) -> tuple[ScoreFacts, Performance]:
    performance = perform(score)
    facts = ScoreFacts(
        category=category,
        title=score.title,
        composer=score.composer,
        tempo=round(score.tempo, 2),
        key=score.key,
        time_signature=score.time_signature,
        duration_ms=performance.duration_ms,
        notes=performance.notes,
        parts=performance.parts,
        remarks=score.remarks,
    )
    return facts, performance


def _decode(content: bytes) -> str:
    """The content as text: UTF-8, UTF-16 with a byte order mark, or Latin-1 if it is no UTF-8.

    Raises:
        RefusedFile: it has what no text has.
    """
    encoding = next((encoding for bom, encoding in _BOMS if content.startswith(bom)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise at_byte(error.start, "this is no text in the encoding that its first bytes promise") from None
        text = content.decode("latin-1")
    if match := _CONTROL.search(text):
        position = len(text[: match.start()].encode("utf-8"))
        raise at_byte(position, "this is neither MIDI, MusicXML nor text")
    return text
