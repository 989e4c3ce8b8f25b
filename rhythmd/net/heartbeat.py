"""Finds the silent connections without a timer or a clock reading per connection.

Each connection only remembers that it was heard. Several times in a ping interval it is looked at, and forgets it.
"""

import asyncio
from math import ceil
from typing import Final, Protocol

__all__ = ["Heartbeat", "Watched"]

SWEEPS_PER_PING: Final = 4
PARTS: Final = 10  # a sweep is spread over so many ticks


class Watched(Protocol):
    """A connection as the heartbeat sees it."""

    def check_silence(self, sweeps_to_ping: int, sweeps_to_close: int) -> None: ...


class Heartbeat:
    """Visits every connection four times in `ping_interval_s`, a tenth of them at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ping_interval_s: float, silence_s: float) -> None:
        self._loop = loop
        sweep_s = ping_interval_s / SWEEPS_PER_PING
        self._tick_s = sweep_s / PARTS
        self._sweeps_to_close = ceil(silence_s / sweep_s)
        self._parts: list[set[Watched]] = [set() for _ in range(PARTS)]
        self._turn = 0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._timer = self._loop.call_later(self._tick_s, self._tick)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def add(self, connection: Watched) -> None:
        self._parts[self._part(connection)].add(connection)

    def discard(self, connection: Watched) -> None:
        self._parts[self._part(connection)].discard(connection)

    def _part(self, connection: Watched) -> int:
        return hash(connection) % PARTS

    def _tick(self) -> None:
        self._turn = (self._turn + 1) % PARTS
        for connection in list(self._parts[self._turn]):
            connection.check_silence(SWEEPS_PER_PING, self._sweeps_to_close)
        self.start()
