"""Files of sheet music with faults: those of all formats, damaged in the ways in which files are, by seed."""

import re
from collections.abc import Callable
from random import Random
from typing import Final

from bench.uploads.contents import FORMATS, make

__all__ = ["mutant"]

_SIZE: Final = 2_500
_NUMBER: Final = re.compile(rb"\d+")
_HUGE: Final = (b"0", b"-1", b"99999999999999999999", b"2147483648", b"1e308", b"0.0000001", b"NaN", b"7/0", b"65536")


def _flip(random: Random, content: bytearray) -> None:
    for _ in range(random.randint(1, 8)):
        content[random.randrange(len(content))] ^= 1 << random.randrange(8)


def _cut(random: Random, content: bytearray) -> None:
    del content[random.randrange(len(content)) :]


def _drop(random: Random, content: bytearray) -> None:
    start = random.randrange(len(content))
    del content[start : start + random.randint(1, 200)]


def _splice(random: Random, content: bytearray) -> None:
    """A part of a file of any format, in the middle of this one."""
    other = make(random.choice([*FORMATS]), _SIZE, f"{random.random()}")
    start, at = random.randrange(len(other)), random.randrange(len(content))
    content[at:at] = other[start : start + random.randint(1, 1_000)]


def _repeat(random: Random, content: bytearray) -> None:
    start = random.randrange(len(content))
    part = bytes(content[start : start + random.randint(1, 100)])
    content[start:start] = part * random.choice((2, 50, 2_000))


def _enlarge(random: Random, content: bytearray) -> None:
    """Numbers of the text, or a few bytes of what is none."""
    numbers = [*_NUMBER.finditer(content)]
    if numbers:
        number = random.choice(numbers)
        content[number.start() : number.end()] = random.choice(_HUGE)
    at = random.randrange(len(content))
    if random.random() < 0.3:
        content[at : at + 4] = random.choice((b"\xff\xff\xff\x7f", b"\x7f\xff\xff\xff", b"\x00" * 4))


_WAYS: Final[tuple[Callable[[Random, bytearray], None], ...]] = (_flip, _cut, _drop, _splice, _repeat, _enlarge)


def mutant(kind: str, number: int, originals: list[bytes] | None = None) -> bytes:
    """The file of this number and format, damaged up to three times. It may be good in spite of that.

    Args:
        kind: a key of `FORMATS`.
        number: the seed.
        originals: what is damaged; without them, a file that is made up.
    """
    random = Random(f"{kind} {number}")
    original = random.choice(originals) if originals else make(kind, random.randint(200, _SIZE), f"{number}")
    content = bytearray(original)
    for _ in range(random.randint(1, 3)):
        if content:
            random.choice(_WAYS)(random, content)
    return bytes(content)
