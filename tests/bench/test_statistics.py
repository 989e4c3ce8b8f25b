import numpy as np
import pytest

from bench.statistics import LEVELS, summarise


def test_summarise_of_a_thousand_values_gives_order_statistics() -> None:
    seconds = np.arange(1, 1001) / 1e3
    np.random.default_rng(1).shuffle(seconds)
    summary = summarise(seconds)
    assert summary.count == 1000
    assert (summary.p50, summary.p90, summary.p99, summary.p999, summary.max) == (500, 900, 990, 999, 1000)
    assert summary.mean == pytest.approx(500.5)


def test_summarise_quantiles_stand_at_the_levels_and_ascend() -> None:
    summary = summarise(np.random.default_rng(2).random(10_000))
    assert len(summary.quantiles) == len(LEVELS)
    assert summary.quantiles == sorted(summary.quantiles)
    assert summary.quantiles[-1] == summary.max


def test_summarise_of_nothing_is_zero() -> None:
    summary = summarise(np.array([]))
    assert (summary.count, summary.p99, summary.quantiles) == (0, 0.0, [])
