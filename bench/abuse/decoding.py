"""Messages that cost more to read than to send: sizes that are declared and not there, depth, numbers, escapes."""

from collections.abc import Iterable, Sequence
from typing import Final

from bench.abuse.attacker import ALLOWED_PER_S, SOCKETS, Attack, Attacker
from bench.abuse.words import BIN, CROWD, JSON, MASK, message
from rhythm_protocol.binary import encode_midi
from rhythm_protocol.midi import CONTROL_CHANGE, MAX_MESSAGE_EVENTS, NOTE_ON, MidiEvent
from rhythm_protocol.websocket import BINARY, TEXT, client_frame
from rhythmd.client.codec import encode_binary, encode_text

__all__ = ["ATTACKS"]

_LARGE: Final = 65_500
"""Bytes of a message that is just within `limits.message_bytes`."""
_SMALL: Final = 8_150
"""The same of `limits.control_bytes`."""
_FEW: Final = 4
_UNKNOWN: Final = b"\x10\x82\xa4type\xa6typing\xa4data\x82\xa6typing\xc3\xa1x"
_KNOWN: Final = b"\x10\x82\xa4type\xa6typing\xa4data\x81\xa6typing"
_ID: Final = b"\x10\x83\xa4type\xa6typing\xa4data\x80\xa2id"
_HEADS: Final = (_UNKNOWN, _KNOWN, _ID)
"""What stands before a value in a field that nobody knows, in one that is known, and in the envelope."""
_TEXT_HEADS: Final = (
    '{"type":"typing","data":{"typing":true,"x":%s},"id":1}',
    '{"type":"typing","data":{"typing":%s}}',
    '{"type":"typing","data":{},"id":%s}',
)
_EVENT: Final = "[0,144,60,100]"


def _filled(head: bytes, unit: bytes, size: int) -> bytes:
    return head + unit * ((size - len(head)) // len(unit))


def _listed(head: bytes, unit: bytes, size: int) -> bytes:
    """A list that is as long as it says."""
    count = (size - len(head) - 3) // len(unit)
    return head + b"\xdc" + count.to_bytes(2) + unit * count


def _mapped(head: bytes, value: bytes, size: int) -> bytes:
    """A map of different keys."""
    count = min(16_384, (size - len(head) - 3) // (3 + len(value)))
    entries = b"".join(b"\xa2%c%c" % (key >> 7, key & 127) + value for key in range(count))
    return head + b"\xde" + count.to_bytes(2) + entries


def _frames(payloads: Iterable[bytes]) -> tuple[bytes, ...]:
    return tuple(client_frame(BINARY, payload, MASK) for payload in payloads)


def _texts(values: Iterable[str], heads: Sequence[str] = _TEXT_HEADS) -> tuple[bytes, ...]:
    return tuple(client_frame(TEXT, (head % value).encode(), MASK) for value in values for head in heads)


def _declared(size: int) -> tuple[bytes, ...]:
    units = (b"\xdc\xff\x00", b"\xde\xff\x00\xa1a", b"\xdd\x00\x00\xff\x00")
    lies = (b"\xc6\xff\xff\xff\xff", b"\xdd\xff\xff\xff\xff", b"\xdb\x7f\xff\xff\xff")
    filled = [_filled(head, unit, size) for head in (b"\x10", *_HEADS) for unit in units]
    return _frames([*filled, *(head + lie for head in _HEADS for lie in lies)])


def _nested(size: int) -> tuple[bytes, ...]:
    deep = [_filled(head, b"\x91", size) for head in _HEADS]
    broad = [_listed(head + b"\x91" * 60, b"\x90", size) for head in _HEADS]
    return _frames([*deep, *broad, *(head + b"\x91" * 900 + b"\xc0" for head in _HEADS)])


def _many(size: int) -> tuple[bytes, ...]:
    units = (b"\x90", b"\x80", b"\x91\x90", b"\xcb\x3f\xf0" + bytes(6), b"\xa0")
    lists = [_listed(head, unit, size) for head in _HEADS for unit in units]
    return _frames([*lists, *(_mapped(head, b"\x90", size) for head in _HEADS)])


def _long_fields(size: int) -> tuple[bytes, ...]:
    size -= 64
    return _frames(
        (
            encode_binary("chat-message", {"content": "x" * size}, 1),
            encode_binary("user-update", {"name": "\N{COMBINING ACUTE ACCENT}" * (size // 2)}, 1),
            encode_binary("y" * size, {}, 1),
            encode_binary("join-room", {"room": "\N{ANGSTROM SIGN}" * (size // 3)}, 1),
            _filled(b"\x10\xde\x2f\x00", b"\xa4type\xa6typing", size),
        )
    )


def _deep_texts(size: int) -> tuple[bytes, ...]:
    size -= 64
    return _texts(("[" * size, "[" * 900 + "]" * 900, '{"a":' * (size // 5), "[" + "[]," * (size // 3) + "1]"))


def _numbers(size: int) -> tuple[bytes, ...]:
    size -= 64
    lists = (
        "[" + number * (size // len(number)) + "0]" for number in ("1.7976931348623157e308,", "1,", "1.0,", "1e2,")
    )
    return _texts(("9" * size, "1e" + "9" * size, "0." + "3" * size, *lists))


def _escapes(size: int) -> tuple[bytes, ...]:
    size -= 64
    said = '{"type":"chat-message","data":{"content":%s},"id":1}'
    letters = ("\\u0041", "\\ud83d\\ude00", "\\n", '\\"')
    return _texts((f'"{letter * (size // len(letter))}"' for letter in letters), (*_TEXT_HEADS, said))


def _text_notes(size: int) -> tuple[bytes, ...]:
    many = ",".join([_EVENT] * min(size // (len(_EVENT) + 1) - 8, MAX_MESSAGE_EVENTS))
    return _texts((f"[{many}]", f"[{many},[]]"), ('{"type":"midi-event","data":{"time":0,"events":%s}}',))


def _binary_notes(size: int) -> tuple[bytes, ...]:
    most = encode_midi(0, [MidiEvent(0, NOTE_ON, 60, 64)] * MAX_MESSAGE_EVENTS)
    resets = encode_midi(0, [MidiEvent(0, CONTROL_CHANGE, 121, 0)] * MAX_MESSAGE_EVENTS)
    more = encode_midi(0, [MidiEvent(0, NOTE_ON, 60, 64)] * ((size - 5) // 5))
    return _frames((most, most[:-1] + b"\xff", resets, more))


class _Sending:
    """The attack that sends these messages in turn, 48 times a second on each of so many sockets, after `join`."""

    def __init__(self, pieces: Sequence[bytes], sockets: int, protocol: str = BIN, *, join: bytes = b"") -> None:
        self._pieces = pieces
        self._sockets = sockets
        self._protocol = protocol
        self._join = join

    async def __call__(self, attacker: Attacker) -> None:
        async def one(_number: int) -> None:
            line = await attacker.socket(self._protocol)
            try:
                line.write(self._join)
                await attacker.pace(line, self._pieces, ALLOWED_PER_S)
            finally:
                line.leave()

        await attacker.everywhere(one, self._sockets)


_BLACK: Final = {"room": "dense", "create": True, "settings": {**CROWD, "allow_black_midi": True}}
_JOIN: Final = message("join-room", _BLACK)
_TEXT_JOIN: Final = client_frame(TEXT, encode_text("join-room", _BLACK), MASK)
_SHAPES: Final = (*_declared(_SMALL), *_nested(_SMALL), *_many(_SMALL), *_long_fields(_SMALL))
_TEXT_SHAPES: Final = (*_deep_texts(_SMALL), *_numbers(_SMALL), *_escapes(_SMALL))

ATTACKS: Final[dict[str, Attack]] = {
    "declared sizes": Attack(
        "64 KiB of msgpack lists and maps that each claim 65,280 elements, on one socket",
        _Sending(_declared(_LARGE), 1),
    ),
    "declared sizes, 50 sockets": Attack("the same on 50 sockets", _Sending(_declared(_LARGE), SOCKETS)),
    "nested lists": Attack("64 KiB of lists in lists, on 4 sockets", _Sending(_nested(_LARGE), _FEW)),
    "many lists": Attack("64 KiB of empty lists, maps and floats, on 4 sockets", _Sending(_many(_LARGE), _FEW)),
    "long fields": Attack(
        "fields of 64 KiB, some with letters that have to be composed, on 4 sockets",
        _Sending(_long_fields(_LARGE), _FEW),
    ),
    "deep JSON": Attack("64 KiB of lists and maps in JSON, on 4 sockets", _Sending(_deep_texts(_LARGE), _FEW, JSON)),
    "JSON numbers": Attack(
        "numbers of 65,000 digits, and thousands of short ones, on 4 sockets", _Sending(_numbers(_LARGE), _FEW, JSON)
    ),
    "JSON escapes": Attack("64 KiB of escaped letters, on 4 sockets", _Sending(_escapes(_LARGE), _FEW, JSON)),
    "all shapes in 8 KiB": Attack("all of that in msgpack, 8 KiB each, on 50 sockets", _Sending(_SHAPES, SOCKETS)),
    "all shapes in 8 KiB of JSON": Attack("all of that in JSON, on 50 sockets", _Sending(_TEXT_SHAPES, SOCKETS, JSON)),
    "JSON notes": Attack(
        "4,000 notes a message in JSON, 50 sockets", _Sending(_text_notes(_LARGE), SOCKETS, JSON, join=_TEXT_JOIN)
    ),
    "binary notes": Attack(
        "4,000 notes or controllers a message, and 13,000, on 50 sockets",
        _Sending(_binary_notes(_LARGE), SOCKETS, join=_JOIN),
    ),
}
