"""Addresses in the configuration: which can be one, and where the server itself is reached."""

from collections.abc import Callable, Collection
from typing import Final
from urllib.parse import SplitResult, urlsplit

from rhythmd.config.sections import ServerConfig
from rhythmd.errors import ConfigError

__all__ = ["bad_host", "bad_mongo_url", "bad_redis_url", "bad_url", "local_url", "socket_address"]

WEB: Final = ("http", "https")
MONGO: Final = ("mongodb", "mongodb+srv")
REDIS: Final = ("redis", "rediss")
UNIX: Final = "unix"
# What stands for all addresses of this machine is none to connect to; everywhere its loopback is (RFC 4291, 2.5.2).
LOOPBACK: Final = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}  # noqa: S104 - nothing is bound to it here


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - it is read to be checked
    except ValueError:
        return None
    return None if any(each.isspace() or not each.isprintable() for each in url) else parts


def _bad(url: str, schemes: Collection[str], example: str, *tests: Callable[[SplitResult], bool]) -> str | None:
    parts = _split(url)
    is_good = parts and parts.scheme in schemes and parts.hostname and parts.port != 0
    if parts and is_good and all(test(parts) for test in tests):
        return None
    return f"expected a URL such as {example}"


def bad_url(url: str, *, is_base: bool = False) -> str | None:
    """What is wrong with the address of a web site. A base has no query and no fragment: a path is added to it."""
    if is_base:
        return _bad(url, WEB, "https://example.com", lambda parts: not (parts.query or parts.fragment or "@" in url))
    return _bad(url, WEB, "https://example.com/path")


def bad_mongo_url(url: str) -> str | None:
    """What is wrong with a connection string of MongoDB, as far as that can be told without its driver.

    It may name several servers, each with its port.
    """
    place = url.partition("://")[2].partition("/")[0].rpartition("@")[2]
    names = place.split(",")
    problems = [_bad(f"{url.partition(':')[0]}://{name}", MONGO, "mongodb://127.0.0.1:27017") for name in names]
    if url.startswith("mongodb+srv:") and (len(names) > 1 or ":" in place):
        return "expected one name without a port after mongodb+srv://"
    return next((problem for problem in problems if problem), None)


def bad_redis_url(url: str) -> str | None:
    """What is wrong with the address of Redis."""
    example = "redis://127.0.0.1:6379/0"
    parts = _split(url)
    if parts and parts.scheme == UNIX:
        return None if parts.path.startswith("/") else "expected a URL such as unix:///run/redis.sock"
    return _bad(url, REDIS, example, lambda each: not each.path.strip("/") or each.path.strip("/").isdecimal())


def bad_host(host: str) -> str | None:
    """What is wrong with an address to listen on."""
    if host.startswith("[") or host.count(":") == 1 or "/" in host:
        return f"expected an address such as 0.0.0.0 or ::, without a port or brackets, not {host!r}"
    if not host or any(each.isspace() or not each.isprintable() for each in host):
        return f"expected an address such as 0.0.0.0 or ::, not {host!r}"
    return None


def local_url(server: ServerConfig, port: int) -> str:
    """An address under which this machine reaches a server that listens on `port`."""
    host = LOOPBACK.get(server.hosts[0], server.hosts[0])
    if ":" in host:
        host = f"[{host.replace('%', '%25')}]"  # RFC 6874: the percent sign of a zone
    return f"{'https' if server.tls_cert else 'http'}://{host}:{port}"


def socket_address(server: ServerConfig) -> str:
    """Where clients open a WebSocket: below the address for people, if there is one. Raises ConfigError."""
    if not server.public_url and not server.port:
        raise ConfigError("server.port = 0: nobody knows which port the server has taken; give its address with --url")
    base = server.public_url or local_url(server, server.port)
    return f"{base.rstrip('/').replace('http', 'ws', 1)}/ws"
