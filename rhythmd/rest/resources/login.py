"""`auth/…`: registering, logging in and out, sessions, passwords and tickets."""

from aiohttp import web
from msgspec import Struct

from rhythm_protocol.errors import ErrorCode
from rhythmd.auth.service import Auth
from rhythmd.auth.tickets import TICKET_S
from rhythmd.auth.values import Login
from rhythmd.rest.resources.inputs import Credentials, GuestLogin, NewPassword, PageQuery, Refresh, Register
from rhythmd.rest.resources.views import SessionList, login_view, session_view
from rhythmd.rest.serving.call import Call, InputT, Nothing, as_json
from rhythmd.rest.serving.cookies import clear_login, refresh_cookie, remember_browser, set_guest, set_login
from rhythmd.rest.serving.envelope import ApiError
from rhythmd.rest.serving.source import PublicUrls

__all__ = ["GuestView", "LoginResource", "TicketView"]


class GuestView(Struct, frozen=True, kw_only=True):
    """A guest's login. `access_token` is None when it went into a cookie. `access_expires` is Unix ms."""

    id: str
    access_token: str | None
    access_expires: int


class TicketView(Struct, frozen=True):
    """A ticket is good once and for `seconds`; a socket opens with it at `url`: a path, without a `public_url`."""

    ticket: str
    seconds: int
    url: str


class LoginResource:
    """Registration, logins, passwords and tickets.

    Args:
        auth: the services behind them.
        urls: of this server.
        browser_days: for which a browser is told from others; 0: it gets no cookie.
    """

    def __init__(self, auth: Auth, urls: PublicUrls, browser_days: float) -> None:
        self._browser_days = browser_days
        self._auth = auth
        self._urls = urls

    async def register(self, call: Call[Register]) -> web.Response:
        """Make an account and log in to it. An e-mail address gets the same answer whether others have it or not."""
        given = call.input
        login = await self._auth.accounts.register(given.usertag, given.password, given.email, call.client)
        return self._logged_in(call, login, cookies=given.cookies, status=201)

    async def login(self, call: Call[Credentials]) -> web.Response:
        """Log in. An unknown user, an address that is not verified and a wrong password get the same answer."""
        given = call.input
        login = await self._auth.accounts.login(given.usertag, given.password, call.client)
        return self._logged_in(call, login, cookies=given.cookies)

    async def logout(self, call: Call[Nothing]) -> web.Response:
        """End the session, if there is one, and take the cookies back."""
        principal = call.principal
        if principal is not None and not principal.is_guest:
            await self._auth.sessions.logout(principal.user_id, principal.session_id, call.client)
        response = web.Response(status=204)
        clear_login(response, call.cookie_scope)
        return response

    async def refresh(self, call: Call[Refresh]) -> web.Response:
        """Exchange a refresh token for new tokens. It works once; a second time ends the session."""
        token = call.input.refresh_token
        cookie = None if token else refresh_cookie(call.request, call.cookie_scope)
        if not token and not cookie:
            raise ApiError(ErrorCode.INVALID_REFRESH_TOKEN, "there is no refresh token, log in", "refresh_token")
        login = await self._auth.sessions.refresh(token or cookie or "", call.client)
        return self._logged_in(call, login, cookies=cookie is not None)

    async def guest(self, call: Call[GuestLogin]) -> web.Response:
        """Become a guest, or stay the one that the request's token says."""
        await self._auth.traces.check(call.client)
        guest = self._auth.sessions.guest(call.access_token)
        cookies = call.input.cookies
        token = None if cookies else guest.access_token
        response = as_json(GuestView(id=guest.id, access_token=token, access_expires=guest.access_expires))
        if cookies:
            set_guest(response, guest, call.cookie_scope)
            self._remember_browser(call, response)
        return response

    async def sessions(self, call: Call[PageQuery]) -> SessionList:
        """Your sessions, newest first."""
        page = await self._auth.sessions.page(call.known.user_id, call.input.limit, call.input.cursor)
        return SessionList([session_view(session, call.known.session_id) for session in page.items], page.next)

    async def revoke_session(self, call: Call[Nothing]) -> None:
        """End one of your sessions; its sockets close."""
        await self._auth.sessions.revoke(call.known.user_id, call.path("id"), call.client)

    async def change_password(self, call: Call[NewPassword]) -> None:
        """Set another password. All your other sessions end."""
        given = call.input
        await self._auth.accounts.change_password(
            call.account, call.known.session_id, given.current, given.new_password, call.client
        )

    async def ticket(self, call: Call[Nothing]) -> TicketView:
        """A one-time ticket for opening the socket, for clients that can send neither cookies nor headers there."""
        ticket = await self._auth.tickets.issue(call.known)
        return TicketView(ticket, round(TICKET_S), self._urls.socket(ticket))

    def _logged_in(self, call: Call[InputT], login: Login, *, cookies: bool, status: int = 200) -> web.Response:
        response = as_json(login_view(login, tokens=not cookies), status)
        if cookies:
            set_login(response, login.grant, call.cookie_scope)
            self._remember_browser(call, response)
        return response

    def _remember_browser(self, call: Call[InputT], response: web.Response) -> None:
        remember_browser(call.request, response, call.cookie_scope, self._browser_days)
