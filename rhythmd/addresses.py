"""Addresses on the web: IP addresses of clients and proxies, and origins of pages.

An IP address comes as text from the kernel, from a header or from a file, in more than one form: IPv4 through an IPv6
socket is mapped (`::ffff:192.0.2.1`; RFC 4291, 2.5.5.2), a link-local address names its interface (`fe80::1%eth0`;
RFC 4007, 11). `parse_address` is the only place that reads one; everything that counts, compares or bans by address
uses what it returns, or one of the functions here that call it.
"""

from collections.abc import Collection
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

__all__ = [
    "Address",
    "Network",
    "canonical_address",
    "customer_network",
    "is_allowed_origin",
    "is_loopback",
    "parse_address",
    "parse_network",
]

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAPPED: Final = IPv6Network("::ffff:0:0/96")
CUSTOMER_BITS: Final = 64  # providers give a customer at least so long a prefix of IPv6 (RFC 6177)

# Every HTTP request asks for its sender's address, and parsing one costs ten times as much as remembering it.
REMEMBERED: Final = 4_096


@lru_cache(REMEMBERED)
def parse_address(text: str) -> Address | None:
    """The address that `text` is, without its zone, IPv4 in its own form; None if it is no address."""
    try:
        address = ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def canonical_address(text: str) -> str:
    """The one form in which an address is counted and compared; what is no address stays as it is."""
    address = parse_address(text)
    return text if address is None else str(address)


def is_loopback(text: str) -> bool:
    """Whether an address is this very machine's: 127.0.0.0/8 or ::1, in any form.

    Loopback is never limited or banned as one address: a whole machine shares it, or everybody behind a proxy.
    """
    address = parse_address(text)
    return address is not None and address.is_loopback


@lru_cache(REMEMBERED)
def customer_network(text: str) -> str:
    """A key for what one customer of a provider has: an IPv4 address, or an IPv6 /64.

    What is no address is its own key.
    """
    address = parse_address(text)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, CUSTOMER_BITS), strict=False))
    return text if address is None else str(address)


def parse_network(text: str) -> Network:
    """A network in CIDR form, or one address, to look for the results of `parse_address` in. Raises ValueError."""
    network = ip_network(text, strict=False)
    if isinstance(network, IPv6Network) and network.subnet_of(MAPPED):
        mapped = network.network_address.ipv4_mapped
        return IPv4Network(f"{mapped}/{network.prefixlen - MAPPED.prefixlen}")
    return network


def is_allowed_origin(origin: str, hosts: Collection[str], allowed: Collection[str]) -> bool:
    """Whether pages of an origin may speak for their visitor here.

    Args:
        origin: the request's Origin (RFC 6454, 7), whatever it is.
        hosts: the request's Host; more than one if it had several, which is nobody's.
        allowed: origins besides our own, as browsers write them.
    """
    return origin in allowed or (len(hosts) == 1 and _host(origin) in {host.lower() for host in hosts})


def _host(origin: str) -> str | None:
    """Host and port of an origin, in lower case; None if it is no URL."""
    try:
        return urlsplit(origin.lower()).netloc or None
    except ValueError:
        return None
