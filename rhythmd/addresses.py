"""Addresses on the web: IP addresses of clients and proxies, and origins of pages.

An IP address comes as text from the kernel, from a header or from a file, in more than one form: IPv4 through an IPv6
socket is mapped (`::ffff:192.0.2.1`; RFC 4291, 2.5.5.2), a link-local address names its interface (`fe80::1%eth0`;
RFC 4007, 11). `parse_address` is the only place that reads one; everything that counts, compares or bans by address
uses what it returns, or one of the functions here that call it.
"""

import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

__all__ = [
    "Address",
    "Network",
    "Networks",
    "canonical_address",
    "canonical_host",
    "customer_network",
    "is_allowed_origin",
    "is_local_host",
    "is_loopback",
    "parse_address",
    "parse_network",
    "parse_node",
    "set_customer_prefix",
    "url_origin",
]

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAPPED: Final = IPv6Network("::ffff:0:0/96")
CUSTOMER_BITS: Final = 64  # by default: providers give a customer at least so long a prefix of IPv6 (RFC 6177)
ONE_ADDRESS: Final = 32
PORTS: Final = {"http": 80, "https": 443}

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


class _Customers:
    """What counts as one customer's, in the whole process."""

    prefix_v4 = ONE_ADDRESS
    prefix_v6 = CUSTOMER_BITS


def set_customer_prefix(prefix_v4: int, prefix_v6: int = CUSTOMER_BITS) -> None:
    """From now on networks of these prefixes, in bits, are what one customer has."""
    _Customers.prefix_v4 = prefix_v4
    _Customers.prefix_v6 = prefix_v6


def customer_network(text: str) -> str:
    """The key of all that is counted, locked and banned by where it comes from: what one customer of a provider has.

    That is a /64 of IPv6, and of IPv4 one address, or networks of the prefixes that were set. What is no address is its
    own key.
    """
    return _network_of(text, _Customers.prefix_v4, _Customers.prefix_v6)


@lru_cache(REMEMBERED)
def _network_of(text: str, prefix_v4: int, prefix_v6: int) -> str:
    address = parse_address(text)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, prefix_v6), strict=False))
    if address is not None and prefix_v4 < ONE_ADDRESS:
        return str(IPv4Network((address, prefix_v4), strict=False))
    return text if address is None else str(address)


def parse_network(text: str) -> Network:
    """A network in CIDR form, or one address, to look for the results of `parse_address` in. Raises ValueError."""
    network = ip_network(text, strict=False)
    if isinstance(network, IPv6Network) and network.subnet_of(MAPPED):
        mapped = network.network_address.ipv4_mapped
        return IPv4Network(f"{mapped}/{network.prefixlen - MAPPED.prefixlen}")
    return network


class Networks:
    """Networks to look for addresses in.

    Args:
        texts: in CIDR form, or single addresses. Raises ValueError.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._networks = [parse_network(text) for text in texts]
        self._known = lru_cache(REMEMBERED)(self._look)

    def __contains__(self, text: str) -> bool:
        """Whether an address is in one of them; what is no address is in none."""
        return bool(self._networks) and self._known(text)

    def _look(self, text: str) -> bool:
        address = parse_address(text)
        return address is not None and any(address in network for network in self._networks)


def parse_node(text: str) -> Address | None:
    """The address of a node as proxies write it: alone or with its port, IPv6 also in brackets, perhaps quoted.

    None for what names no address (`unknown`, `_hidden`; RFC 7239, 6.2 and 6.3).
    """
    text = text.strip().strip('"')
    if text.startswith("["):
        host, bracket, port = text[1:].partition("]")
        is_node = bracket and (not port or _is_port(port))
        return parse_address(host) if is_node and ":" in host else None
    host, colon, _ = text.partition(":")
    if colon and _is_port(text[len(host) :]):
        return parse_address(host)
    return parse_address(text)


def _is_port(text: str) -> bool:
    """Whether `text` is a colon and a port; RFC 7239 lets a port be hidden, too."""
    return re.fullmatch(r":(\d{1,5}|_[\w.-]+)", text, re.ASCII) is not None


def is_allowed_origin(origin: str, hosts: Collection[str], allowed: Collection[str]) -> bool:
    """Whether pages of an origin may speak for their visitor here.

    Args:
        origin: the request's Origin (RFC 6454, 7), whatever it is.
        hosts: under which we are reached: what Host says, with or without a port.
        allowed: origins besides, as `url_origin` returns them.
    """
    own = url_origin(origin)
    if own is None:
        return False
    scheme, _, place = own.partition("://")
    return own in allowed or any(url_origin(f"{scheme}://{host}") == f"{scheme}://{place}" for host in hosts)


def canonical_host(text: str) -> str:
    """The one form of the host of a URL: in lower case, without brackets and the root's dot, IPv6 in its shortest form.

    So `LOCALHOST.` is `localhost`, and `[0:0:0:0:0:0:0:1]` is `::1` (RFC 5952). Names of other alphabets stay as they
    are: browsers send them in ASCII (RFC 5890).
    """
    host = text.lower().removeprefix("[").removesuffix("]")
    if ":" not in host:
        return host.removesuffix(".")
    try:
        return str(IPv6Address(host))
    except ValueError:
        return host


def is_local_host(text: str) -> bool:
    """Whether the host of a URL is this very machine, by name or by address."""
    host = canonical_host(text)
    return host == "localhost" or is_loopback(host)


def url_origin(url: str) -> str | None:
    """The origin of an http or https URL in one form: its host canonical, without the scheme's own port.

    None for what has none, such as `null`.
    """
    try:
        parts = urlsplit(url.lower())
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in PORTS or not parts.hostname or parts.username is not None:
        return None
    host = canonical_host(parts.hostname)
    if not host:
        return None
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}" if port in (None, PORTS[parts.scheme]) else f"{parts.scheme}://{host}:{port}"
