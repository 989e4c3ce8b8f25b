import numpy as np
import pytest

from bench.load.analysis import Heard, note_timings, tally
from bench.load.timetable import Timetable

START = 1_000.0
WINDOW = (1.0, 3.0)


def timetable(players: list[int]) -> Timetable:
    """An event each half second, by these players in turn."""
    due = np.arange(len(players)) / 2
    zeros = np.zeros(len(players), np.uint8)
    return Timetable(due, np.array(players), zeros, zeros)


def heard(*pairs: tuple[int, float]) -> Heard:
    """Event numbers, each with the second (from the start) at which it came."""
    return Heard(np.array([number for number, _ in pairs]), START + np.array([second for _, second in pairs]))


def test_tally_counts_delays_of_the_window_only() -> None:
    ears = heard((0, 0.1), (1, 0.6), (2, 1.1), (3, 1.7), (6, 3.0), (7, 3.6))
    counted = tally(timetable([0] * 8), 1, ears, START, WINDOW)
    assert counted.delay == pytest.approx([0.1, 0.2, 0.0])
    assert counted.arrived == 3


def test_tally_tells_missing_repeated_and_unknown_apart() -> None:
    ears = heard((0, 0.0), (1, 0.5), (1, 0.6), (99, 0.7))
    counted = tally(timetable([0, 0, 0]), 1, ears, START, WINDOW)
    assert (counted.expected, counted.delivered) == (3, 2)
    assert (counted.repeated, counted.unknown) == (1, 1)


def test_tally_expects_nothing_of_a_member_from_itself() -> None:
    counted = tally(timetable([0, 1, 0]), 0, heard((1, 0.5), (2, 1.0)), START, WINDOW)
    assert (counted.expected, counted.delivered, counted.unknown) == (1, 1, 1)


def test_tally_finds_one_players_events_out_of_order_but_not_two_players() -> None:
    ears = heard((1, 0.5), (0, 0.6), (4, 2.0), (2, 2.1))
    assert tally(timetable([0, 1, 0, 1, 0]), 2, ears, START, WINDOW).out_of_order == 1


def test_note_timings_take_the_worst_listener_and_its_median_delay_off() -> None:
    prompt = heard((0, 0.01), (1, 0.51), (2, 1.04))
    slow = heard((0, 0.2), (1, 0.7), (2, 1.21))
    timings = note_timings(timetable([0, 0, 0, 0]), [prompt, slow], START)
    assert [timing.due for timing in timings] == [0.0, 0.5, 1.0]
    assert [timing.delay for timing in timings] == pytest.approx([200, 200, 210])
    assert [timing.error for timing in timings] == pytest.approx([0, 0, 30])
