"""The cookies of browsers, and the bearer tokens of everybody else."""

from collections.abc import Callable
from typing import Final

from aiohttp import web

from rhythmd.auth.values import Grant, Guest
from rhythmd.clock import unix_ms

__all__ = [
    "access_token",
    "browser_secret",
    "clear_login",
    "has_cookies",
    "refresh_cookie",
    "set_browser_secret",
    "set_guest",
    "set_login",
]

ACCESS: Final = "rhythm_access"
REFRESH: Final = "rhythm_refresh"
BROWSER: Final = "rhythm_oauth"
# RFC 6265bis, 4.1.3: a name with such a prefix cannot be set from plain HTTP or by another host.
ACCESS_SECURE: Final = f"__Host-{ACCESS}"
REFRESH_SECURE: Final = f"__Secure-{REFRESH}"
BROWSER_SECURE: Final = f"__Secure-{BROWSER}"
AUTH_PATH: Final = "/api/v1/auth"
OAUTH_PATH: Final = "/api/v1/auth/oauth"
OAUTH_S: Final = 600
OURS: Final = (ACCESS, ACCESS_SECURE, REFRESH, REFRESH_SECURE)


def has_cookies(request: web.BaseRequest) -> bool:
    """Whether a browser sent along what proves somebody's login."""
    return any(name in request.cookies for name in OURS)


def access_token(request: web.BaseRequest, is_secure: Callable[[web.BaseRequest], bool]) -> str | None:
    """The access token of a request, from the header before the cookie.

    Args:
        request: of anybody.
        is_secure: whether the browser came through TLS: then only the cookie that needs it counts.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip() or None
    if "Cookie" not in request.headers:
        return None
    return request.cookies.get(ACCESS_SECURE if is_secure(request) else ACCESS) or None


def refresh_cookie(request: web.BaseRequest, *, secure: bool) -> str | None:
    return request.cookies.get(REFRESH_SECURE if secure else REFRESH) or None


def browser_secret(request: web.BaseRequest, *, secure: bool) -> str:
    """What tells this browser from others while it logs in at another site; nothing when it was never set."""
    return request.cookies.get(BROWSER_SECURE if secure else BROWSER, "")


def set_browser_secret(response: web.Response, secret: str, *, secure: bool) -> None:
    _set(response, BROWSER_SECURE if secure else BROWSER, secret, OAUTH_PATH, OAUTH_S, secure=secure)


def set_login(response: web.Response, grant: Grant, *, secure: bool) -> None:
    """Give a browser its tokens. Only `/api/v1/auth` gets to see the refresh token."""
    now = unix_ms()
    access_s, refresh_s = (grant.access_expires - now) // 1_000, (grant.refresh_expires - now) // 1_000
    _set(response, ACCESS_SECURE if secure else ACCESS, grant.access_token, "/", access_s, secure=secure)
    name = REFRESH_SECURE if secure else REFRESH
    _set(response, name, grant.refresh_token, AUTH_PATH, refresh_s, secure=secure)


def set_guest(response: web.Response, guest: Guest, *, secure: bool) -> None:
    seconds = (guest.access_expires - unix_ms()) // 1_000
    _set(response, ACCESS_SECURE if secure else ACCESS, guest.access_token, "/", seconds, secure=secure)


def clear_login(response: web.Response, *, secure: bool) -> None:
    _set(response, ACCESS_SECURE if secure else ACCESS, "", "/", 0, secure=secure)
    _set(response, REFRESH_SECURE if secure else REFRESH, "", AUTH_PATH, 0, secure=secure)


def _set(response: web.Response, name: str, value: str, path: str, seconds: int, *, secure: bool) -> None:
    response.set_cookie(name, value, max_age=seconds, path=path, secure=secure, httponly=True, samesite="Lax")
