"""The estimator of the server's clock, fed with exchanges over simulated ways."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhythm_protocol.clock import ClockEstimate, ClockEstimator, ClockExchange, unwrap_ms

SECOND = 1_000_000
OFFSET_US = 7_000_000_000


def exchange(sent_us: int, there_us: int, back_us: int, *, drift: float = 0.0) -> ClockExchange:
    """An exchange with a server whose clock is ahead by `OFFSET_US` and runs faster by `drift`; it thinks for 40 us."""

    def server(local_us: int) -> int:
        return round(local_us * (1 + drift)) + OFFSET_US

    answered_us = sent_us + there_us + 40
    return ClockExchange(sent_us, server(sent_us + there_us), server(answered_us), answered_us + back_us)


def estimate_of(exchanges: list[ClockExchange]) -> ClockEstimate:
    estimator = ClockEstimator()
    return [estimator.add(each) for each in exchanges][-1]


def test_exchange_with_equal_ways_gives_the_exact_offset() -> None:
    made = exchange(1_000, there_us=300, back_us=300)
    assert made.offset_us == OFFSET_US
    assert made.round_trip_us == 600


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 2**40))
def test_offset_is_wrong_by_half_the_round_trip_at_most(there_us: int, back_us: int, sent_us: int) -> None:
    estimate = estimate_of([exchange(sent_us, there_us, back_us)])
    assert abs(estimate.offset_us - OFFSET_US) <= (there_us + back_us) / 2 + 0.01  # of a float
    assert estimate.round_trip_us == there_us + back_us


def test_add_believes_the_short_round_trips() -> None:
    slow = [exchange(SECOND * second, there_us=90_000, back_us=500) for second in range(7)]
    estimate = estimate_of([*slow[:4], exchange(SECOND * 10, there_us=500, back_us=500), *slow[4:]])
    assert estimate.offset_us == pytest.approx(OFFSET_US, abs=10)
    assert estimate.round_trip_us == 1_000


def test_add_forgets_the_old_way_when_the_way_gets_longer() -> None:
    near = [exchange(SECOND * second, there_us=500, back_us=500) for second in range(10)]
    far = [exchange(SECOND * (10 + second), there_us=40_000, back_us=40_000) for second in range(40)]
    assert estimate_of([*near, *far]).round_trip_us == 80_000


@pytest.mark.parametrize("drift", [50e-6, -80e-6])
def test_drift_is_found_over_a_noisy_way(drift: float) -> None:
    random = Random(5)
    estimate = estimate_of(
        [
            exchange(3 * SECOND * turn, 2_000 + random.randrange(3_000), 2_000 + random.randrange(3_000), drift=drift)
            for turn in range(40)
        ]
    )
    assert estimate.drift == pytest.approx(drift, abs=20e-6)
    later_us = 130 * SECOND
    assert estimate.server_us(later_us) == pytest.approx(later_us * (1 + drift) + OFFSET_US, abs=1_500)


def test_drift_is_none_over_a_short_time() -> None:
    random = Random(5)
    burst = [exchange(100_000 * turn, random.randrange(9_000), random.randrange(9_000)) for turn in range(20)]
    assert estimate_of(burst).drift == 0.0


def test_drift_is_no_more_than_an_oscillator_can_have() -> None:
    moments = (0, 40, 41, 42, 43, 44, 45, 46)
    jump = [exchange(SECOND * second, 500, 500, drift=0.1 if second == 40 else 0.0) for second in moments]
    assert estimate_of(jump).drift == 500e-6


def test_jitter_is_what_round_trips_exceed_the_shortest_by() -> None:
    ways = [1_000] * 20 + [5_000] * 18 + [400_000] * 2
    made = [exchange(SECOND * turn, way // 2, way // 2) for turn, way in enumerate(ways)]
    assert estimate_of(made).jitter_us == 4_000


def test_jitter_of_one_exchange_is_none() -> None:
    assert estimate_of([exchange(0, 700, 700)]).jitter_us == 0


@given(
    st.floats(0, 2**40),
    st.builds(
        ClockEstimate,
        st.floats(0, 2**40), st.floats(-(2**40), 2**40), st.floats(-5e-4, 5e-4), st.just(0), st.just(0.0),
    ),
)  # fmt: skip
def test_local_us_undoes_server_us(moment_us: float, estimate: ClockEstimate) -> None:
    assert estimate.local_us(estimate.server_us(moment_us)) == pytest.approx(moment_us, abs=0.01)


@given(st.integers(0, 2**50), st.integers(-(2**31), 2**31 - 1))
def test_unwrap_ms_finds_the_nearest_time(near_ms: int, ahead_ms: int) -> None:
    assert unwrap_ms((near_ms + ahead_ms) % 2**32, near_ms) == near_ms + ahead_ms
