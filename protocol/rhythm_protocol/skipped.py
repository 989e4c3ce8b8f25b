"""What msgspec overlooks: extension types of msgpack in fields that it skips, how deep lists and maps are nested, and
how many of them there are, of which size they claim to be, where it makes something of all that stands there.

msgspec skips a field that nobody knows without making anything of it, so it costs no memory and next to no time. But
it skips extension types like any value, and how deep it goes depends on the interpreter. Both checks first count, at
the speed of C, the bytes that could be wrong. Hardly a message has any of them, so hardly one is walked through.
"""

import re
from itertools import accumulate
from typing import Final

from rhythm_protocol.errors import MalformedMessage

__all__ = ["check_json", "check_json_values", "check_msgpack", "check_msgpack_values"]

_MAX_NESTING: Final = 1_000
_MAX_CONTAINERS: Final = 1_000

# msgpack, by the first byte of a value
_EXTENSIONS: Final = bytes((0xC7, 0xC8, 0xC9, *range(0xD4, 0xD9)))
_CONTAINERS: Final = bytes((*range(0x80, 0xA0), *range(0xDC, 0xE0)))
_LARGE_CONTAINERS: Final = bytes(range(0xDC, 0xE0))
_NUMBERS: Final = {0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}
_LENGTHS: Final = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}
"""Bytes and strings: how many bytes their length has."""
_COUNTS: Final = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}
"""Lists and maps: how many bytes their count has, and how many values an entry is."""

# JSON
_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*"')
_STEPS: Final = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # as signed bytes: one deeper, one less deep
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[{]}"))


def _size(head: int) -> int:
    """Bytes of a value with this first byte, without the values in it; 0 where more than the first byte tells it."""
    if head in _LENGTHS or head in _COUNTS or head in _EXTENSIONS:
        return 0
    return 1 + ((head & 0x1F) if 0xA0 <= head < 0xC0 else _NUMBERS.get(head, 0))


def _values(head: int) -> int:
    """How many values a short list or map holds, keys included."""
    if 0x80 <= head < 0xA0:
        return (head & 0x0F) * (2 if head < 0x90 else 1)
    return 0


_SIZES: Final = tuple(map(_size, range(256)))
_VALUES: Final = tuple(map(_values, range(256)))


def _count(body: bytes, heads: bytes) -> int:
    """How many bytes are among `heads`; they need not be first bytes of anything."""
    return len(body) - len(body.translate(None, heads))


def check_msgpack(body: bytes) -> None:
    """Raise MalformedMessage if `body`, one whole msgpack value, has an extension type or is nested too deep."""
    if _count(body, _EXTENSIONS) or (len(body) > _MAX_NESTING and _count(body, _CONTAINERS) > _MAX_NESTING):
        _walk(body)


def check_msgpack_values(body: bytes) -> None:
    """Raise MalformedMessage unless it is cheap to make something of each value of `body`.

    msgspec makes room for as many values as a list claims to have.
    """
    if _count(body, _LARGE_CONTAINERS) or _count(body, _CONTAINERS) > _MAX_CONTAINERS:
        _walk(body, _MAX_CONTAINERS)


def _walk(body: bytes, containers: int | None = None) -> None:
    """Look at each value of `body`, in Python: a message full of small values costs more here than to read it.

    With `containers` there may be no more lists and maps than that.
    """
    around: list[int] = []  # values that each list or map around this one has still to come
    seen = 0
    left, at = 1, 0
    while at < len(body):
        head = body[at]
        left -= 1
        values = _VALUES[head]
        if _SIZES[head]:
            at += _SIZES[head]
        elif head in _LENGTHS:
            start = at + 1 + _LENGTHS[head]
            at = start + int.from_bytes(body[at + 1 : start])
        elif head in _COUNTS:
            values, at = _claimed(body, at)
        else:
            raise MalformedMessage(f"msgpack extension types are not used here, {head:#04x} is one")
        if containers is not None and head in _CONTAINERS:
            seen += 1
            if seen > containers:
                raise MalformedMessage(f"more than {containers} lists and maps")
        if values:
            around.append(left)
            left = values
            if len(around) > _MAX_NESTING:
                raise MalformedMessage(f"nested more than {_MAX_NESTING} deep")
        while not left and around:
            left = around.pop()


def _claimed(body: bytes, at: int) -> tuple[int, int]:
    """How many values the long list or map at index `at` claims to have, and where the first one is."""
    size, each = _COUNTS[body[at]]
    start = at + 1 + size
    values = each * int.from_bytes(body[at + 1 : start])
    if values > len(body) - start:
        raise MalformedMessage("a list or map claims to have more than there is")
    return values, start


def check_json(body: bytes) -> None:
    """Raise MalformedMessage if `body`, one whole JSON value, is nested too deep."""
    if len(body) > _MAX_NESTING and body.count(b"[") + body.count(b"{") > _MAX_NESTING:
        brackets = _STRING.sub(b"", body).translate(_STEPS, _NO_BRACKETS)
        if max(accumulate(memoryview(brackets).cast("b"))) > _MAX_NESTING:
            raise MalformedMessage(f"nested more than {_MAX_NESTING} deep")


def check_json_values(body: bytes) -> None:
    """Raise MalformedMessage unless it is cheap to make something of each value of `body`."""
    if body.count(b"[") + body.count(b"{") > _MAX_CONTAINERS:
        brackets = _STRING.sub(b"", body)
        if brackets.count(b"[") + brackets.count(b"{") > _MAX_CONTAINERS:
            raise MalformedMessage(f"more than {_MAX_CONTAINERS} lists and maps")
