"""The PROXY protocol, versions 1 and 2: how a TCP balancer names the client whose bytes it passes on.

Source: "The PROXY protocol, versions 1 & 2", sections 2.1, 2.2 and 2.2.5 (haproxy.org). Bytes in, values out.
"""

import struct
from ipaddress import IPv4Address, IPv6Address
from typing import Final, NamedTuple

from rhythmd.addresses import canonical_address

__all__ = ["ProxyHeader", "ProxyHeaderError", "read_proxy_header"]

SIGNATURE_1: Final = b"PROXY "
SIGNATURE_2: Final = b"\r\n\r\n\x00\r\nQUIT\n"
MAX_LINE: Final = 107  # bytes of version 1, line end included
HEAD_2: Final = struct.Struct(">BBH")  # version and command, family and protocol, bytes that follow
MAX_BODY_2: Final = 4_096  # more than any balancer's TLVs take; the length's own limit is 65,535
LOCAL: Final = 0x20
PROXIED: Final = 0x21
INET: Final = 0x1
INET6: Final = 0x2
FAMILIES_1: Final = {"TCP4": IPv4Address, "TCP6": IPv6Address}
ADDRESSES: Final = {INET: 12, INET6: 36}  # bytes of both addresses and ports
TLV: Final = struct.Struct(">BH")
TLV_SSL: Final = 0x20
CLIENT_SSL: Final = 0x01


class ProxyHeaderError(Exception):
    """The bytes begin like a PROXY header and are none."""


class ProxyHeader(NamedTuple):
    """What a balancer says of a connection.

    Args:
        size: bytes of the header; what is behind it is the client's.
        address: of the client; None if the connection is the balancer's own, or of a kind without an IP address.
        is_encrypted: whether the client speaks TLS with the balancer.
    """

    size: int
    address: str | None
    is_encrypted: bool = False


def read_proxy_header(data: bytes) -> ProxyHeader | None:
    """The header at the beginning of a connection; of size 0 if there is none, None if more bytes are needed to tell.

    Raises ProxyHeaderError.
    """
    for signature, read in ((SIGNATURE_1, _read_1), (SIGNATURE_2, _read_2)):
        if data.startswith(signature):
            return read(data)
        if signature.startswith(data):
            return None
    return ProxyHeader(0, None)


def _read_1(data: bytes) -> ProxyHeader | None:
    line, end, _ = data[:MAX_LINE].partition(b"\r\n")
    if not end:
        if len(data) >= MAX_LINE:
            raise ProxyHeaderError("the line is too long")
        return None
    size = len(line) + len(end)
    try:
        _, family, *rest = line.decode("ascii").split(" ")
    except (UnicodeDecodeError, ValueError):
        raise ProxyHeaderError("the line is not that of version 1") from None
    if family == "UNKNOWN":
        return ProxyHeader(size, None)
    kind = FAMILIES_1.get(family)
    if kind is None or len(rest) != 4 or not all(_is_port(port) for port in rest[2:]):
        raise ProxyHeaderError("the line is not that of version 1")
    try:
        source, _ = kind(rest[0]), kind(rest[1])
    except ValueError:
        raise ProxyHeaderError("an address is not one of the family") from None
    return ProxyHeader(size, canonical_address(str(source)))


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= 0xFFFF


def _read_2(data: bytes) -> ProxyHeader | None:
    begin = len(SIGNATURE_2) + HEAD_2.size
    if len(data) < begin:
        return None
    command, family, length = HEAD_2.unpack_from(data, len(SIGNATURE_2))
    if command not in (LOCAL, PROXIED):
        raise ProxyHeaderError("the version or command is unknown")
    if length > MAX_BODY_2:
        raise ProxyHeaderError("the header is too long")
    if len(data) < begin + length:
        return None
    size = begin + length
    known = ADDRESSES.get(family >> 4)
    if command == LOCAL or known is None:
        return ProxyHeader(size, None)
    if length < known:
        raise ProxyHeaderError("the addresses are cut off")
    packed = data[begin : begin + (known - 4) // 2]
    source = IPv4Address(packed) if known == ADDRESSES[INET] else IPv6Address(packed)
    return ProxyHeader(size, canonical_address(str(source)), _client_is_encrypted(data[begin + known : size]))


def _client_is_encrypted(tlvs: bytes) -> bool:
    """What the TLV of type PP2_TYPE_SSL says. A list that is cut off ends where it is."""
    at = 0
    while at + TLV.size < len(tlvs):
        kind, length = TLV.unpack_from(tlvs, at)
        if kind == TLV_SSL:
            return bool(tlvs[at + TLV.size] & CLIENT_SSL)
        at += TLV.size + length
    return False
