"""The PROXY protocol: every header as its specification has it, in any pieces, and nothing else."""

import struct
from typing import Final

import pytest

from rhythmd.net.proxy_protocol import SIGNATURE_2, ProxyHeader, ProxyHeaderError, read_proxy_header

REST: Final = b"GET / HTTP/1.1\r\n"


def version_2(command: int, family: int, body: bytes, length: int | None = None) -> bytes:
    return SIGNATURE_2 + struct.pack(">BBH", command, family, len(body) if length is None else length) + body


V4: Final = bytes((203, 0, 113, 7, 192, 0, 2, 1)) + struct.pack(">HH", 4711, 443)
V6: Final = bytes.fromhex("20010db8000000000000000000000001" * 2) + struct.pack(">HH", 4711, 443)
MAPPED: Final = bytes.fromhex("00000000000000000000ffffcb007107" * 2) + struct.pack(">HH", 4711, 443)
SSL: Final = b"\x20\x00\x05\x01\x00\x00\x00\x00"
NO_SSL: Final = b"\x20\x00\x05\x00\x00\x00\x00\x00"
OTHER: Final = b"\x01\x00\x02h2"

GOOD: Final = [
    (b"PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\n", "203.0.113.7", False),
    (b"PROXY TCP6 2001:DB8::1 2001:db8::2 0 65535\r\n", "2001:db8::1", False),
    (b"PROXY TCP6 ::ffff:203.0.113.7 ::ffff:192.0.2.1 1 2\r\n", "203.0.113.7", False),
    (b"PROXY UNKNOWN\r\n", None, False),
    (b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", None, False),
    (version_2(0x21, 0x11, V4), "203.0.113.7", False),
    (version_2(0x21, 0x12, V4), "203.0.113.7", False),
    (version_2(0x21, 0x21, V6), "2001:db8::1", False),
    (version_2(0x21, 0x21, MAPPED), "203.0.113.7", False),
    (version_2(0x21, 0x11, V4 + OTHER + SSL), "203.0.113.7", True),
    (version_2(0x21, 0x11, V4 + NO_SSL), "203.0.113.7", False),
    (version_2(0x21, 0x11, V4 + SSL[:-1]), "203.0.113.7", True),
    (version_2(0x21, 0x11, V4 + b"\x20"), "203.0.113.7", False),
    (version_2(0x21, 0x11, V4 + b"\x01\xff\xff"), "203.0.113.7", False),
    (version_2(0x20, 0x00, b""), None, False),  # LOCAL: a balancer's own look at our health
    (version_2(0x20, 0x11, V4), None, False),
    (version_2(0x21, 0x00, b""), None, False),
    (version_2(0x21, 0x31, bytes(216)), None, False),  # AF_UNIX
]

BAD: Final = [
    b"PROXY \r\n",
    b"PROXY TCP4\r\n",
    b"PROXY TCP5 203.0.113.7 192.0.2.1 4711 443\r\n",
    b"PROXY TCP4 203.0.113.7 192.0.2.1 4711\r\n",
    b"PROXY TCP4 203.0.113.7 192.0.2.1 4711 443 1\r\n",
    b"PROXY TCP4  203.0.113.7 192.0.2.1 4711 443\r\n",
    b"PROXY TCP4 203.0.113.7 192.0.2.1 4711 65536\r\n",
    b"PROXY TCP4 203.0.113.7 192.0.2.1 -1 443\r\n",
    b"PROXY TCP4 203.0.113.7 192.0.2.1 \xb2 443\r\n",
    b"PROXY TCP4 2001:db8::1 2001:db8::2 4711 443\r\n",
    b"PROXY TCP6 203.0.113.7 192.0.2.1 4711 443\r\n",
    b"PROXY TCP4 203.0.113.7 elsewhere 4711 443\r\n",
    b"PROXY TCP4 203.0.113.256 192.0.2.1 4711 443\r\n",
    b"PROXY TCP4 \xff 192.0.2.1 4711 443\r\n",
    b"PROXY UNKNOWN" + b"x" * 107,
    version_2(0x11, 0x11, V4),
    version_2(0x22, 0x11, V4),
    version_2(0x21, 0x11, V4[:-1]),
    version_2(0x21, 0x21, V4),
    version_2(0x21, 0x11, b"", 0xFFFF),
]


@pytest.mark.parametrize(("header", "address", "encrypted"), GOOD)
def test_header_names_the_client(header: bytes, address: str | None, encrypted: bool) -> None:
    expected = ProxyHeader(len(header), address, encrypted)
    assert read_proxy_header(header) == read_proxy_header(header + REST) == expected
    assert all(read_proxy_header(header[:size]) is None for size in range(len(header)))


@pytest.mark.parametrize("header", BAD)
def test_what_only_begins_like_a_header_is_refused(header: bytes) -> None:
    with pytest.raises(ProxyHeaderError):
        read_proxy_header(header)


@pytest.mark.parametrize("data", [REST, b"PROXX", b"P0", b"\r\n\r\n\x01", b"\r\nGET", b"\x16\x03\x01", b"PROXYING"])
def test_other_bytes_are_the_clients(data: bytes) -> None:
    assert read_proxy_header(data) == ProxyHeader(0, None)
