"""Around every request: its id, the headers of its answer, and the end of whatever went wrong."""

import secrets
from collections.abc import Iterator
from itertools import count
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from multidict import CIMultiDict

from rhythmd.rest.codes import ApiErrorCode
from rhythmd.rest.envelope import translate
from rhythmd.rest.handover import Handover
from rhythmd.rest.origins import Origins
from rhythmd.rest.rates import Allowance
from rhythmd.rest.reports import Reports
from rhythmd.rest.visitors import Visitors
from rhythmd.telemetry import request_id, rest_log

__all__ = ["ALLOWANCE", "around"]

ALLOWANCE: Final = web.RequestKey("allowance", Allowance)
HSTS: Final = "max-age=31536000"
POLICY: Final = "Content-Security-Policy"
NOTHING: Final = "default-src 'none'; frame-ancestors 'none'"
"""The policy of answers that are no pages."""

SECURITY: Final = CIMultiDict(
    {
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Embedder-Policy": "require-corp",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
)


def around(origins: Origins, visitors: Visitors, reports: Reports) -> Middleware:
    """The only middleware.

    Args:
        origins: of pages that may read answers.
        visitors: tells who came through TLS.
        reports: of failures that nobody expected.
    """

    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return origins.preflight(request) or await handler(request)
        except Exception as error:  # noqa: BLE001 - the one place where a request's failure ends
            return _failed(request, error, reports)

    ids = _ids()

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        id_ = next(ids)
        reset = request_id.set(id_)
        connection = _handover(request)
        if connection is not None:
            connection.request_began()
        try:
            response = await answer(request, handler)
        finally:
            request_id.reset(reset)
            if connection is not None:
                connection.request_ended()
        headers = response.headers
        headers.extend(SECURITY)
        if POLICY not in headers:
            headers[POLICY] = NOTHING
        headers["X-Request-Id"] = id_
        headers.extend(origins.headers(request))
        if ALLOWANCE in request:
            headers.extend(request[ALLOWANCE].headers())
        if visitors.came_through_tls(request):
            headers["Strict-Transport-Security"] = HSTS
        return response

    return middleware


def _ids() -> Iterator[str]:
    """Ids that no other request has, here or after a restart: a system call for each would be felt."""
    process = secrets.token_hex(4)
    return (f"{process}{number & 0xFFFFFFFF:08x}" for number in count())


def _handover(request: web.Request) -> Handover | None:
    """What stands between the request's connection and aiohttp; None when the connection is gone."""
    transport = request.transport
    protocol = None if transport is None else transport.get_protocol()
    return protocol if isinstance(protocol, Handover) else None


def _failed(request: web.Request, error: Exception, reports: Reports) -> web.Response:
    """What the visitor is told. What we did not expect is logged whole, and shown to nobody."""
    told = translate(error)
    if told.code is ApiErrorCode.INTERNAL_ERROR:
        rest_log.error("%s %s failed", request.method, request.path, exc_info=error)
        reports.report(request.method, request.path, error)
    return told.response(request_id.get())
