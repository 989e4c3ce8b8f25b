"""Builds the HTTP side and hands its protocol to the listener."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry

from rhythm_protocol.errors import ErrorCode
from rhythmd.auth.service import Auth
from rhythmd.avatars.service import Avatars
from rhythmd.config import Config
from rhythmd.fairness.turns import Turns
from rhythmd.hub.hub import Hub
from rhythmd.hub.ports import LoginVerifier
from rhythmd.ports import Store
from rhythmd.rest.resources.inputs import FORMS
from rhythmd.rest.resources.site import DocsResource, HealthResource, PageResource
from rhythmd.rest.resources.socket import Opener, SocketResource
from rhythmd.rest.serving.connection import Accepted, HttpConnection
from rhythmd.rest.serving.dispatcher import Dispatcher
from rhythmd.rest.serving.envelope import ApiError
from rhythmd.rest.serving.guard import Endpoint, RequestGuard
from rhythmd.rest.serving.origins import Origins
from rhythmd.rest.serving.paths import PathMatcher, PathRow
from rhythmd.rest.serving.protocol import HttpProtocol, request_factory
from rhythmd.rest.serving.rates import Rates
from rhythmd.rest.serving.reports import Reports
from rhythmd.rest.serving.source import PublicUrls, RequestSource
from rhythmd.rest.serving.uploads import UploadReader
from rhythmd.rest.table import Table, route_table
from rhythmd.sheets.library import SheetLibrary
from rhythmd.workers.scratch import ScratchFolder

__all__ = ["RestSide"]

RETRY_S: Final = "10"


class RestSide:
    """The HTTP half of the process. Build it inside the event loop that it shall run in.

    Args:
        config: all of it.
        hub: its rooms, sessions and recordings.
        auth: the services around accounts.
        store: of accounts, rooms and the audit.
        library: of sheet music.
        avatars: of accounts.
        why_not_ready: why no new players should be sent here; None if they may.
        metrics: what `/metrics` shows.
        scratch: where uploads are until they are answered.
        opener: takes over connections that ask for a socket.
        login_verifier: knows who is behind those.
        turns: of all connections.
    """

    def __init__(
        self,
        config: Config,
        hub: Hub,
        auth: Auth,
        store: Store,
        library: SheetLibrary,
        avatars: Avatars,
        why_not_ready: Callable[[], str | None],
        metrics: CollectorRegistry,
        scratch: ScratchFolder,
        opener: Opener,
        login_verifier: LoginVerifier,
        turns: Turns,
    ) -> None:
        self._turns = turns
        source = RequestSource(config.server)
        origins = Origins(config.server, source)
        self._reports = Reports(config.errors)
        self._limits = config.limits
        urls = PublicUrls(config.server.public_url, source)
        table = route_table(hub, auth, store, library, avatars, urls, config)
        rates, limits = Rates(config.limits), config.limits
        uploads = UploadReader(scratch, limits)
        guard = RequestGuard(auth.authenticator, rates, origins, source, limits, auth.auditor, FORMS, uploads)
        socket = SocketResource(
            opener,
            login_verifier,
            auth.traces,
            source,
            origins,
            limits.handshake_s,
            config.rooms.ban_browser_days,
            turns,
        )
        self._socket = socket
        page = PageResource(source, config.rooms.ban_browser_days)
        docs = DocsResource(table, urls.base, config.rooms.max_players)
        site = _site(page, docs, HealthResource(why_not_ready, metrics), socket)
        paths = PathMatcher([*_api(table, guard), *site], urls.prefix)
        self._dispatcher = Dispatcher(paths, origins, source, self._reports, turns)
        self._stop_s = config.server.stop_s / 2
        self._server = web.Server(
            self._dispatcher.answer,
            request_factory=request_factory(config.limits.body_bytes),
        )

    def start(self) -> None:
        self._reports.start()

    def refuse_sockets(self) -> None:
        """The server is going down."""
        self._socket.stop()

    async def stop(self) -> None:
        """Finish the requests under way, close the rest."""
        self._server.pre_shutdown()
        await self._server.shutdown(self._stop_s)
        await self._reports.stop()

    def protocol(self, accepted: Accepted) -> asyncio.Protocol:
        """aiohttp's protocol for one accepted connection."""
        limits = self._limits
        protocol = HttpProtocol(self._server, self._dispatcher, limits.keep_alive_s)
        return HttpConnection(protocol, accepted, self._turns, limits.handshake_s, limits.unread_s)

    def refusal(self) -> bytes:
        """The answer to a connection that is one too many."""
        return self._dispatcher.refusal(
            ApiError(ErrorCode.BUSY, "too many connections", headers={"Retry-After": RETRY_S})
        )


def _api(table: Table, guard: RequestGuard) -> Iterator[PathRow]:
    return ((route.method, route.path, Endpoint(route, guard).handle) for route in table)


def _site(
    page: PageResource, docs: DocsResource, health: HealthResource, socket: SocketResource
) -> tuple[PathRow, ...]:
    return (
        ("GET", "/ws", socket.open),
        ("GET", "/", page.index),
        ("GET", "/static/{name}", page.static),
        ("GET", "/static/{version}/{name}", page.versioned),
        ("GET", "/api/v1/openapi.json", docs.openapi),
        ("GET", "/api/v1/docs", docs.page),
        ("GET", "/api/v1/docs/{name}", docs.file),
        ("GET", "/health/live", health.live),
        ("GET", "/health/ready", health.ready),
        ("GET", "/metrics", health.metrics),
    )
