"""Mutated files of every format: each is taken or refused, and nothing else happens."""

import io
import random
from collections.abc import Callable
from typing import Final

import pytest
from mido import MidiFile

from rhythmd.sheets.formats.analysis import analyse
from rhythmd.sheets.formats.bounds import RefusedFile
from tests.sheets.formats.midis import NOTE, midi, riff, track
from tests.sheets.formats.reading import facts_of, refusal
from tests.sheets.formats.scores import attributes, document, measures, mxl, note, sound, words

ROUNDS: Final = 400
ALL: Final = "every format"

MUSIC: Final = measures(
    attributes(
        "<key><fifths>-3</fifths><mode>minor</mode></key><time><beats>3</beats><beat-type>8</beat-type></time>"
        "<transpose><chromatic>-2</chromatic></transpose>"
    )
    + sound('tempo="90"')
    + note("Eb4", 0, "<grace/>")
    + note("C4", 4, after='<tie type="start"/>')
    + note("G4", 4, "<chord/>", "<notations><articulations><staccato/></articulations></notations>"),
    words("D.C. al Coda")
    + note("C4", 6, after='<tie type="stop"/>')
    + "<backup><duration>6</duration></backup><forward><duration>2</duration></forward>"
    + note("F#3", 4)
    + '<barline><ending number="1" type="start"/><repeat direction="backward" times="3"/></barline>',
)
XML: Final = document(MUSIC).encode()
ABC: Final = (
    b"X:1\nT:Fuzz\nC:Me\nM:6/8\nL:1/8\nQ:3/8=60 % slow\nP:AB\nK:Dmix octave=-1\nP:A\n"
    b"|: A2 (3BcB {g}A-A |1 [d4f]-d2 :|2 ^f>=g !f!_a/ z :|\n"
    b'P:B\nV:2 name="Bass"\n"Am"D,2 E,2 & F,2 | [M:3/4] Z2 |[K:Gm clef=bass] !segno!G,6 !D.S.!|]\nw: la la\n'
)
SEEDS: Final[dict[str, bytes]] = {
    "midi": midi(
        track(b"\x00\xff\x51\x03\x06\x1a\x80\x00\xff\x58\x04\x06\x03\x24\x08\x00\xff\x59\x02\xfd\x01" + NOTE),
        track(b"\x00\xf0\x03\x01\x02\xf7\x00\xc0\x05" + NOTE + b"\x81\x00\x90\x3e\x40\x60\x3e\x00"),
    ),
    "rmid": riff(midi(track(), form=0)),
    "musicxml": XML,
    "musicxml-utf-16": XML.decode().replace("UTF-8", "UTF-16").encode("utf-16"),
    "mxl": mxl({"score.xml": XML}),
    "abc": ABC,
    "virtual-piano": b"Title: Fuzz\nTempo: 90\nTranspose: -3\n# comment\n[tuo] p | [a s d]-f g\nt y|u\n",
    "multiplayer-piano": (
        b'[{"m":"n","t":1764288001440,"p":"bo","n":[{"n":"e3","v":0.5},{"n":"es3","s":1,"d":240}]},{"m":"a"}]\n'
    ),
}

Mutation = Callable[[random.Random, bytearray], None]


def flip(chance: random.Random, data: bytearray) -> None:
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def replace(chance: random.Random, data: bytearray) -> None:
    data[chance.randrange(len(data))] = chance.choice((0, 0x7F, 0x80, 0xFF, *b"09-/:|<>[](){}\"'&;%\n"))


def cut(chance: random.Random, data: bytearray) -> None:
    start = chance.randrange(len(data))
    del data[start : start + chance.choice((1, 2, 8, 100_000))]


def repeat(chance: random.Random, data: bytearray) -> None:
    start = chance.randrange(len(data))
    piece = data[start : start + chance.randrange(1, 40)]
    data[start:start] = piece * chance.choice((1, 2, 50))


def move(chance: random.Random, data: bytearray) -> None:
    start, target = chance.randrange(len(data)), chance.randrange(len(data))
    piece = data[start : start + chance.randrange(1, 60)]
    del data[start : start + len(piece)]
    data[target:target] = piece


def number(chance: random.Random, data: bytearray) -> None:
    digits = [index for index, byte in enumerate(data) if byte in b"0123456789"]
    if digits:
        at = chance.choice(digits)
        data[at : at + 1] = chance.choice((b"0", b"-1", b"99", b"999999999", b"1e999", b"0.5", b"1" * 400, b"NaN"))


def mixture(chance: random.Random, data: bytearray) -> None:
    other = SEEDS[chance.choice(sorted(SEEDS))]
    start = chance.randrange(len(other))
    data[chance.randrange(len(data)) :] = other[start : start + 300]


MUTATIONS: Final[tuple[Mutation, ...]] = (flip, replace, cut, repeat, move, number, mixture)


@pytest.mark.parametrize("name", SEEDS)
def test_seed_is_taken(name: str) -> None:
    assert facts_of(SEEDS[name]).notes > 0


@pytest.mark.parametrize("name", SEEDS)
def test_mutated_file_is_taken_or_refused(name: str) -> None:
    chance = random.Random(name)
    outcomes = {True: 0, False: 0}
    for _ in range(ROUNDS):
        data = bytearray(SEEDS[name])
        for _ in range(chance.choice((1, 1, 2, 4))):
            if data:
                chance.choice(MUTATIONS)(chance, data)
        outcomes[is_taken(bytes(data))] += 1
    assert all(outcomes.values()), outcomes


def is_taken(content: bytes) -> bool:
    """Whether a file is taken. What is taken is read again, by mido, from the MIDI file that comes out."""
    try:
        midi_file = io.BytesIO()
        facts = analyse(io.BytesIO(content), midi_file)
    except RefusedFile:
        return False
    midi_file.seek(0)
    presses = [message for message in MidiFile(file=midi_file) if message.type == "note_on" and message.velocity]
    assert len(presses) == facts.notes > 0
    return True


def test_every_beginning_of_a_file_is_taken_or_refused() -> None:
    for content in SEEDS.values():
        for end in range(0, len(content), 7):
            is_taken(content[:end])


def test_random_bytes_are_refused() -> None:
    chance = random.Random(ALL)
    for size in range(1, 300):
        assert refusal(chance.randbytes(size))
