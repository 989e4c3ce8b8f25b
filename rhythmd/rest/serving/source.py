"""Where a request comes from, also behind a proxy that the configuration names, and how its sender reaches us."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from aiohttp import web

from rhythmd.addresses import Address, customer_network, parse_address, parse_network
from rhythmd.auth.values import Client

__all__ = ["PublicUrls", "RequestSource"]

LOCAL: Final = "127.0.0.1"
LOCAL_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1"})
SOCKET: Final = "/ws"
CALLBACK: Final = "/api/v1/auth/oauth/{}/callback"


class RequestSource:
    """Tells where requests come from.

    Args:
        trusted_proxies: networks (CIDR) whose word counts about whom they forward.
    """

    def __init__(self, trusted_proxies: Sequence[str]) -> None:
        self._trusted = [parse_network(text) for text in trusted_proxies]

    def client(self, request: web.BaseRequest) -> Client:
        return Client(self.address(request), request.headers.get("User-Agent", ""))

    def address(self, request: web.BaseRequest) -> str:
        """The IP address of who sent the request: the last one on its way that is no proxy of ours."""
        peer = parse_address(request.remote or LOCAL)
        if peer is None:
            return LOCAL
        if not self._trusted or not self._is_trusted(peer):
            return str(peer)
        for text in reversed(",".join(request.headers.getall("X-Forwarded-For", [])).split(",")):
            hop = parse_address(text)
            if hop is None:
                break
            peer = hop
            if not self._is_trusted(hop):
                break
        return str(peer)

    def network(self, request: web.BaseRequest) -> str:
        """The network of who sent the request: what one customer has."""
        if self._trusted:
            return customer_network(self.address(request))
        return customer_network(request.remote or LOCAL)

    def came_through_tls(self, request: web.BaseRequest) -> bool:
        """Whether the visitor's own connection, to us or to our proxy, is encrypted."""
        if request.secure:
            return True
        if not self._trusted:
            return False
        peer = parse_address(request.remote or "")
        if peer is None or not self._is_trusted(peer):
            return False
        return request.headers.get("X-Forwarded-Proto", "").rpartition(",")[2].strip().lower() == "https"

    def wants_secure_cookies(self, request: web.BaseRequest) -> bool:
        """Whether cookies get `Secure`: always, but on this very machine without TLS."""
        return self.came_through_tls(request) or request.url.host not in LOCAL_HOSTS

    def _is_trusted(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)


class PublicUrls:
    """The addresses of this server, as those outside see them.

    Args:
        public: `server.public_url`, or nothing.
        source: tells which requests came through TLS.
    """

    def __init__(self, public: str, source: RequestSource) -> None:
        self._public = public
        self._source = source

    def socket(self, request: web.BaseRequest, ticket: str) -> str:
        """Where a socket opens with `ticket`, as the one who asks reaches it."""
        base = self._public or f"{'https' if self._source.came_through_tls(request) else 'http'}://{request.host}"
        return f"{base.replace('http', 'ws', 1)}{SOCKET}?ticket={ticket}"

    def callback(self, provider: str) -> str:
        """Where `provider` sends the browser back to. Only from the configuration: a request could say anything."""
        return self._public + CALLBACK.format(quote(provider, safe=""))
