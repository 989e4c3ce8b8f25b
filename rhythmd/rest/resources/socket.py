"""`/ws`: where an upgrade request stops being HTTP's business."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from time import time
from typing import Final, Protocol

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.abc import AbstractStreamWriter
from msgspec import structs

from rhythm_protocol.errors import ErrorCode
from rhythmd.auth.traces import TracedMute, Traces
from rhythmd.auth.values import Client
from rhythmd.errors import Refused
from rhythmd.fairness.account import Account
from rhythmd.fairness.turns import Turns
from rhythmd.hub.ports import Arrival, Credentials, Identity, LapsedLogin, LoginVerifier, Stranger
from rhythmd.rest.serving.connection import Accepted, HttpConnection
from rhythmd.rest.serving.cookies import bearer_token, remember_browser
from rhythmd.rest.serving.envelope import ApiError
from rhythmd.rest.serving.origins import Origins
from rhythmd.rest.serving.source import RequestSource

__all__ = ["Opener", "Opening", "SocketResource"]

UPGRADE: Final = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
"""What is asked for (RFC 9110, 15.5.22, and RFC 6455, 4.4)."""
RETRY_S: Final = "10"


class Opening(Protocol):
    """An upgrade request that can be granted."""

    def begin(
        self,
        transport: asyncio.Transport,
        account: Account,
        address: str,
        identity: Arrival,
        early: bytes,
        accepted: Accepted,
    ) -> None:
        """Answer the request, and take the connection over."""


class Opener(Protocol):
    """The side of the sockets."""

    def negotiate(self, headers: Iterable[tuple[str, str]], *, bot: bool, cookie: str = "") -> Opening:
        """Raises Refused: `upgrade-required`, `bad-request`."""


class SocketResource:
    """Checks upgrade requests, and hands their connections over to the sockets.

    Args:
        opener: takes them.
        login_verifier: knows who shows credentials.
        traces: lead to banned users.
        source: knows where requests come from.
        origins: knows other sites' pages.
        identify_s: seconds that it may take to find out who shows credentials.
        browser_days: for which a browser is told from others; 0: it gets no cookie.
        turns: of all connections.
    """

    def __init__(
        self,
        opener: Opener,
        login_verifier: LoginVerifier,
        traces: Traces,
        source: RequestSource,
        origins: Origins,
        identify_s: float,
        browser_days: float,
        turns: Turns,
    ) -> None:
        self._turns = turns
        self._browser_days = browser_days
        self._traces = traces
        self._identify_s = identify_s
        self._opener = opener
        self._login_verifier = login_verifier
        self._source = source
        self._origins = origins
        self._is_stopping = False

    def stop(self) -> None:
        """From here on no socket is opened."""
        self._is_stopping = True

    async def open(self, request: web.BaseRequest) -> web.StreamResponse:
        """Raises ApiError, Refused and Banned."""
        if request.method != hdrs.METH_GET:
            raise ApiError(ErrorCode.METHOD_NOT_ALLOWED, "a socket is opened by GET", headers={"Allow": "GET"})
        self._origins.check_socket(request)
        if request.version < HttpVersion11:
            raise ApiError(ErrorCode.UPGRADE_REQUIRED, "a socket is opened by HTTP/1.1", headers=UPGRADE)
        if request.body_exists:
            raise ApiError(ErrorCode.BAD_REQUEST, "this request has no body")
        client, cookie = self._client(request)
        opening = self._negotiate(request, cookie)
        credentials = self._credentials(request)
        known = await self._identify(credentials, client.address) if credentials else None
        traced = await self._check_traces(client, known)
        if known is None:
            arrival: Arrival = Stranger(client.browser, traced)
        else:
            arrival = replace(known, browser=client.browser, traced=traced)
        return self._hand_over(request, opening, client.address, arrival)

    def _client(self, request: web.BaseRequest) -> tuple[Client, str]:
        """The client, and the cookie by which its browser is known from its first socket on, if it has none yet."""
        client = self._source.client(request)
        if client.browser:
            return client, ""
        bearer = web.Response()
        remember_browser(request, bearer, self._source.cookie_scope(request), self._browser_days)
        for cookie in bearer.cookies.values():
            return structs.replace(client, browser=cookie.value), cookie.OutputString()
        return client, ""

    def _negotiate(self, request: web.BaseRequest, cookie: str) -> Opening:
        bot = request.query.getall("bot", []) in (["1"], ["true"])
        try:
            return self._opener.negotiate(request.headers.items(), bot=bot, cookie=cookie)
        except Refused as refused:
            headers = UPGRADE if refused.code is ErrorCode.UPGRADE_REQUIRED else {}
            raise ApiError(refused.code, refused.message, headers=headers) from None

    async def _check_traces(self, client: Client, known: Identity | LapsedLogin | None) -> TracedMute | None:
        """Keep out who comes back without the account that is banned (raises Banned), or tell which one was muted."""
        if isinstance(known, Identity) and known.muted_until > time():
            self._traces.notice(known.user_id, client.address, client.browser)
        made = round(known.made * 1_000) if isinstance(known, Identity) and not known.guest else None
        return await self._traces.check(client, made)

    async def _identify(self, credentials: Credentials, address: str) -> Identity | LapsedLogin:
        try:
            async with asyncio.timeout(self._identify_s):
                return await self._login_verifier.admit(credentials, address)
        except TimeoutError:
            message = "the server takes too long to find out who you are, try again later"
            raise ApiError(ErrorCode.UNAVAILABLE, message, headers={"Retry-After": RETRY_S}) from None

    def _credentials(self, request: web.BaseRequest) -> Credentials:
        """What the client shows on purpose goes before the cookie that its browser shows by itself."""
        token, ticket = bearer_token(request), request.query.get("ticket")
        if token is not None or ticket is not None:
            return Credentials(token, ticket)
        cookie = self._source.access_token(request)
        return Credentials(cookie, is_cookie=cookie is not None)

    def _hand_over(
        self, request: web.BaseRequest, opening: Opening, address: str, identity: Arrival
    ) -> web.StreamResponse:
        transport = request.transport
        connection = None if transport is None else transport.get_protocol()
        if self._is_stopping:  # perhaps only since the login was looked up
            raise ApiError(ErrorCode.UNAVAILABLE, "the server is going down", headers={"Retry-After": RETRY_S})
        if not isinstance(connection, HttpConnection) or connection.is_over:
            return _NoAnswer()
        accepted = connection.accepted
        wait_s = self._turns.kept_out_s(self._turns.network(address))
        if wait_s:
            headers = {"Retry-After": str(wait_s)}
            raise ApiError(ErrorCode.RATE_LIMITED, "too many of this network were closed for flooding", headers=headers)
        if not accepted.claim_socket(address):
            headers = {"Retry-After": RETRY_S}
            raise ApiError(ErrorCode.BUSY, "too many connections from this address", headers=headers)
        transport, early = connection.release()
        opening.begin(transport, accepted.account, address, identity, early, accepted)
        return _NoAnswer()


class _NoAnswer(web.StreamResponse):
    """Stands for an answer that the sockets have sent, or that nobody waits for any more."""

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        return request.writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to send."""
