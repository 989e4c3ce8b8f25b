"""The lateness of notes as a listener reports it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhythm_protocol.messages import Timing
from rhythm_protocol.playout import LatenessMeter
from tests.protocol.codecs import carry
from tests.protocol.vectors import Run, load_runs


@pytest.mark.parametrize("run", load_runs("lateness"), ids=lambda run: run.name)
def test_meter_reports_what_the_shared_steps_say(run: Run) -> None:
    meter = LatenessMeter()
    for step in run.steps:
        match step:
            case ["add", int(late_ms) | float(late_ms), int(now_ms)]:
                meter.add(late_ms, now_ms)
            case ["report", int(now_ms), expected]:
                assert meter.report(now_ms) == expected
            case _:
                pytest.fail(f"no such step: {step}")


@given(st.lists(st.floats(-(2.0**40), 2.0**40), min_size=1, max_size=200))
def test_report_is_a_message_that_the_server_accepts(lates_ms: list[float]) -> None:
    meter = LatenessMeter()
    for late_ms in lates_ms:
        meter.add(late_ms, 0)
    report = meter.report(0)
    assert carry("rhythm.v1", "client", "timing", {"late_ms": report}) == Timing(report or 0)


@given(st.lists(st.integers(0, 60_000), min_size=1, max_size=300))
def test_report_covers_95_of_100_notes_and_is_no_higher_than_it_must(lates_ms: list[int]) -> None:
    meter = LatenessMeter()
    for late_ms in lates_ms:
        meter.add(late_ms, 0)
    report = meter.report(0)
    assert report in lates_ms
    assert sum(late_ms <= report for late_ms in lates_ms) >= 0.95 * len(lates_ms)
    assert sum(late_ms < report for late_ms in lates_ms) < 0.95 * len(lates_ms)


def test_report_of_a_flood_is_of_its_latest_notes() -> None:
    meter = LatenessMeter()
    for number in range(5_000):
        meter.add(5_000 - number, number / 1_000)
    assert meter.report(5) == 950  # of the thousand latenesses 1000 to 1
