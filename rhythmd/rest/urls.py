"""Where this server is for those outside."""

from typing import Final
from urllib.parse import quote

from aiohttp import web

from rhythmd.rest.visitors import Visitors

__all__ = ["Urls"]

SOCKET: Final = "/ws"
CALLBACK: Final = "/api/v1/auth/oauth/{}/callback"


class Urls:
    """
    Args:
        public: `server.public_url`, or nothing.
        visitors: tells who came through TLS.
    """

    def __init__(self, public: str, visitors: Visitors) -> None:
        self._public = public
        self._visitors = visitors

    def socket(self, request: web.BaseRequest, ticket: str) -> str:
        """Where a socket opens with `ticket`, as the one who asks reaches it."""
        base = self._public or f"{'https' if self._visitors.came_through_tls(request) else 'http'}://{request.host}"
        return f"{base.replace('http', 'ws', 1)}{SOCKET}?ticket={ticket}"

    def callback(self, provider: str) -> str:
        """Where `provider` sends the browser back to. Only from the configuration: a request could say anything."""
        return self._public + CALLBACK.format(quote(provider, safe=""))
