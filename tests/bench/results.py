"""Results of runs that never were, to report on."""

import numpy as np

from bench.load.spec import GroupResult, LoadResult
from bench.statistics import summarise

__all__ = ["load_result"]


def load_result(cost_us: float = 10.0, p99_ms: float = 5.0, delivered: int = 1_000, missing: int = 0) -> LoadResult:
    """A run of one second; every latency is `p99_ms`."""
    latency = summarise(np.full(100, p99_ms / 1e3))
    group = GroupResult(100, delivered + missing, delivered, missing, 0, 0, 0, latency)
    return LoadResult(
        groups={"all": group},
        window=1.0,
        delivered_in_window=delivered,
        lateness=summarise(np.full(100, 1e-4)),
        load_cpu=0.5,
        server_cpu=cost_us * delivered / 1e6,
        other_cpu=0.0,
    )
