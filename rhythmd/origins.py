"""What a browser says about the page that a request comes from."""

from collections.abc import Collection
from urllib.parse import urlsplit

__all__ = ["is_allowed"]


def is_allowed(origin: str, hosts: Collection[str], allowed: Collection[str]) -> bool:
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
