"""The only place that builds things. `Server.run` is the life of the process, top to bottom."""

import asyncio
import signal
from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry

from rhythmd.config import Config
from rhythmd.hub.hub import Hub
from rhythmd.hub.session import Session
from rhythmd.net.connection import Wiring
from rhythmd.net.heartbeat import Heartbeat
from rhythmd.net.listener import Listener
from rhythmd.rest.app import RestSide
from rhythmd.telemetry import Stats, StatsCollector, server_log

__all__ = ["Server"]

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
RECONNECT_AFTER_S: Final = 2.0


class Server:
    """One rhythmd process. Build it inside the event loop that it shall run in."""

    def __init__(self, config: Config) -> None:
        self._config = config
        loop = self._loop = asyncio.get_running_loop()
        stats = Stats()
        self._hub = Hub(config, stats, loop)
        self._rest = RestSide(
            self._hub.context.registry, self._is_ready, self._metrics(stats), config.server.stop_s / 2
        )
        heartbeat = Heartbeat(loop, config.limits.ping_interval_s, config.limits.silence_s)
        wiring: Wiring[Session] = Wiring(loop, config.limits, self._hub, stats, heartbeat)
        self._listener = Listener(wiring, self._rest.protocol)
        self._stopped = asyncio.Event()
        self.port = 0

    async def run(self, on_ready: Callable[[str], None]) -> None:
        """Start, serve until a signal or `request_stop`, stop. `on_ready` gets the server's address as a URL."""
        for number in SIGNALS:
            self._loop.add_signal_handler(number, self.request_stop)
        try:
            await self.start()
            on_ready(self.url)
            await self._stopped.wait()
            await self.stop()
        finally:
            for number in SIGNALS:
                self._loop.remove_signal_handler(number)

    async def start(self) -> None:
        """Raises OSError when the port cannot be had."""
        await self._rest.start()
        self._hub.start()
        self.port = await self._listener.start(self._config.server.host, self._config.server.port)
        server_log.info("listening on %s", self.url)

    def request_stop(self) -> None:
        self._stopped.set()

    async def stop(self) -> None:
        """No new connections, members told, buffers flushed, code 1012, out within `server.stop_s`."""
        server_log.info("stopping: %d connections", self._listener.connections)
        self._listener.stop_accepting()
        self._hub.stop(RECONNECT_AFTER_S)
        await asyncio.gather(self._rest.stop(), self._listener.drain(self._config.server.stop_s))
        server_log.info("stopped")

    @property
    def url(self) -> str:
        host = self._config.server.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def _is_ready(self) -> bool:
        return not self._hub.context.stopping

    def _metrics(self, stats: Stats) -> CollectorRegistry:
        registry = CollectorRegistry()
        context = self._hub.context
        gauges: dict[str, tuple[str, Callable[[], float]]] = {
            "connections": ("Open connections, HTTP included", lambda: self._listener.connections),
            "sessions": ("Connected WebSocket clients", lambda: len(context.sessions)),
            "rooms": ("Rooms", lambda: len(context.registry)),
            "players": ("Players in rooms", lambda: sum(len(room.members) for room in context.registry)),
        }
        registry.register(StatsCollector(stats, gauges))
        return registry
