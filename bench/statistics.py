"""Summaries of many measurements: quantiles with the tail resolved, as plain numbers for JSON and charts."""

from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

__all__ = ["LEVELS", "Summary", "summarise"]

LEVELS: Final = tuple(
    [step / 50 for step in range(50)] + [0.985, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999, 0.99999, 1.0]
)


class Summary(Struct, frozen=True):
    """A distribution in milliseconds. `quantiles` stand at `LEVELS`; with nothing measured everything is 0."""

    count: int
    mean: float
    p50: float
    p90: float
    p99: float
    p999: float
    max: float
    quantiles: list[float]


def summarise(seconds: NDArray[np.float64]) -> Summary:
    """Summary of values in seconds; a quantile is the smallest value which that share does not exceed."""
    if not seconds.size:
        return Summary(0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, [])
    ordered = np.sort(seconds) * 1e3

    def at(levels: list[float]) -> list[float]:
        return [float(value) for value in np.quantile(ordered, levels, method="inverted_cdf")]

    p50, p90, p99, p999, longest = at([0.5, 0.9, 0.99, 0.999, 1.0])
    mean = float(ordered.mean())
    return Summary(ordered.size, mean, p50, p90, p99, p999, longest, at(list(LEVELS)))
