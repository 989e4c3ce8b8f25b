"""Files of sheet music made up from a seed: every format, any size up to the server's limit, no two alike."""

import io
import json
import zipfile
from collections.abc import Callable
from random import Random
from typing import Final

__all__ = ["FORMATS", "make"]

MOST_NOTES: Final = 60_000
"""The notes of a file: what it has beyond them is comments, or whatever its format passes over."""
_PADDING: Final = 1_000
_CONTAINER: Final = (
    '<container><rootfiles><rootfile full-path="score.musicxml" '
    'media-type="application/vnd.recordare.musicxml+xml"/></rootfiles></container>'
)
_KEYS: Final = "1234567890qwertyuiopasdfghjklzxcvbnm"
_TICKS: Final = 240


def _midi(random: Random, size: int) -> bytes:
    track = bytearray()
    for _ in range(min(size // 8, MOST_NOTES)):
        key = random.randrange(21, 109)
        track += bytes((0, 0x90, key, random.randrange(1, 128), 0x40, 0x80, key, 0))
    while len(track) < size:
        text = random.randbytes(_PADDING // 2).hex().encode()
        track += b"\x00\xff\x01\x87\x68" + text  # a text of 1,000 bytes
    track += b"\x00\xff\x2f\x00"
    head = b"MThd" + (6).to_bytes(4, "big") + bytes((0, 0, 0, 1)) + _TICKS.to_bytes(2, "big")
    return head + b"MTrk" + len(track).to_bytes(4, "big") + bytes(track)


def _padded(text: list[str], size: int, padding: Callable[[], str]) -> str:
    """`text` and as much of `padding` as makes it that long."""
    length = sum(len(part) for part in text)
    while length < size:
        text.append(padding())
        length += len(text[-1])
    return "".join(text)


def _musicxml(random: Random, size: int) -> bytes:
    steps, measures = "CDEFGAB", []
    attributes = (
        "<attributes><divisions>1</divisions><time><beats>4</beats><beat-type>4</beat-type></time></attributes>"
    )
    for number in range(1, min(size // 600, MOST_NOTES // 4) + 2):
        notes = "".join(
            f"<note><pitch><step>{random.choice(steps)}</step><octave>{random.randrange(2, 7)}</octave></pitch>"
            "<duration>1</duration><type>quarter</type></note>"
            for _ in range(4)
        )
        measures.append(f'<measure number="{number}">{attributes if number == 1 else ""}{notes}</measure>\n')
    music = _padded(measures, size - 300, lambda: f"<!-- {random.randbytes(_PADDING // 2).hex()} -->\n")
    return (
        '<?xml version="1.0"?><score-partwise version="4.0"><part-list><score-part id="P1"><part-name>Piano'
        f'</part-name></score-part></part-list><part id="P1">{music}</part></score-partwise>'
    ).encode()


def _mxl(random: Random, size: int) -> bytes:
    """The size is that of the score in it, and of bytes beside it that cannot be packed."""
    score = _musicxml(random, min(size, 500_000))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/container.xml", _CONTAINER)
        archive.writestr("score.musicxml", score)
        archive.writestr("picture.png", random.randbytes(max(0, size - 200_000)))
    return packed.getvalue()


def _abc(random: Random, size: int) -> bytes:
    lines = ["X:1\nT:Made up\nM:4/4\nL:1/4\nQ:1/4=120\nK:C\n"]
    lines += (" ".join(random.choices("CDEFGABcdefgab", k=4)) + " |\n" for _ in range(min(size // 15, MOST_NOTES // 4)))
    return _padded(lines, size, lambda: f"% {random.randbytes(_PADDING // 2).hex()}\n").encode()


def _virtual_piano(random: Random, size: int) -> bytes:
    lines = ["Title: Made up\nTempo: 120\n\n"]
    lines += (" ".join(random.choices(_KEYS, k=20)) + "\n" for _ in range(min(size // 40, MOST_NOTES // 20)))
    return _padded(lines, size, lambda: f"# {random.randbytes(_PADDING // 2).hex()}\n").encode()


def _mpp(random: Random, size: int) -> bytes:
    lines = []
    for number in range(min(size // 120, MOST_NOTES)):
        note = {"n": f"{random.choice('cdefgab')}{random.randrange(0, 7)}", "v": 0.5}
        lines.append(json.dumps({"m": "n", "t": number * 125, "p": "a", "n": [note, {**note, "d": 100, "s": 1}]}))
        lines.append("\n")
    return _padded(lines, size, lambda: json.dumps({"m": "a", "a": random.randbytes(400).hex()}) + "\n").encode()


FORMATS: Final[dict[str, Callable[[Random, int], bytes]]] = {
    "midi": _midi,
    "musicxml": _musicxml,
    "mxl": _mxl,
    "abc": _abc,
    "virtual piano": _virtual_piano,
    "multiplayer-piano": _mpp,
}


def make(kind: str, size: int, seed: str) -> bytes:
    """A file of about `size` bytes, which the server takes."""
    return FORMATS[kind](Random(seed), size)
