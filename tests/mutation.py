"""Files with faults, the same ones for the same seed."""

import random

__all__ = ["mutated"]


def mutated(dice: random.Random, file: bytes) -> bytes:
    """The file with a few faults: bytes that are others, lost, or there twice."""
    content = bytearray(file)
    for _ in range(dice.randint(1, 8)):
        place, length = dice.randrange(len(content)), dice.randint(1, 16)
        match dice.randrange(4):
            case 0:
                content[place] = dice.randrange(256)
            case 1:
                del content[place : place + length]
            case 2:
                content[place:place] = content[place : place + length]
            case _:
                content[place : place + length] = dice.randbytes(length)
        if not content:
            return b""
    return bytes(content)
