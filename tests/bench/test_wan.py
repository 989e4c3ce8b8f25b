import pytest

from bench.commands.wan import rhythm_errors_ms, score_errors_ms

DUE = [0.0, 0.5, 0.5, 1.0]


def test_errors_of_what_is_only_late_are_zero() -> None:
    late = [due + 0.3 for due in DUE]
    assert rhythm_errors_ms(DUE, late) == pytest.approx([0, 0, 0])
    assert score_errors_ms(DUE, late) == pytest.approx([0, 0, 0, 0])


def test_errors_of_one_onset_that_comes_later() -> None:
    at = [0.1, 0.6, 0.65, 1.1]
    assert rhythm_errors_ms(DUE, at) == pytest.approx([0, 50, 50])
    assert score_errors_ms(DUE, at) == pytest.approx([0, 0, 50, 0])
