"""This computer's clock, and the server's as far as it is known."""

from time import monotonic_ns
from typing import Final

from rhythm_protocol.clock import ClockEstimate, ClockEstimator, ClockExchange

__all__ = ["ServerClock", "local_us"]

_SLACK_US: Final = 50_000  # by how much an estimate may be wrong


def local_us() -> int:
    """This computer's clock, which only goes forward, in microseconds."""
    return monotonic_ns() // 1_000


class ServerClock:
    """The clock of one run of the server; it outlives a connection.

    Attributes:
        estimate: what is known of it, once there was an exchange.
    """

    estimate: ClockEstimate

    def __init__(self) -> None:
        self._estimator = ClockEstimator()

    def add(self, exchange: ClockExchange) -> None:
        """Take in one more exchange."""
        self.estimate = self._estimator.add(exchange)

    def may_show(self, server_us: int, since_us: int, until_us: int) -> bool:
        """Whether this clock can have shown `server_us` at some moment of that span of this computer's clock.

        It cannot after a restart that set the server's clock to another zero.
        """
        earliest = self.estimate.server_us(since_us) - _SLACK_US
        return earliest <= server_us <= self.estimate.server_us(until_us) + _SLACK_US

    def now_ms(self) -> int:
        """The server's time now, in milliseconds, not wrapped."""
        return self.server_ms(local_us())

    def server_ms(self, at_us: float) -> int:
        """The server's time in milliseconds when this computer's clock shows `at_us`."""
        return round(self.estimate.server_us(at_us) / 1_000)

    def local_us(self, server_ms: float) -> float:
        """This computer's clock when the server's shows `server_ms`."""
        return self.estimate.local_us(server_ms * 1_000)
