"""`GET /health/live`, `GET /health/ready` and `GET /metrics`, for whoever operates the server."""

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

__all__ = ["HealthResource"]


class HealthResource:
    """Live while the loop answers; ready until the server begins to stop."""

    def __init__(self, is_ready: Callable[[], bool], metrics: CollectorRegistry) -> None:
        self._is_ready = is_ready
        self._metrics = metrics

    async def live(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "live"})

    async def ready(self, _request: web.Request) -> web.Response:
        if self._is_ready():
            return web.json_response({"status": "ready"})
        return web.json_response({"status": "stopping"}, status=503)

    async def metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._metrics), headers={"Content-Type": CONTENT_TYPE_LATEST})
