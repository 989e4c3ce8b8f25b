"""The cookies of browsers, and the bearer tokens of everybody else."""

import re
import secrets
from itertools import islice
from typing import Final, NamedTuple

from aiohttp import hdrs, web

from rhythmd.auth.values import Grant, Guest
from rhythmd.clock import unix_ms

__all__ = [
    "CookieScope",
    "access_token",
    "bearer_token",
    "browser_id",
    "browser_secret",
    "clear_login",
    "has_cookies",
    "refresh_cookie",
    "remember_browser",
    "set_browser_secret",
    "set_guest",
    "set_login",
]

ACCESS: Final = "rhythm_access"
REFRESH: Final = "rhythm_refresh"
LOGIN_STATE: Final = "rhythm_oauth"
BROWSER: Final = "rhythm_browser"
BROWSER_ID: Final = re.compile(r"[\w-]{22}", re.ASCII)
# RFC 6265bis, 4.1.3: a name with such a prefix cannot be set from plain HTTP, and with the first not by another host.
HOST: Final = "__Host-"
SECURE: Final = "__Secure-"
AUTH_PATH: Final = "/api/v1/auth"
OAUTH_PATH: Final = "/api/v1/auth/oauth"
OAUTH_S: Final = 600
DAY_S: Final = 86_400
KINDS: Final = ("", HOST, SECURE)
LOGINS: Final = tuple(f"{kind}{name}" for name in (ACCESS, REFRESH) for kind in KINDS)
PAIR: Final = re.compile(rf"({'|'.join((ACCESS, REFRESH, LOGIN_STATE, BROWSER))})=([^;]*)", re.ASCII)
"""A cookie of ours, or the end of another one's name (RFC 6265, 4.2.1). Others are passed over, at no cost."""
MOST_PAIRS: Final = 16
KNOWN: Final = web.RequestKey[dict[str, str]]("cookies", dict)


class CookieScope(NamedTuple):
    """Where a visitor's cookies are good. Only a cookie whose name says so is believed.

    Args:
        secure: whether they need TLS.
        prefix: the path under which the server is; "" for the root.
    """

    secure: bool
    prefix: str

    @property
    def access(self) -> str:
        """The name of the cookie with the access token."""
        return self._of_host(ACCESS)

    @property
    def refresh(self) -> str:
        """The name of the cookie with the refresh token."""
        return self._of_host(REFRESH)

    @property
    def browser(self) -> str:
        """The name of the cookie that tells a browser from others while it logs in at another site."""
        return self._of_host(LOGIN_STATE)

    @property
    def visitor(self) -> str:
        """The name of the cookie that tells a browser from others, so that a ban is not of an id that is free."""
        return self._of_host(BROWSER)

    def _of_host(self, name: str) -> str:
        """A name that no page of a neighbouring host can set, where there is TLS."""
        if not self.secure:
            return name
        return f"{SECURE}{name}" if self.prefix else f"{HOST}{name}"  # `__Host-` is only for the path `/`

    def set(self, response: web.Response, name: str, value: str, path: str, seconds: int) -> None:
        """Set a cookie for paths below `path`, or take it back in 0 seconds.

        That a page of a neighbouring host cannot plant a login is worth more than a narrow path.
        """
        where = "/" if name.startswith(HOST) else f"{self.prefix}{path}" or "/"
        response.set_cookie(name, value, max_age=seconds, path=where, secure=self.secure, httponly=True, samesite="Lax")


def _cookies(request: web.BaseRequest) -> dict[str, str]:
    """The cookies of ours that a request brings, by name; of several with one name the first, which is the nearest to
    the path that is asked for (RFC 6265, 5.4).
    """
    known = request.get(KNOWN)
    if known is None:
        known = request[KNOWN] = {}
        header = request.headers.get(hdrs.COOKIE, "")
        for found in islice(PAIR.finditer(header), MOST_PAIRS):
            kind = header[header.rfind(";", 0, found.start()) + 1 : found.start()].strip(" \t")
            if kind in KINDS:
                known.setdefault(kind + found[1], found[2].strip(' \t"'))
    return known


def has_cookies(request: web.BaseRequest) -> bool:
    """Whether a browser sent along what proves somebody's login."""
    return any(name in _cookies(request) for name in LOGINS)


def access_token(request: web.BaseRequest, scope: CookieScope) -> str | None:
    """The access token of a request, from the header before the cookie."""
    return bearer_token(request) or _cookies(request).get(scope.access) or None


def bearer_token(request: web.BaseRequest) -> str | None:
    """The access token in a request's header (RFC 6750, 2.1)."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def refresh_cookie(request: web.BaseRequest, scope: CookieScope) -> str | None:
    return _cookies(request).get(scope.refresh) or None


def browser_secret(request: web.BaseRequest, scope: CookieScope) -> str:
    """What tells this browser from others while it logs in at another site; nothing when it was never set."""
    return _cookies(request).get(scope.browser, "")


def browser_id(request: web.BaseRequest, scope: CookieScope) -> str:
    """What tells this browser from others; nothing if it has no such cookie, or not one of ours."""
    value = _cookies(request).get(scope.visitor, "")
    return value if BROWSER_ID.fullmatch(value) else ""


def remember_browser(request: web.BaseRequest, response: web.Response, scope: CookieScope, days: float) -> None:
    """Give a browser what tells it from others, or give it anew for as long: a ban of yesterday counts as long as one
    of a month ago. It stands for nothing else, and proves nothing.
    """
    if days > 0:
        value = browser_id(request, scope) or secrets.token_urlsafe(16)
        scope.set(response, scope.visitor, value, "", round(days * DAY_S))
        cached = response.headers.get(hdrs.CACHE_CONTROL, "no-store")
        response.headers[hdrs.CACHE_CONTROL] = f"private, {cached}"  # or a shared cache would give it to many


def set_browser_secret(response: web.Response, secret: str, scope: CookieScope) -> None:
    scope.set(response, scope.browser, secret, OAUTH_PATH, OAUTH_S)


def set_login(response: web.Response, grant: Grant, scope: CookieScope) -> None:
    """Give a browser its tokens."""
    now = unix_ms()
    scope.set(response, scope.access, grant.access_token, "", (grant.access_expires - now) // 1_000)
    scope.set(response, scope.refresh, grant.refresh_token, AUTH_PATH, (grant.refresh_expires - now) // 1_000)


def set_guest(response: web.Response, guest: Guest, scope: CookieScope) -> None:
    scope.set(response, scope.access, guest.access_token, "", (guest.access_expires - unix_ms()) // 1_000)


def clear_login(response: web.Response, scope: CookieScope) -> None:
    scope.set(response, scope.access, "", "", 0)
    scope.set(response, scope.refresh, "", AUTH_PATH, 0)
