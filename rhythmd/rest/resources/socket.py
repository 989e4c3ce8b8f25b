"""`/ws`: where an upgrade request stops being HTTP's business."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.abc import AbstractStreamWriter

from rhythm_protocol.errors import ErrorCode
from rhythmd.errors import Refused
from rhythmd.fairness.account import Account
from rhythmd.hub.ports import Credentials, Identity, LapsedLogin, LoginVerifier
from rhythmd.rest.serving.connection import HttpConnection
from rhythmd.rest.serving.cookies import bearer_token
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
        identity: Identity | LapsedLogin | None,
        early: bytes,
        on_gone: Callable[[], None],
    ) -> None:
        """Answer the request, and take the connection over."""


class Opener(Protocol):
    """The side of the sockets."""

    def negotiate(self, headers: Iterable[tuple[str, str]], *, bot: bool) -> Opening:
        """Raises Refused: `upgrade-required`, `bad-request`."""


class SocketResource:
    """Checks upgrade requests, and hands their connections over to the sockets.

    Args:
        opener: takes them.
        login_verifier: knows who shows credentials.
        source: knows where requests come from.
        origins: knows other sites' pages.
        identify_s: seconds that it may take to find out who shows credentials.
    """

    def __init__(
        self, opener: Opener, login_verifier: LoginVerifier, source: RequestSource, origins: Origins, identify_s: float
    ) -> None:
        self._identify_s = identify_s
        self._opener = opener
        self._login_verifier = login_verifier
        self._source = source
        self._origins = origins

    async def open(self, request: web.BaseRequest) -> web.StreamResponse:
        """Raises ApiError and Refused."""
        if request.method != hdrs.METH_GET:
            raise ApiError(ErrorCode.METHOD_NOT_ALLOWED, "a socket is opened by GET", headers={"Allow": "GET"})
        self._origins.check_socket(request)
        if request.version < HttpVersion11:
            raise ApiError(ErrorCode.UPGRADE_REQUIRED, "a socket is opened by HTTP/1.1", headers=UPGRADE)
        if request.body_exists:
            raise ApiError(ErrorCode.BAD_REQUEST, "this request has no body")
        opening = self._negotiate(request)
        address = self._source.visit(request).address
        credentials = self._credentials(request)
        identity = await self._identify(credentials, address) if credentials else None
        return self._hand_over(request, opening, address, identity)

    def _negotiate(self, request: web.BaseRequest) -> Opening:
        bot = request.query.getall("bot", []) in (["1"], ["true"])
        try:
            return self._opener.negotiate(request.headers.items(), bot=bot)
        except Refused as refused:
            headers = UPGRADE if refused.code is ErrorCode.UPGRADE_REQUIRED else {}
            raise ApiError(refused.code, refused.message, headers=headers) from None

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
        self, request: web.BaseRequest, opening: Opening, address: str, identity: Identity | LapsedLogin | None
    ) -> web.StreamResponse:
        transport = request.transport
        connection = None if transport is None else transport.get_protocol()
        if not isinstance(connection, HttpConnection):
            return _NoAnswer()
        accepted = connection.accepted
        if not accepted.claim(address):
            headers = {"Retry-After": RETRY_S}
            raise ApiError(ErrorCode.BUSY, "too many connections from this address", headers=headers)
        transport, early = connection.release()
        opening.begin(transport, accepted.account, address, identity, early, accepted.gone)
        return _NoAnswer()


class _NoAnswer(web.StreamResponse):
    """Stands for an answer that the sockets have sent, or that nobody waits for any more."""

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        return request.writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to send."""
