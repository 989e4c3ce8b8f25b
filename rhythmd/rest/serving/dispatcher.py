"""What happens to every request: it gets an id, its handler, the headers of its answer; whatever fails ends here."""

import asyncio
import re
import secrets
from collections.abc import Coroutine, Iterator
from itertools import count
from typing import Any, Final, TypeVar

from aiohttp import HttpVersion11, hdrs, web
from multidict import CIMultiDict

from rhythm_protocol.errors import ErrorCode
from rhythmd.fairness.account import Account
from rhythmd.fairness.metering import TimeMeter, metered
from rhythmd.fairness.turns import Turns
from rhythmd.rest.serving.cached import SECURITY, CachedResponse, LastResponse, whole_answer
from rhythmd.rest.serving.envelope import ApiError, translate
from rhythmd.rest.serving.origins import Origins
from rhythmd.rest.serving.outlet import Outlet
from rhythmd.rest.serving.paths import PathMatcher
from rhythmd.rest.serving.rates import ALLOWANCE
from rhythmd.rest.serving.reports import Reports
from rhythmd.rest.serving.source import PEER, RequestSource, named_host
from rhythmd.telemetry import request_id, rest_log

__all__ = ["ACCOUNT", "Dispatcher"]

ResultT = TypeVar("ResultT")

CLOSE: Final = "close"
RETRY: Final = {"Retry-After": "10"}
HSTS: Final = "max-age=31536000"
# RFC 9110, 7.2, and RFC 3986, 3.2.2: a name, an IPv4 address, or an IPv6 address in brackets.
MOST_PORT: Final = 65_535
HOST: Final = re.compile(r"(?:[\w.~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.]+\])(?::0*(?P<port>\d{0,5}))?", re.ASCII)

ACCOUNT: Final = web.RequestKey("account", Account)
"""Of the sender of a request, who pays for it and its answer."""


class Dispatcher:
    """Gives every request to its handler. Here aiohttp's part ends: it calls `answer`.

    Args:
        paths: knows the handlers.
        origins: of pages that may read answers.
        source: tells which requests came through TLS.
        reports: of failures that nobody expected.
        turns: of all connections.
    """

    def __init__(
        self, paths: PathMatcher, origins: Origins, source: RequestSource, reports: Reports, turns: Turns
    ) -> None:
        self._paths = paths
        self._origins = origins
        self._source = source
        self._reports = reports
        self._turns = turns
        self._ids = _ids()
        self.loop = asyncio.get_running_loop()

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.version.major != 1:
            return LastResponse(
                self.refusal(ApiError(ErrorCode.HTTP_VERSION_NOT_SUPPORTED, "this server speaks HTTP/1.1"))
            )
        id_ = next(self._ids)
        request_id.set(id_)  # for this request alone: aiohttp gives each one a task, and so a context
        transport = request.transport
        if isinstance(transport, Outlet):
            request[PEER] = transport.peer
        try:
            response = await self._in_turn(request)
        except Exception as error:  # noqa: BLE001 - the one place where a request's failure ends
            response = self._failed(request, error)
        if response.headers.get(hdrs.CONNECTION) == CLOSE:
            response.force_close()
        headers = self._headers(request, id_)
        if isinstance(response, CachedResponse):
            response.more = headers
        else:
            response.headers.extend(headers)
            _secure(response.headers)
        return response

    def refusal(self, error: ApiError) -> bytes:
        """The whole answer to a connection whose requests nobody reads."""
        id_ = next(self._ids)
        headers = (("X-Request-Id", id_), (hdrs.CONNECTION, "close"), *error.all_headers.items())
        return whole_answer(error.code.status, headers, error.body(id_))

    async def _in_turn(self, request: web.BaseRequest) -> web.StreamResponse:
        """Handle the request when it may be, on the account of whoever sent it, through a proxy or not."""
        outlet = request.transport
        if not isinstance(outlet, Outlet):
            return await self._handle(request)
        address = self._source.visit(request).address
        account = outlet.account
        if address != outlet.peer.address:
            if not outlet.serve(address):
                raise ApiError(ErrorCode.BUSY, "too many requests of this address at once", headers=RETRY)
            account = self._turns.account(address)
        request[ACCOUNT] = account
        return await metered(self._handle(request), TimeMeter(account), self._turns)

    async def paid_by(self, request: web.BaseRequest, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        """What `work` returns, which whoever sent the request pays for."""
        return await metered(work, TimeMeter(request.get(ACCOUNT)), self._turns)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        hosts = request.headers.getall(hdrs.HOST, [])
        names = hosts if request.raw_path.startswith("/") else [*hosts, named_host(request)]
        if len(hosts) > 1 or not all(map(_is_host, names)):
            raise ApiError(ErrorCode.BAD_REQUEST, "Host is not a name and perhaps a port")
        _check_framing(request)
        if request.method == hdrs.METH_OPTIONS:
            preflight = self._origins.preflight(request)
            if preflight is not None:
                return preflight
        return await self._paths.handler(request)(request)

    def _headers(self, request: web.BaseRequest, id_: str) -> list[tuple[str, str]]:
        headers = [("X-Request-Id", id_), *self._origins.headers(request)]
        allowance = request.get(ALLOWANCE)
        if allowance is not None:
            headers += allowance.headers()
        if self._source.came_through_tls(request):
            headers.append(("Strict-Transport-Security", HSTS))
        return headers

    def _failed(self, request: web.BaseRequest, error: Exception) -> web.Response:
        """What the visitor is told. What we did not expect is logged whole, and shown to nobody."""
        if isinstance(error, ConnectionError) and request.transport is None:
            rest_log.info("%s %s: its client went away", request.method, request.path)
            return ApiError(ErrorCode.BAD_REQUEST, "the connection broke off").response(request_id.get())
        told = translate(error)
        if told.code is ErrorCode.INTERNAL_ERROR:
            rest_log.error("%s %s failed", request.method, request.path, exc_info=error)
            self._reports.report(request.method, request.path, error)
        return told.response(request_id.get())


def _ids() -> Iterator[str]:
    """Ids that no other request has, here or after a restart: a system call for each would be felt."""
    process = secrets.token_hex(4)
    return (f"{process}{number & 0xFFFFFFFF:08x}" for number in count())


def _is_host(text: str) -> bool:
    found = HOST.fullmatch(text)
    return found is not None and int(found["port"] or 0) <= MOST_PORT


def _check_framing(request: web.BaseRequest) -> None:
    """Refuse a body that may end elsewhere for others, or that is coded in a way that is not known (RFC 9112, 6)."""
    codings = request.headers.getall(hdrs.TRANSFER_ENCODING, None)
    if codings is None:
        return
    headers = {"Connection": CLOSE}
    if request.version < HttpVersion11 or hdrs.CONTENT_LENGTH in request.headers:
        message = "Transfer-Encoding comes by HTTP/1.1, and without Content-Length"
        raise ApiError(ErrorCode.BAD_REQUEST, message, headers=headers)
    if [coding.lower() for coding in codings] != ["chunked"]:
        raise ApiError(ErrorCode.NOT_IMPLEMENTED, "the only transfer coding here is chunked", headers=headers)


def _secure(headers: CIMultiDict[str]) -> None:
    for name, value in SECURITY.items():
        headers.setdefault(name, value)
