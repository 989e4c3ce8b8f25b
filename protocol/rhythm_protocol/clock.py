"""The server's clock as a client can know it, learnt from clock exchanges. Pure: every time comes in as an argument.

An exchange has four times, as in NTP (RFC 5905, section 8) and AppleMIDI: t1 and t4 on the client's clock, when the
question left and when the answer came, t2 and t3 on the server's, when it got the one and sent the other:

    offset     = ((t2 - t1) + (t3 - t4)) / 2        server's clock = client's clock + offset
    round trip = (t4 - t1) - (t3 - t2)

The offset is wrong by at most half the round trip. So only the exchanges with the shortest round trips are used, and
each of them has the inverse square of its round trip as its weight.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

__all__ = ["ClockEstimate", "ClockEstimator", "ClockExchange", "unwrap_ms"]

_WINDOW: Final = 40  # exchanges: two minutes, at one in 3 s
_BEST_SHARE: Final = 4  # one exchange in so many is used
_DRIFT_SPAN_US: Final = 30_000_000  # over less time the noise of the offsets is larger than any real drift
_MAX_DRIFT: Final = 500e-6  # RFC 5905, section 11.3: no working oscillator is further off
_JITTER_QUANTILE: Final = 0.95
_WRAP: Final = 2**32


class ClockExchange(NamedTuple):
    """The four times t1 to t4, in microseconds."""

    sent_us: int
    received_us: int
    answered_us: int
    arrived_us: int

    @property
    def offset_us(self) -> float:
        return ((self.received_us - self.sent_us) + (self.answered_us - self.arrived_us)) / 2

    @property
    def round_trip_us(self) -> int:
        return (self.arrived_us - self.sent_us) - (self.answered_us - self.received_us)

    @property
    def middle_us(self) -> float:
        """The moment on the client's clock that the offset is true for."""
        return (self.sent_us + self.arrived_us) / 2

    @property
    def weight(self) -> float:
        return 1 / max(1, self.round_trip_us) ** 2


class ClockEstimate(NamedTuple):
    """The server's clock, as far as a client knows it.

    Attributes:
        reference_us: the moment on the client's clock at which `offset_us` holds.
        offset_us: server's clock minus client's clock at that moment.
        drift: by how much the server's clock runs faster, in seconds a second.
        round_trip_us: the shortest one of the window.
        jitter_us: by how much 95 of 100 round trips at most exceed the shortest.
    """

    reference_us: float
    offset_us: float
    drift: float
    round_trip_us: int
    jitter_us: float

    def server_us(self, local_us: float) -> float:
        """The server's clock when the client's shows `local_us`."""
        return local_us + self.offset_us + self.drift * (local_us - self.reference_us)

    def local_us(self, server_us: float) -> float:
        """The client's clock when the server's shows `server_us`."""
        return self.reference_us + (server_us - self.reference_us - self.offset_us) / (1 + self.drift)


class ClockEstimator:
    """The latest exchanges with one server, and the estimate of its clock from the best of them."""

    __slots__ = ("_window",)

    def __init__(self) -> None:
        self._window: list[ClockExchange] = []

    def add(self, exchange: ClockExchange) -> ClockEstimate:
        """The estimate, with one more exchange."""
        self._window = [*self._window[1 - _WINDOW :], exchange]
        ranked = sorted(self._window, key=lambda exchange: exchange.round_trip_us)
        best = ranked[: max(1, len(ranked) // _BEST_SHARE)]
        shortest = best[0].round_trip_us
        slowest = ranked[int(_JITTER_QUANTILE * (len(ranked) - 1))].round_trip_us
        return ClockEstimate(
            reference_us=_mean(best, [exchange.middle_us for exchange in best]),
            offset_us=_mean(best, [exchange.offset_us for exchange in best]),
            drift=_drift(best),
            round_trip_us=shortest,
            jitter_us=slowest - shortest,
        )


def _mean(exchanges: Sequence[ClockExchange], values: Sequence[float]) -> float:
    """The mean of the exchanges' values, by their weight."""
    weights = [exchange.weight for exchange in exchanges]
    return sum(weight * value for weight, value in zip(weights, values, strict=True)) / sum(weights)


def _drift(exchanges: Sequence[ClockExchange]) -> float:
    """The slope of the line through the offsets by least squares; 0 when they lie too close together in time."""
    moments = [exchange.middle_us for exchange in exchanges]
    if max(moments) - min(moments) < _DRIFT_SPAN_US:
        return 0.0
    offsets = [exchange.offset_us for exchange in exchanges]
    moment, offset = _mean(exchanges, moments), _mean(exchanges, offsets)
    products = [(x - moment) * (y - offset) for x, y in zip(moments, offsets, strict=True)]
    squares = [(x - moment) ** 2 for x in moments]
    slope = _mean(exchanges, products) / _mean(exchanges, squares)
    return max(-_MAX_DRIFT, min(_MAX_DRIFT, slope))


def unwrap_ms(wire_ms: int, near_ms: int) -> int:
    """The time in ms that stands as `wire_ms` (modulo 2^32) on the wire and lies nearest to `near_ms`."""
    ahead = (wire_ms - near_ms) % _WRAP
    return near_ms + (ahead if ahead < _WRAP // 2 else ahead - _WRAP)
