"""Small files that would become large, deep or endless: each must be refused, for little."""

import io
import struct
import zipfile
from typing import Final

__all__ = ["BOMBS"]

_CONTAINER: Final = (
    '<container><rootfiles><rootfile full-path="{path}" '
    'media-type="application/vnd.recordare.musicxml+xml"/></rootfiles></container>'
)
_SCORE: Final = (
    '<score-partwise><part-list><score-part id="P1"><part-name/></score-part></part-list>'
    '<part id="P1">{measures}</part></score-partwise>'
)
_NOTE: Final = "<note><pitch><step>C</step><octave>4</octave></pitch><duration>1</duration></note>"


def _midi(tracks: bytes, count: int = 1) -> bytes:
    return b"MThd" + struct.pack(">IHHH", 6, 1, count, 480) + tracks


def _mxl(path: str = "a.xml", content: bytes = b"", more: int = 0) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/container.xml", _CONTAINER.format(path=path))
        archive.writestr(path, content)
        for number in range(more):
            archive.writestr(f"{number}", "")
    return packed.getvalue()


def _laughs() -> bytes:
    entities = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(10))
    return f'<!DOCTYPE score [<!ENTITY l0 "ha">{entities}]><score-partwise>&l10;</score-partwise>'.encode()


def _measure(more: str) -> bytes:
    return _SCORE.format(measures=f'<measure number="1">{more}{_NOTE}</measure>').encode()


_OUTSIDE: Final = (
    b'<!DOCTYPE score [<!ENTITY x SYSTEM "file:///etc/passwd">]><score-partwise><work><work-title>&x;</work-title>'
    b"</work></score-partwise>"
)

_EVENTS: Final = b"\x00\x90\x3c\x40" + b"\xff\xff\xff\x7f\x3c\x00" * 15_000 + b"\x00\xff\x2f\x00"
_YEARS: Final = b"MTrk" + struct.pack(">I", len(_EVENTS)) + _EVENTS

BOMBS: Final[dict[str, bytes]] = {
    "MIDI, track of two gigabytes": _midi(b"MTrk\x7f\xff\xff\xff\x00\x90\x3c\x40"),
    "MIDI, tracks that are not there": _midi(b"MTrk\x00\x00\x00\x04\x00\xff\x2f\x00", 65_535),
    "MIDI, notes for years": _midi(_YEARS),
    "entities within entities": _laughs(),
    "entity from outside": _OUTSIDE,
    "elements within elements": b"<score-partwise>" + b"<a>" * 500_000,
    "zip of zeros": _mxl(content=b" " * 200_000_000),
    "zip of many files": _mxl(content=b"<score-partwise/>", more=5_000),
    "zip with a way out": _mxl("../../etc/passwd", b"<score-partwise/>"),
    "zip in a zip": _mxl(content=_mxl(content=b"<score-partwise/>")),
    "zip cut off": _mxl(content=b"<score-partwise/>" * 100)[:-30],
    "MusicXML, huge divisions": _measure("<attributes><divisions>1e300</divisions></attributes>"),
    "MusicXML, endless duration": _measure("<forward><duration>999999999999999999999</duration></forward>"),
    "MusicXML, a million times": _measure(
        '<barline location="right"><repeat direction="backward" times="1000000000"/></barline>'
    ),
    "lists within lists": b"[" * 1_000_000,
    "objects within objects": b'{"m":' * 500_000,
    "number of a million digits": b'[{"m": "n", "t": ' + b"9" * 1_000_000 + b', "n": []}]',
    "ABC, parts to the tenth": b"X:1\nP:((((((((((A9)9)9)9)9)9)9)9)9)9)9\nK:C\nP:A\nCDEF|\n",
    "ABC, length of a million digits": b"X:1\nK:C\nC" + b"9" * 1_000_000 + b"|\n",
    "text of zeros": bytes(4_000_000),
}
