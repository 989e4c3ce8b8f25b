"""Where a request comes from, also behind proxies that the configuration names, and how its sender reaches us.

This is the one place that finds out a client's address, scheme and host, for sockets and for everything else: an
upgrade request is a request. A proxy says them by `X-Forwarded-For`, `-Proto` and `-Host` or by `Forwarded` (RFC 7239).
Each proxy on the way adds to these headers, and so may the client: the address is the last one in them that is no proxy
of ours.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import quote, urlsplit

from aiohttp import hdrs, web

from rhythmd.addresses import (
    Networks,
    canonical_address,
    customer_network,
    is_local_host,
    is_loopback,
    parse_address,
    parse_node,
)
from rhythmd.auth.values import Client
from rhythmd.config import ServerConfig
from rhythmd.rest.serving.cookies import CookieScope, access_token, browser_id
from rhythmd.telemetry import rest_log

__all__ = ["PEER", "Hop", "Peer", "PublicUrls", "RequestSource", "Visit", "forwarded_elements", "named_host"]

LOCAL: Final = "127.0.0.1"
SOCKET: Final = "/ws"
CALLBACK: Final = "/api/v1/auth/oauth/{}/callback"
FORWARDED: Final = "Forwarded"
FORWARDED_FOR: Final = "X-Forwarded-For"
FORWARDED_PROTO: Final = "X-Forwarded-Proto"
FORWARDED_HOST: Final = "X-Forwarded-Host"
SAID: Final = (FORWARDED_FOR, FORWARDED_PROTO, FORWARDED_HOST, FORWARDED)
# One pair of a Forwarded element, or the comma between two elements. RFC 7239, 4, and RFC 9110, 5.6.4.
PAIR: Final = re.compile(r"""\s*(?:([\w!#$%&'*+.^`|~-]+)=("(?:[^"\\]|\\.)*"|[^\s;,"]*)|(,)|;)""", re.ASCII)


class Peer(NamedTuple):
    """The other end of a connection, or the client that a PROXY header names; `is_encrypted` as this header says."""

    address: str
    is_encrypted: bool


PEER: Final = web.RequestKey("peer", Peer)


class Visit(NamedTuple):
    """How a client reaches us.

    Args:
        address: of the client, canonical.
        is_encrypted: whether its own connection, to us or to our proxy, is.
        host: with its port, as the client's request named it; "" if it named none.
    """

    address: str
    is_encrypted: bool
    host: str


VISIT: Final = web.RequestKey("visit", Visit)


class Hop(NamedTuple):
    """What a proxy said of who connected to it. Empty strings are what it did not say."""

    node: str
    proto: str = ""
    host: str = ""


class RequestSource:
    """Tells where requests come from.

    Args:
        server: names the proxies, the headers in which they speak, and our public address.

    Attributes:
        prefix: the path under which everything is, such as `/piano`; "" if that is the root.
    """

    def __init__(self, server: ServerConfig) -> None:
        self._trusted = Networks(server.trusted_proxies)
        self._has_warned = False
        self._has_missed = False
        self._headers = server.proxy_headers
        self._public_is_encrypted = server.public_url.startswith("https:")
        self.prefix = urlsplit(server.public_url).path.rstrip("/")

    def visit(self, request: web.BaseRequest) -> Visit:
        """How the sender of a request reaches us."""
        known = request.get(VISIT)
        if known is None:
            known = request[VISIT] = self._find(request)
        return known

    def client(self, request: web.BaseRequest) -> Client:
        browser = browser_id(request, self.cookie_scope(request)) if hdrs.COOKIE in request.headers else ""
        return Client(self.visit(request).address, request.headers.get("User-Agent", ""), browser)

    def network(self, request: web.BaseRequest) -> str:
        """The network of who sent the request: what one customer has."""
        return customer_network(self.visit(request).address)

    def came_through_tls(self, request: web.BaseRequest) -> bool:
        """Whether the visitor's own connection, to us or to our proxy, is encrypted."""
        return self.visit(request).is_encrypted

    def cookie_scope(self, request: web.BaseRequest) -> CookieScope:
        """Where the sender's cookies are good. They need TLS always, but on this very machine without it."""
        visit = self.visit(request)
        secure = visit.is_encrypted or self._public_is_encrypted or not is_local_host(_hostname(visit.host))
        return CookieScope(secure, self.prefix)

    def access_token(self, request: web.BaseRequest) -> str | None:
        """The access token that came with a request, good or not."""
        if hdrs.COOKIE not in request.headers and hdrs.AUTHORIZATION not in request.headers:
            return None
        return access_token(request, self.cookie_scope(request))

    def hosts(self, request: web.BaseRequest) -> set[str]:
        """The names under which the sender of a request reaches us, with their ports."""
        return {self.visit(request).host, request.headers.get(hdrs.HOST, "")}

    def _find(self, request: web.BaseRequest) -> Visit:
        peer = request.get(PEER) or Peer(canonical_address(request.remote or LOCAL), is_encrypted=False)
        visit = Visit(peer.address, peer.is_encrypted or request.secure, named_host(request))
        if peer.address not in self._trusted:
            self._warn(peer.address, request)
            return visit
        if not any(map(request.headers.__contains__, SAID)):
            self._warn_of_silence(visit)
            return visit
        for hop in self._hops(request):
            address = parse_node(hop.node)
            visit = Visit(
                visit.address if address is None else str(address),
                hop.proto == "https" if hop.proto else visit.is_encrypted,
                hop.host or visit.host,
            )
            if address is None or visit.address not in self._trusted:
                break
        return visit

    def _warn(self, address: str, request: web.BaseRequest) -> None:
        """Tell the operator, once, of what looks like a proxy that the configuration does not name."""
        if self._has_warned or (FORWARDED_FOR not in request.headers and FORWARDED not in request.headers):
            return
        found = parse_address(address)
        if found is not None and found.is_private:
            self._has_warned = True
            rest_log.warning(
                "%s says for whom it asks, and is not believed: if it is a proxy of yours, add it to"
                " server.trusted_proxies; until then all its visitors count as one address",
                address,
            )

    def _warn_of_silence(self, visit: Visit) -> None:
        """Tell the operator, once, of what looks like a proxy on this machine that does not say for whom it asks."""
        if self._has_missed or not is_loopback(visit.address):
            return
        name = _hostname(visit.host)
        if "." in name and not is_local_host(name):  # a name without one is this machine's, or of its neighbours
            self._has_missed = True
            rest_log.warning(
                "somebody on this machine asks for %s: if that is a proxy of yours, let it send X-Forwarded-For, or a"
                " PROXY header; until then nothing that is counted by address holds for its visitors",
                visit.host,
            )

    def _hops(self, request: web.BaseRequest) -> Iterator[Hop]:
        """What proxies said, the nearest one first."""
        headers = request.headers
        is_old = FORWARDED_FOR in headers or FORWARDED_PROTO in headers or FORWARDED not in headers
        if self._headers == "forwarded" or (self._headers == "auto" and not is_old):
            yield from reversed(forwarded_elements(",".join(headers.getall(FORWARDED, []))))
            return
        proto = _last(headers.getall(FORWARDED_PROTO, [])).lower()
        host = _last(headers.getall(FORWARDED_HOST, [])).lower()
        for node in reversed(",".join(headers.getall(FORWARDED_FOR, [""])).split(",")):
            yield Hop(node, proto, host)


def named_host(request: web.BaseRequest) -> str:
    """Host and port that the request names: in its target, if that is a whole URL (RFC 9112, 3.2.2), or in Host."""
    target = request.raw_path
    if target.startswith("/") or "://" not in target:
        return request.headers.get(hdrs.HOST, "").lower()
    return target.lower().partition("://")[2].partition("/")[0].partition("?")[0]


def _last(values: list[str]) -> str:
    return ",".join(values).rpartition(",")[2].strip()


def forwarded_elements(text: str) -> list[Hop]:
    """The elements of a Forwarded header; one that is not well-formed names nobody."""
    elements: list[dict[str, str]] = [{}]
    at = 0
    while at < len(text):
        found = PAIR.match(text, at)
        if found is None:
            return [Hop("")] if text[at:].strip() else [_hop(element) for element in elements]
        name, value, comma = found.groups()
        if comma:
            elements.append({})
        elif name:
            elements[-1][name.lower()] = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
        at = found.end()
    return [_hop(element) for element in elements]


def _hop(element: dict[str, str]) -> Hop:
    return Hop(element.get("for", ""), element.get("proto", "").lower(), element.get("host", "").lower())


def _hostname(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


class PublicUrls:
    """The addresses of this server, as those outside see them.

    Args:
        public: `server.public_url`, or nothing.
        source: tells which requests came through TLS.
    """

    def __init__(self, public: str, source: RequestSource) -> None:
        self._public = public.rstrip("/")
        self._source = source
        self.prefix = source.prefix
        self.base = self._public or "/"
        """What stands before every path, for who only has a document of ours."""

    def socket(self, ticket: str) -> str:
        """Where a socket opens with `ticket`: an address, or a path at the one that was asked.

        A request's Host may be anything, and somebody else may read the answer: only the configuration names a host.
        """
        return f"{self._public.replace('http', 'ws', 1)}{SOCKET}?ticket={ticket}"

    def callback(self, provider: str) -> str:
        """Where `provider` sends the browser back to. Only from the configuration: a request could say anything."""
        return self._public + CALLBACK.format(quote(provider, safe=""))
