"""Loggers by name, and the counters that `/metrics` shows.

The hot path only adds to plain integers; prometheus_client sees them when somebody asks (`StatsCollector`).
"""

import logging
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from time import monotonic
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from rhythmd.bounded import BoundedDict
from rhythmd.terminal import printable

__all__ = [
    "Histogram",
    "OutageLog",
    "Repeats",
    "Stats",
    "StatsCollector",
    "auth_log",
    "hub_log",
    "net_log",
    "request_id",
    "rest_log",
    "server_log",
    "setup_logging",
    "store_log",
]

server_log: Final = logging.getLogger("rhythmd.server")
net_log: Final = logging.getLogger("rhythmd.net")
hub_log: Final = logging.getLogger("rhythmd.hub")
rest_log: Final = logging.getLogger("rhythmd.rest")
auth_log: Final = logging.getLogger("rhythmd.auth")
store_log: Final = logging.getLogger("rhythmd.store")

LATENCY_BOUNDS_S: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
FLUSH_BOUNDS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)


request_id: Final = ContextVar("request_id", default="-")
"""The id of the HTTP request that is being answered; a dash elsewhere."""


def _add_request_id(record: logging.LogRecord) -> bool:
    record.request_id = request_id.get()
    return True


class Repeats(logging.Filter):
    """Lets only some lines of one kind through in a while, and counts the others: a flood of them helps nobody.

    Lines are of one kind if their logger wrote them with the same text, whatever stands in its gaps. The first one of
    the next while says how many were left out.

    Args:
        most: lines of one kind in a while.
        while_s: seconds.
        now: tells the time, in seconds.
    """

    def __init__(self, most: int = 20, while_s: float = 10.0, now: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self._most = most
        self._while_s = while_s
        self._now = now
        self._kinds: BoundedDict[tuple[str, object], list[float]] = BoundedDict(1_000)  # since when, how many

    def filter(self, record: logging.LogRecord) -> bool:
        kind, now = (record.name, record.msg), self._now()
        since, count = self._kinds.get(kind, (now, 0))
        if now - since >= self._while_s:
            if count > self._most:
                record.msg = f"{record.msg} (and {count - self._most:.0f} more like the one before)"
            since, count = now, 0
        self._kinds[kind] = [since, count + 1]
        return count < self._most


class _Lines(logging.Formatter):
    """Writes messages of which no line looks like another message, whatever strangers put into it."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        record.message = "\n    ".join(map(printable, record.message.split("\n")))
        return super().formatMessage(record)


def setup_logging(level: str) -> None:
    """Log to standard error at `level` (a name of the logging module), each line with its request's id."""
    form = "%(asctime)s %(levelname)s %(name)s [%(request_id)s]: %(message)s"
    logging.basicConfig(level=level, format=form)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_Lines(form))
        handler.addFilter(_add_request_id)
        handler.addFilter(Repeats())
    # Its per-connection lines repeat ours.
    logging.getLogger("websockets").setLevel(logging.WARNING)


class OutageLog:
    """Logs that a database is away: once when it goes, once when it is back.

    Args:
        name: of the database, for people.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._away = False

    @property
    def is_on(self) -> bool:
        """Whether the last call failed."""
        return self._away

    def began(self, error: Exception) -> None:
        """A call failed because of the database."""
        if not self._away:
            store_log.error("%s is away: %s", self._name, error)
        self._away = True

    def over(self) -> None:
        """A call went well."""
        if self._away:
            store_log.warning("%s is back", self._name)
        self._away = False


class Histogram:
    """Counts of values at or under each bound; the last count is for those above all."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def cumulative(self) -> list[tuple[str, float]]:
        """Prometheus' buckets: (upper bound, count of values at or under it)."""
        buckets: list[tuple[str, float]] = []
        seen = 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            seen += count
            buckets.append((bound, float(seen)))
        return buckets


class Stats:
    """The server's counters. One writer, the event loop."""

    __slots__ = (
        "bytes_in",
        "closes",
        "connections_opened",
        "deliveries",
        "events_in",
        "events_out",
        "flush_blocks",
        "given_up",
        "latency",
        "loop_busy",
        "loop_lag",
        "refusals",
        "slowed",
        "throttled",
    )

    def __init__(self) -> None:
        self.connections_opened = 0
        self.bytes_in = 0
        self.deliveries = 0
        self.events_in = 0
        self.events_out = 0
        self.throttled = 0
        self.flush_blocks = Histogram(FLUSH_BOUNDS)
        self.latency = Histogram(LATENCY_BOUNDS_S)
        self.loop_busy = 0.0
        self.loop_lag = 0.0
        self.refusals: Counter[str] = Counter()
        self.closes: Counter[str] = Counter()
        self.slowed: Counter[str] = Counter({"input": 0, "client": 0, "network": 0})
        self.given_up: Counter[str] = Counter()


class StatsCollector(Collector):
    """Shows `Stats` and a few live gauges to prometheus_client.

    Args:
        stats: the counters.
        gauges: name -> (help, function that returns the value now).
        waiting: gives the bytes that wait for somebody, by kind.
    """

    def __init__(
        self,
        stats: Stats,
        gauges: Mapping[str, tuple[str, Callable[[], float]]],
        waiting: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        self._stats = stats
        self._gauges = gauges
        self._waiting = waiting

    def collect(self) -> Iterator[Metric]:
        yield from self._collect_gauges()
        yield from self._collect_counters()
        yield from self._collect_histograms()

    def _collect_gauges(self) -> Iterator[Metric]:
        stats = self._stats
        yield GaugeMetricFamily("rhythmd_loop_lag_seconds", "How late a timer fired, last", stats.loop_lag)
        yield GaugeMetricFamily("rhythmd_loop_busy_ratio", "Loop thread's share of a core", stats.loop_busy)
        for name, (text, read) in self._gauges.items():
            yield GaugeMetricFamily(f"rhythmd_{name}", text, read())
        waiting = GaugeMetricFamily("rhythmd_waiting_bytes", "Memory of what waits for somebody", labels=["kind"])
        for kind, size in self._waiting().items():
            waiting.add_metric([kind], size)
        yield waiting

    def _collect_counters(self) -> Iterator[Metric]:
        stats = self._stats
        for name, text, value in (
            ("connections_opened", "Sockets that completed the handshake", stats.connections_opened),
            ("received_bytes", "Bytes from WebSocket peers", stats.bytes_in),
            ("deliveries", "Control messages to rooms, counted once a listener", stats.deliveries),
            ("events_in", "MIDI events accepted", stats.events_in),
            ("events_out", "MIDI events handed to listeners' sockets", stats.events_out),
            ("throttled", "Times that a client was throttled for reading too slowly", stats.throttled),
        ):
            yield CounterMetricFamily(f"rhythmd_{name}", text, value)
        for name, text, label, counts in (
            ("refusals", "Refused messages by code", "code", stats.refusals),
            ("closes", "Sockets closed by the server, by name", "code", stats.closes),
            (
                "slowed",
                "Times of 50 ms or more that a client waited for its turn, by whose limit",
                "code",
                stats.slowed,
            ),
            ("given_up", "What was given up because more waited than may", "kind", stats.given_up),
        ):
            family = CounterMetricFamily(f"rhythmd_{name}", text, labels=[label])
            for code, count in counts.items():
                family.add_metric([code], count)
            yield family

    def _collect_histograms(self) -> Iterator[Metric]:
        for name, text, histogram in (
            ("ingress_to_write_seconds", "From a tick's first event to its write", self._stats.latency),
            ("flush_blocks", "Blocks joined into one flush", self._stats.flush_blocks),
        ):
            yield HistogramMetricFamily(f"rhythmd_{name}", text, histogram.cumulative(), histogram.total)
