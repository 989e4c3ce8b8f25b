"""What is fuzzed: each decoder of bytes from outside, what it may raise, and where fuzzing it begins."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from rhythm_protocol import binary
from rhythm_protocol.errors import ProtocolError
from rhythm_protocol.midi import unpack_events
from rhythm_protocol.websocket import BINARY, TEXT, client_frame
from rhythmd.addresses import parse_node, url_origin
from rhythmd.auth.errors import InvalidToken
from rhythmd.auth.keys import SecretKeys
from rhythmd.auth.tokens import AccessTokens
from rhythmd.errors import Refused
from rhythmd.midi.file import encode
from rhythmd.midi.reader import NotReadable, read_performance
from rhythmd.net.frames import FrameError, frame_size
from rhythmd.net.handshake import Handshake
from rhythmd.net.proxy_protocol import SIGNATURE_2, ProxyHeaderError, read_proxy_header
from rhythmd.rest.serving.multipart import FormError, FormParser, Part
from rhythmd.rest.serving.source import forwarded_elements
from tests.protocol.codecs import check_control, decode_control
from tests.protocol.vectors import Direction, FastLayout, Subprotocol, load
from tests.raw import frame, upgrade_request
from tests.rest.forms import BOUNDARY, FORM

__all__ = ["TARGETS", "Target"]

_LONGEST: Final = 65_536
_NOW_MS: Final = 1_800_000_000_000
_TOKENS: Final = AccessTokens(SecretKeys("fuzz" * 8), "rhythmd", "rhythmd", 15, lambda: _NOW_MS)


@dataclass(frozen=True)
class Target:
    """`decode` takes any bytes and returns, or raises `documented`; `corpus` holds inputs to begin with."""

    decode: Callable[[bytes], object]
    documented: type[Exception]
    corpus: list[bytes]

    def try_one(self, data: bytes) -> None:
        """Raises whatever is not documented."""
        with suppress(self.documented):
            self.decode(data)


def _fast(decode: Callable[[bytes], object], layout: FastLayout, direction: Direction) -> Target:
    corpus = [vector.payload for vector in load(layout) if vector.direction == direction]
    return Target(decode, ProtocolError, corpus)


def _control(subprotocol: Subprotocol, direction: Direction) -> Target:
    corpus = [vector.payload for vector in load("control") if vector.subprotocol == subprotocol]
    return Target(lambda data: check_control(direction, decode_control(subprotocol, data)), ProtocolError, corpus)


def _frames(data: bytes) -> None:
    """Every frame, as a connection finds them."""
    at = 0
    while size := frame_size(data, at, _LONGEST):
        at += size


def _shake_hands(data: bytes) -> None:
    """The headers of an upgrade request, a line each."""
    lines = (line.partition(":") for line in data.decode("latin-1").splitlines())
    assert Handshake([(name.strip(), value.strip()) for name, _, value in lines], _LONGEST).answer


def _read_proxy_header(data: bytes) -> None:
    """The beginning of a connection. The header is within what is there."""
    header = read_proxy_header(data)
    assert header is None or header.size <= len(data)


def _read_forwarded(data: bytes) -> None:
    """What a proxy says of its clients, and addresses in any form."""
    text = data.decode("latin-1")
    parse_node(text)
    url_origin(text)
    forwarded_elements(text)


def _read_form(data: bytes) -> None:
    """A form in two pieces. Nothing is in its parts that was not in it."""
    parser, half = FormParser(BOUNDARY), len(data) // 2
    for piece in (data[:half], data[half:]):
        for event in parser.feed(piece):
            assert isinstance(event, Part) or event in data


class _Nothing(Exception):
    """Is raised by nobody: for a decoder that takes all bytes."""


TARGETS: Final[dict[str, Target]] = {
    "midi-client": _fast(binary.decode_midi, "midi", "client"),
    "midi-server": _fast(binary.decode_midi_blocks, "midi", "server"),
    "midi-events": Target(unpack_events, ProtocolError, [b"\x00\x00\x90\x3c\x64", b"\x00\x00\xc0\x05\x00" * 2]),
    "clock-client": _fast(binary.decode_clock_request, "clock", "client"),
    "clock-server": _fast(binary.decode_clock_reply, "clock", "server"),
    "cursor-client": _fast(binary.decode_cursor, "cursor", "client"),
    "cursor-server": _fast(binary.decode_cursors, "cursor", "server"),
    "msgpack-client": _control("rhythm.v1", "client"),
    "msgpack-server": _control("rhythm.v1", "server"),
    "json-client": _control("rhythm.v1.json", "client"),
    "json-server": _control("rhythm.v1.json", "server"),
    "frames": Target(
        _frames, FrameError, [client_frame(TEXT, b"{}") + client_frame(BINARY, bytes(200)), frame(0x88, b"\x03\xe8")]
    ),
    "handshake": Target(
        _shake_hands, Refused, [upgrade_request(), upgrade_request("/ws?bot=1&ticket=a", {"Origin": "http://a"})]
    ),
    "proxy-header": Target(
        _read_proxy_header,
        ProxyHeaderError,
        [
            b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\nGET",
            b"PROXY UNKNOWN\r\n",
            SIGNATURE_2 + b"\x21\x11\x00\x14" + bytes(12) + b"\x20\x00\x05\x01" + bytes(4),
        ],
    ),
    "forwarded": Target(
        _read_forwarded,
        _Nothing,
        [b'for="[2001:db8::1]:4711";proto=https;host=a.example, for=_hidden;by="a\\"b"', b"http://a.example:80/b"],
    ),
    "form": Target(_read_form, FormError, [FORM]),
    "midi-file": Target(
        read_performance, NotReadable, [encode("Evening", [("Clara", [(0, (0x90, 60, 100)), (9, (0x80, 60, 0))])], 0)]
    ),
    "token": Target(
        lambda data: _TOKENS.verify(data.decode("latin-1")),
        InvalidToken,
        [_TOKENS.issue("u1", "s1", None)[0].encode(), b"a.b.c"],
    ),
}
