"""`GET /health/live`, `GET /health/ready` and `GET /metrics`, for whoever operates the server."""

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

__all__ = ["HealthResource"]


class HealthResource:
    """Live while the loop answers; ready while the store does, too, until the server begins to stop."""

    def __init__(self, why_not_ready: Callable[[], str | None], metrics: CollectorRegistry) -> None:
        self._why_not_ready = why_not_ready
        self._metrics = metrics

    async def live(self, _request: web.BaseRequest) -> web.Response:
        return web.json_response({"status": "live"})

    async def ready(self, _request: web.BaseRequest) -> web.Response:
        reason = self._why_not_ready()
        return web.json_response({"status": reason or "ready"}, status=503 if reason else 200)

    async def metrics(self, _request: web.BaseRequest) -> web.Response:
        return web.Response(body=generate_latest(self._metrics), headers={"Content-Type": CONTENT_TYPE_LATEST})
