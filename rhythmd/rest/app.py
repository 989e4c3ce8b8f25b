"""Builds the aiohttp application and hands its protocol to the listener."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler
from prometheus_client import CollectorRegistry

from rhythmd.hub.registry import Registry
from rhythmd.rest.envelope import error_middleware
from rhythmd.rest.health import HealthResource
from rhythmd.rest.pages import PagesResource
from rhythmd.rest.rooms import RoomsResource
from rhythmd.telemetry import rest_log

__all__ = ["RestSide"]

MAX_BODY_BYTES: Final = 1_048_576


def _is_our_mistake(record: logging.LogRecord) -> bool:
    """False for aiohttp's traceback about a request that is no HTTP: it was answered with 400, the peer erred."""
    return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)


http_log: Final = rest_log.getChild("http")
http_log.addFilter(_is_our_mistake)


class _Handover(asyncio.Protocol):
    """Passes everything on to aiohttp's protocol, and tells when the connection is gone."""

    def __init__(self, protocol: RequestHandler, on_gone: Callable[[], None]) -> None:
        self._protocol = protocol
        self._on_gone = on_gone

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._protocol.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self._protocol.data_received(data)

    def eof_received(self) -> None:
        self._protocol.eof_received()

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.connection_lost(exc)
        self._on_gone()


class RestSide:
    """The HTTP half of the process.

    Args:
        registry: the hub's rooms.
        is_ready: whether the server takes new players.
        metrics: what `/metrics` shows.
        stop_s: seconds that requests under way get when the server stops.
    """

    def __init__(
        self, registry: Registry, is_ready: Callable[[], bool], metrics: CollectorRegistry, stop_s: float
    ) -> None:
        application = web.Application(middlewares=[error_middleware], client_max_size=MAX_BODY_BYTES)
        rooms, health, pages = RoomsResource(registry), HealthResource(is_ready, metrics), PagesResource()
        application.add_routes(
            [
                web.get("/", pages.index),
                web.get("/static/{name}", pages.static),
                web.get("/api/v1/rooms/active", rooms.active),
                web.get("/api/v1/rooms/{id}", rooms.one),
                web.get("/health/live", health.live),
                web.get("/health/ready", health.ready),
                web.get("/metrics", health.metrics),
            ]
        )
        self._runner = web.AppRunner(application, access_log=None, logger=http_log, shutdown_timeout=stop_s)

    async def start(self) -> None:
        await self._runner.setup()

    async def stop(self) -> None:
        """Finish the requests under way, close the rest."""
        await self._runner.cleanup()

    def protocol(self, on_gone: Callable[[], None]) -> asyncio.Protocol:
        """aiohttp's protocol for one accepted connection; `on_gone` is called when it is lost."""
        server = self._runner.server
        assert server is not None, "start() comes first"  # noqa: S101
        return _Handover(server(), on_gone)
