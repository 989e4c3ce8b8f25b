"""When rooms flush: at the end of the tick while the loop is idle, a few milliseconds later as it fills.

Most of a delivery's cost is the kernel sending; under load, fewer and larger writes are worth more than any other
saving. So the interval between flushes is zero up to `IDLE` of a core and grows to its maximum at `FULL`.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from time import perf_counter, thread_time
from typing import Final, Protocol

from rhythmd.telemetry import Stats

__all__ = ["Flushable", "Pacer"]

SAMPLE_S: Final = 0.05
SMOOTHING: Final = 0.25
IDLE: Final = 0.15
FULL: Final = 0.25
JOBS_S: Final = 0.001
"""In each tick, for jobs that can wait; one of them may take longer."""


class Flushable(Protocol):
    """A room that has something to write at the end of the tick."""

    def flush(self) -> None: ...


class Pacer:
    """Collects what waits to be flushed and flushes it all together."""

    def __init__(self, loop: asyncio.AbstractEventLoop, stats: Stats, max_interval_s: float) -> None:
        self._loop = loop
        self._stats = stats
        self._max_interval_s = max_interval_s
        self._interval_s = 0.0
        self._waiting: list[Flushable] = []
        self._first_at = 0.0
        self._last_at = 0.0
        self._jobs: deque[Callable[[], None]] = deque()
        self._is_working = False
        self._sampler: asyncio.TimerHandle | None = None
        self._sampled = (perf_counter(), thread_time())

    def start(self) -> None:
        """Begin to watch how busy the loop is."""
        self._sampled = (perf_counter(), thread_time())
        self._sampler = self._loop.call_later(SAMPLE_S, self._sample)

    def stop(self) -> None:
        if self._sampler is not None:
            self._sampler.cancel()

    def mark(self, room: Flushable) -> None:
        """`room` has its first block of this tick. On the hot path."""
        self._waiting.append(room)
        if len(self._waiting) > 1:
            return
        now = self._first_at = perf_counter()
        delay = self._last_at + self._interval_s - now
        if delay <= 0.0:
            self._loop.call_soon(self._flush)
        else:
            self._loop.call_later(delay, self._flush)

    def count_flush(self, blocks: int) -> None:
        """A room's `blocks` go out as one message. On the hot path."""
        self._stats.flush_blocks.observe(blocks)

    def count_played(self, events: int) -> None:
        """So many events, counted once a listener, go out that no client sent."""
        self._stats.events_out += events

    def count_told(self, listeners: int) -> None:
        """A message that is no music goes to so many."""
        self._stats.deliveries += listeners

    def soon(self, callback: Callable[[], None]) -> None:
        """Run `callback` when the loop has served whoever is ready now."""
        self._loop.call_soon(callback)

    def in_turn(self, job: Callable[[], None]) -> None:
        """Run `job` soon, behind those that were given before: what comes all at once is no long tick for others."""
        self._jobs.append(job)
        if not self._is_working:
            self._is_working = True
            self._loop.call_soon(self._work)

    def _work(self) -> None:
        """Do the jobs of a moment; others have their turn before the next ones."""
        jobs, until = self._jobs, perf_counter() + JOBS_S
        try:
            while jobs and perf_counter() < until:
                jobs.popleft()()
        finally:
            self._is_working = bool(jobs)
            if jobs:
                self._loop.call_soon(self._work)

    def later(self, delay_s: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Run `callback` after `delay_s` seconds."""
        return self._loop.call_later(delay_s, callback)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for room in waiting:
            room.flush()
        self._last_at = now = perf_counter()
        self._stats.latency.observe(now - self._first_at)

    def _sample(self) -> None:
        wall, cpu = perf_counter(), thread_time()
        elapsed = wall - self._sampled[0]
        busy = (cpu - self._sampled[1]) / elapsed
        self._sampled = (wall, cpu)
        stats = self._stats
        stats.loop_lag = max(0.0, elapsed - SAMPLE_S)
        stats.loop_busy += SMOOTHING * (busy - stats.loop_busy)
        fill = (stats.loop_busy - IDLE) / (FULL - IDLE)
        self._interval_s = self._max_interval_s * min(1.0, max(0.0, fill))
        self._sampler = self._loop.call_later(SAMPLE_S, self._sample)
