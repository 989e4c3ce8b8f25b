"""Messages that cost more to read than to send: sizes that are declared and not there, depth, numbers, escapes."""

from collections.abc import Sequence
from typing import Final

from bench.abuse.attacker import ALLOWED_PER_S, SOCKETS, Attack, Attacker
from bench.abuse.words import BIN, JSON, MASK
from rhythm_protocol.websocket import BINARY, TEXT, client_frame
from rhythmd.client.codec import encode_binary

__all__ = ["ATTACKS"]

_SIZE: Final = 65_536
_FEW: Final = 4
_CONTROL: Final = b"\x10"
_ENVELOPE: Final = b"\x10\x82\xa4type\xa6typing\xa4data\x82\xa6typing\xc3\xa1x"
_KNOWN: Final = b"\x10\x82\xa4type\xa6typing\xa4data\x81\xa6typing"
_ID: Final = b"\x10\x83\xa4type\xa6typing\xa4data\x80\xa2id"
_TEXT: Final = '{"type":"typing","data":{"typing":true,"x":%s},"id":1}'


def _filled(head: bytes, unit: bytes) -> bytes:
    return head + unit * ((_SIZE - len(head)) // len(unit))


def _frame(payload: bytes) -> bytes:
    return client_frame(BINARY, payload, MASK)


def _text(value: str) -> bytes:
    return client_frame(TEXT, (_TEXT % value)[:_SIZE].encode(), MASK)


def _known_text(value: str) -> bytes:
    return client_frame(TEXT, f'{{"type":"typing","data":{{"typing":{value}}}}}'.encode(), MASK)


_SIZES: Final = (_frame(_filled(_CONTROL, b"\xdc\xff\x00")),)
_SIZES_INSIDE: Final = (
    _frame(_filled(_ENVELOPE, b"\xdc\xff\x00")),
    _frame(_filled(_KNOWN, b"\xdc\xff\x00")),
    _frame(_filled(_ID, b"\xdc\xff\x00")),
    _frame(_filled(_ENVELOPE, b"\xde\xff\x00\xa1a")),
    _frame(_filled(_ENVELOPE, b"\xdd\x00\x00\xff\x00")),
    _frame(_ENVELOPE + b"\xc6\xff\xff\xff\xff"),
    _frame(_ENVELOPE + b"\xdd\xff\xff\xff\xff"),
)
_NESTED: Final = (
    _frame(_filled(_ENVELOPE, b"\x91")),
    _frame(_ENVELOPE + b"\x91" * 900 + b"\xc0\x01"),
    _frame(_ENVELOPE + b"\x91" * 60 + b"\xdc\xfe\x00" + b"\x90" * 65_024),
)
_MANY: Final = (
    _frame(_KNOWN + b"\xdc\xfe\x00" + b"\x90" * 65_024),
    _frame(_KNOWN + b"\xdc\x7f\x00" + b"\x91\x90" * 32_512),
    _frame(_ID + b"\xdc\xfe\x00" + b"\x80" * 65_024),
    _frame(_KNOWN + b"\xdc\x1c\x00" + b"\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00" * 7_168),
    _frame(_ENVELOPE + b"\xdc\xfe\x00" + b"\x90" * 65_024),
    _frame(_ENVELOPE + b"\xdc\x7f\x00" + b"\x91\xc0" * 32_512),
    _frame(_ENVELOPE + b"\xdc\x7f\x00" + b"\x80" * 32_512),
    _frame(_ENVELOPE + b"\xde\x3f\x00" + b"".join(b"\xa2%c%c\x90" % (n >> 7, n & 127) for n in range(16_128))),
)
_REPEATED_KEYS: Final = (_frame(b"\x10\xde\x2f\x00" + b"\xa4type\xa6typing" * 5_461),)
_ONE_FIELD: Final = (
    _frame(encode_binary("chat-message", {"content": "x" * (_SIZE - 64)}, 1)),
    _frame(encode_binary("user-update", {"name": "\N{COMBINING ACUTE ACCENT}" * (_SIZE // 2 - 64)}, 1)),
    _frame(encode_binary("y" * (_SIZE - 64), {}, 1)),
    _frame(encode_binary("join-room", {"room": "\N{ANGSTROM SIGN}" * (_SIZE // 3 - 64)}, 1)),
)
_DEEP_JSON: Final = (_text("[" * _SIZE), _text("[" * 900 + "]" * 900), _text('{"a":' * 10_000))
_NUMBERS: Final = (
    _text("9" * 65_000),
    _text("1e" + "9" * 60_000),
    _text("[" + "1.7976931348623157e308," * 2_700 + "0]"),
    _text("0." + "3" * 65_000),
    _text("[" + "1," * 32_000 + "1]"),
    _known_text("[" + "1.0," * 16_000 + "1]"),
    _known_text("[" + "[]," * 21_000 + "1]"),
    client_frame(TEXT, ('{"type":"typing","id":%s,"data":{}}' % ("7" * 65_000)).encode(), MASK),
)
_ESCAPES: Final = (
    _text('"' + "\\u0041" * 10_900 + '"'),
    _text('"' + "\\ud83d\\ude00" * 5_400 + '"'),
    client_frame(TEXT, ('{"type":"chat-message","data":{"content":"%s"},"id":1}' % ("\\n" * 32_000)).encode(), MASK),
)


class _Sending:
    """The attack that sends these messages in turn, as many as are allowed, on each of so many sockets."""

    def __init__(self, pieces: Sequence[bytes], sockets: int, protocol: str = BIN) -> None:
        self._pieces = pieces
        self._sockets = sockets
        self._protocol = protocol

    async def __call__(self, attacker: Attacker) -> None:
        async def one(_number: int) -> None:
            line = await attacker.socket(self._protocol)
            try:
                await attacker.pace(line, self._pieces, ALLOWED_PER_S)
            finally:
                line.leave()

        await attacker.everywhere(one, self._sockets)


ATTACKS: Final[dict[str, Attack]] = {
    "declared sizes": Attack(
        "64 KiB of msgpack arrays that each claim 65,280 elements, 48/s on one socket",
        _Sending(_SIZES, 1),
    ),
    "declared sizes, 50 sockets": Attack(
        "the same in fields, in maps and in byte strings, as fast as 50 sockets may",
        _Sending(_SIZES_INSIDE, SOCKETS),
    ),
    "nested lists": Attack("64 KiB of lists in lists, 48/s on 4 sockets", _Sending(_NESTED, _FEW)),
    "many lists": Attack("64 KiB of empty lists and maps, 48/s on 4 sockets", _Sending(_MANY, _FEW)),
    "repeated keys": Attack("64 KiB of the same key, 48/s on 4 sockets", _Sending(_REPEATED_KEYS, _FEW)),
    "one long field": Attack(
        "one field of 64 KiB, with letters that have to be composed, 48/s on 4 sockets",
        _Sending(_ONE_FIELD, _FEW),
    ),
    "deep JSON": Attack("64 KiB of opened lists and maps in JSON, 48/s on 4 sockets", _Sending(_DEEP_JSON, _FEW, JSON)),
    "huge JSON numbers": Attack(
        "numbers of 65,000 digits, and thousands of floats, 48/s on 4 sockets",
        _Sending(_NUMBERS, _FEW, JSON),
    ),
    "JSON escapes": Attack("64 KiB of escaped letters, 48/s on 4 sockets", _Sending(_ESCAPES, _FEW, JSON)),
}
