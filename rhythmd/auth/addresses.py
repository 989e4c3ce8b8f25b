"""IP addresses as what they say about people."""

from ipaddress import IPv6Address, ip_address
from typing import Final

__all__ = ["network"]

IPV6_PREFIX_BITS: Final = 64


def network(address: str) -> str:
    """The part of an address that one customer has: an IPv4 address, or the first 64 bits of an IPv6 address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return f"{int(parsed) >> IPV6_PREFIX_BITS:x}"
