"""`auth/oauth/…`: logging in through other sites, and the identities there that belong to an account."""

from aiohttp import web
from msgspec import Struct

from rhythm_protocol.errors import ErrorCode
from rhythmd.auth.external import Callback
from rhythmd.auth.secret import new_secret
from rhythmd.auth.service import Auth
from rhythmd.auth.values import Login
from rhythmd.rest.resources.inputs import OAuthBegin
from rhythmd.rest.serving.call import Call, Nothing
from rhythmd.rest.serving.cookies import browser_secret, set_browser_secret, set_login
from rhythmd.rest.serving.envelope import ApiError
from rhythmd.rest.serving.source import PublicUrls

__all__ = ["IdentityList", "OAuthResource", "ProviderList"]


class ProviderView(Struct, frozen=True):
    """A site that users may log in through."""

    name: str
    title: str


class ProviderList(Struct, frozen=True):
    """All sites that users may log in through."""

    providers: list[ProviderView]


class IdentityView(Struct, frozen=True):
    """An identity at another site. `name` is the user's there when it was linked; `created` is Unix ms."""

    provider: str
    name: str
    created: int


class IdentityList(Struct, frozen=True):
    """The identities of one account at other sites."""

    identities: list[IdentityView]


class OAuthResource:
    """Logins through other sites, and the identities there."""

    def __init__(self, auth: Auth, urls: PublicUrls) -> None:
        self._external = auth.external
        self._urls = urls

    async def providers(self, _call: Call[Nothing]) -> ProviderList:
        """The sites that one can log in through."""
        return ProviderList([ProviderView(name, title) for name, title in self._external.titles.items()])

    async def begin(self, call: Call[OAuthBegin]) -> web.Response:
        """Send the browser to another site to log in there."""
        linker = None
        if call.input.link == "true":
            if call.request.headers.get("Sec-Fetch-Site", "none") not in {"same-origin", "none"}:
                raise ApiError(ErrorCode.CROSS_SITE, "a page of another site may not ask for this")
            if call.principal is None or call.principal.is_guest:
                raise ApiError(ErrorCode.LOGIN_REQUIRED, "log in first", headers={"WWW-Authenticate": "Bearer"})
            linker = call.principal
        provider = call.path("provider")
        secret = browser_secret(call.request, call.cookie_scope) or new_secret()
        url = await self._external.begin(provider, secret, self._urls.callback(provider), linker)
        response = _redirect(url)
        set_browser_secret(response, secret, call.cookie_scope)
        return response

    async def callback(self, call: Call[Callback]) -> web.Response:
        """Where the other site sends the browser back to: it is logged in, with cookies, and on its way to the page."""
        secret = browser_secret(call.request, call.cookie_scope)
        result = await self._external.finish(call.path("provider"), secret, call.input, call.client)
        response = _redirect(f"{self._urls.prefix}/")
        if isinstance(result, Login):
            set_login(response, result.grant, call.cookie_scope)
        return response

    async def identities(self, call: Call[Nothing]) -> IdentityList:
        """The identities at other sites that log in to your account."""
        rows = await self._external.identities(call.known.user_id)
        return IdentityList([IdentityView(row.provider, row.name, row.created) for row in rows])

    async def unlink(self, call: Call[Nothing]) -> None:
        """Take an identity from your account. The last way to log in stays."""
        await self._external.unlink(call.known.user_id, call.path("provider"), call.client)


def _redirect(url: str) -> web.Response:
    return web.Response(status=302, headers={"Location": url, "Cache-Control": "no-store"})
