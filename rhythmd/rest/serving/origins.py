"""Requests that another site's page makes in a visitor's browser: who may read answers, and who may change things."""

from typing import Final
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from rhythm_protocol.errors import ErrorCode
from rhythmd.addresses import is_allowed_origin, url_origin
from rhythmd.config import ServerConfig
from rhythmd.rest.serving.cookies import has_cookies
from rhythmd.rest.serving.envelope import ApiError
from rhythmd.rest.serving.source import RequestSource

__all__ = ["Origins"]

SAFE: Final = frozenset({hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS})
OURS: Final = frozenset({"same-origin", "none"})
METHODS: Final = "GET, HEAD, POST, PUT, PATCH, DELETE"
HEADERS: Final = "Authorization, Content-Type, If-None-Match, If-Range, Range"
EXPOSED: Final = (
    "Accept-Ranges, Content-Disposition, Content-Range, ETag, Retry-After, "
    "X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-Id"
)
PLAIN: Final = "http://"
PREFLIGHT_S: Final = 600
NO_PAGE: Final = (
    "a login in a cookie counts only with the page that asks: a program sends its token as `Authorization: Bearer`"
    " in place of the cookie, or the server's own address as `Origin`"
)


class Origins:
    """Tells which pages may read answers, and which may change things.

    Args:
        server: names the origins besides our own whose pages may use the API with the visitor's cookies.
        source: knows under which names visitors reach us.
    """

    def __init__(self, server: ServerConfig, source: RequestSource) -> None:
        self._allowed = frozenset(filter(None, map(url_origin, server.allowed_origins)))
        self._friends = self._allowed | frozenset(filter(None, [url_origin(server.public_url)]))
        self._source = source
        public = urlsplit(server.public_url.lower())
        self._encrypted_host = public.hostname if public.scheme == "https" else None

    def check(self, request: web.BaseRequest) -> None:
        """Raise ApiError (`cross-site`) if a page of another site may have made this request to change something.

        A browser says which page asks. What carries a cookie and says nothing is refused; what has neither, such as
        a program with a bearer token, nobody else can have made.
        """
        if request.method in SAFE:
            return
        origin, fetch_site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
        if origin is not None:
            fine = self.is_friendly(request, origin)
        elif fetch_site is not None:
            fine = fetch_site in OURS
        elif hdrs.AUTHORIZATION in request.headers or not has_cookies(request):
            return
        else:
            raise ApiError(ErrorCode.CROSS_SITE, NO_PAGE)
        if not fine:
            raise ApiError(ErrorCode.CROSS_SITE, "a page of another site may not ask for this")

    def is_friendly(self, request: web.BaseRequest, origin: str) -> bool:
        """Whether pages of this origin are ours, or are allowed to be in our stead."""
        if self._is_downgraded(request, origin):
            return url_origin(origin) in self._allowed
        return is_allowed_origin(origin, self._source.hosts(request), self._friends)

    def _is_downgraded(self, request: web.BaseRequest, origin: str) -> bool:
        """Whether it is a page without TLS, which anybody on the way may have written, that asks a site with it."""
        own = url_origin(origin) or ""
        if not own.startswith(PLAIN):
            return False
        return self._source.came_through_tls(request) or urlsplit(own).hostname == self._encrypted_host

    def check_socket(self, request: web.BaseRequest) -> None:
        """Raise ApiError (`cross-site`) if another site's page opens a socket. What is no browser says nothing."""
        origins = request.headers.getall(hdrs.ORIGIN, ())
        if len(origins) > 1 or not all(self.is_friendly(request, origin) for origin in origins):
            raise ApiError(ErrorCode.CROSS_SITE, "pages of this origin may not connect")

    def headers(self, request: web.BaseRequest) -> tuple[tuple[str, str], ...]:
        """The headers that let a page of an allowed origin read the answer."""
        if not self._allowed:
            return ()
        origin = request.headers.get("Origin", "")
        if url_origin(origin) not in self._allowed:
            return (("Vary", "Origin"),)
        return (
            ("Vary", "Origin"),
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Allow-Credentials", "true"),
            ("Access-Control-Expose-Headers", EXPOSED),
        )

    def preflight(self, request: web.BaseRequest) -> web.Response | None:
        """The answer to a browser's question before a request from another site; None if this is no such question.

        Args:
            request: with the method OPTIONS.
        """
        if "Access-Control-Request-Method" not in request.headers:
            return None
        if url_origin(request.headers.get("Origin", "")) not in self._allowed:
            raise ApiError(ErrorCode.CROSS_SITE, "pages of this origin may not use the API")
        headers = {
            "Access-Control-Allow-Methods": METHODS,
            "Access-Control-Allow-Headers": HEADERS,
            "Access-Control-Max-Age": str(PREFLIGHT_S),
        }
        return web.Response(status=204, headers=headers)
