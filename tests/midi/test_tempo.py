"""Tempo and metre of recordings, as mido reads them: bars where the metronome had them, events where they were."""

from collections.abc import Sequence
from itertools import accumulate
from math import isclose
from typing import Final, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from rhythm_protocol.messages import Metronome
from rhythm_protocol.values import BeatUnit
from rhythmd.midi.file import encode
from rhythmd.midi.tempo import Tempo, tempo_map
from tests.midifiles import Bar, parse, parse_in_time

NOTE: Final = (0x90, 60, 100)
WALTZ: Final = Metronome(bpm=150.0, beats=3, unit=4, start_us=1_000_000)  # a beat lasts 400 ms
MARCH: Final = Metronome(bpm=60.0, beats=2, unit=2, start_us=3_400_000)  # on the seventh beat of the waltz
NEAR_MS: Final = 1.0  # a tempo begins at a tick, and here it is read in whole milliseconds


def file_of(changes: Sequence[tuple[int, Metronome | None]], times_ms: Sequence[int]) -> tuple[list[Bar], list[int]]:
    """The bars of a file with a note at each of these times, and the times from the file's beginning."""
    tempos = tempo_map(changes, times_ms[0], times_ms[-1])
    content = encode("Evening", [("Clara", [(at_ms, NOTE) for at_ms in times_ms])], times_ms[0], tempos)
    bars, [track] = parse_in_time(content)
    return [bar._replace(at_ms=round(bar.at_ms)) for bar in bars], track.times


def test_without_a_metronome_there_is_no_tempo() -> None:
    assert tempo_map([(0, None)], 500, 9_000) == []
    _, [track] = parse(encode("Evening", [("Clara", [(500, NOTE), (9_000, NOTE)])], 500, []))
    assert track.times == [0, 8_500]


@pytest.mark.parametrize("changes", [[(0, WALTZ), (900, None)], [(0, None), (500, WALTZ), (990, None)]])
def test_metronome_that_never_ran_leaves_no_tempo(changes: list[tuple[int, Metronome | None]]) -> None:
    assert tempo_map(changes, 1_500, 9_000) == []


def test_metronome_that_starts_in_the_middle() -> None:
    bars, times = file_of([(0, None), (600, WALTZ)], [500, 999, 1_400, 2_203])
    assert bars == [Bar(500, 400_000, "3/4")]
    assert times == [0, 499, 900, 1_703]


def test_piece_that_begins_on_a_bar() -> None:
    bars, times = file_of([(0, WALTZ)], [2_200, 2_600])
    assert bars == [Bar(0, 400_000, "3/4")]
    assert times == [0, 400]


def test_piece_that_begins_in_a_bar_begins_with_the_rest_of_it() -> None:
    """The second beat of the second bar is the one before the first note: two are left."""
    bars, times = file_of([(0, WALTZ)], [2_650, 9_000])
    assert bars == [Bar(0, 400_000, "2/4"), Bar(800, 400_000, "3/4")]
    assert times == [50, 6_400]


def test_change_of_tempo_and_metre() -> None:
    bars, times = file_of([(0, WALTZ), (3_100, MARCH)], [2_200, 3_399, 3_400, 5_450])
    assert bars == [
        Bar(0, 400_000, "3/4"),
        Bar(1_200, 500_000, "2/2"),
    ]
    assert times == [0, 1_199, 1_200, 3_250]


def test_change_that_is_changed_before_it_begins_never_was() -> None:
    slower = Metronome(bpm=30.0, beats=4, unit=4, start_us=MARCH.start_us)
    bars, _ = file_of([(0, WALTZ), (3_100, MARCH), (3_200, slower)], [2_200, 5_450])
    assert [bar.metre for bar in bars] == ["3/4", "4/4"]


def test_tempo_goes_on_after_a_stop() -> None:
    bars, times = file_of([(0, WALTZ), (3_000, None)], [2_200, 2_600, 8_001])
    assert len(bars) == 1
    assert times == [0, 400, 5_801]


def test_piece_that_begins_after_a_stop_is_free() -> None:
    assert tempo_map([(0, WALTZ), (3_000, None)], 4_000, 9_000) == []


def test_second_tape_says_the_same_again() -> None:
    assert tempo_map([(0, WALTZ), (5_000, WALTZ)], 2_200, 9_000) == [Tempo(2_200_000, 400_000, 3, 4)]


def test_beat_that_is_too_long_for_a_file_is_written_as_a_longer_note() -> None:
    slowest = Metronome(bpm=20.0, beats=5, unit=32, start_us=0)
    bars, times = file_of([(0, slowest)], [0, 15_000])
    assert bars == [Bar(0, 12_000_000, "5/16")]
    assert times == [0, 15_000]


metronomes = st.builds(
    Metronome,
    bpm=st.floats(20, 400),
    beats=st.integers(1, 32),
    unit=st.sampled_from(get_args(BeatUnit)),
    start_us=st.just(0),
)
steps = st.integers(5_000, 5_000_000)  # at least so long that each can be told from the next


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[int, Metronome | None]]:
    """Starts, changes and stops, each a moment before it counts."""
    changes: list[tuple[int, Metronome | None]] = [(0, None)]
    last_us = 0
    for at_us in accumulate(draw(st.lists(steps, max_size=5))):
        metronome = draw(st.none() | metronomes)
        last_us = start_us = max(at_us + draw(st.integers(0, 800_000)), last_us + 5_000)
        changes.append((at_us // 1_000, metronome and structs.replace(metronome, start_us=start_us)))
    return changes


@given(histories(), st.integers(0, 20_000), st.lists(st.integers(0, 90_000), max_size=20))
def test_every_event_is_at_its_time_and_every_bar_on_a_beat(
    changes: list[tuple[int, Metronome | None]], begins_ms: int, later_ms: list[int]
) -> None:
    played = [begins_ms, *sorted(begins_ms + ms for ms in later_ms)]
    tempos = tempo_map(changes, played[0], played[-1])
    if not tempos:
        return
    bars, times = file_of(changes, played)
    first_ms = min(tempos[0].at_us / 1_000, begins_ms)
    assert times == [at_ms - first_ms for at_ms in played]
    for bar, tempo in zip(bars, tempos, strict=True):
        assert abs(bar.at_ms - (tempo.at_us / 1_000 - first_ms)) < NEAR_MS
        metronome = running(changes, tempo.at_us)
        beat_us = 60_000_000 / metronome.bpm
        number = round((tempo.at_us - metronome.start_us) / beat_us)
        assert abs(tempo.at_us - metronome.start_us - number * beat_us) <= 1_000
        assert isclose(tempo.quarter_us * 4 / tempo.unit, beat_us, rel_tol=1e-4)
        assert (bar.quarter_us, bar.metre) == (tempo.quarter_us, f"{tempo.beats}/{tempo.unit}")


def running(changes: Sequence[tuple[int, Metronome | None]], at_us: float) -> Metronome:
    """The metronome that beats at this moment: of those that had begun, the one that was started last."""
    begun = [metronome for _, metronome in changes if metronome is not None and metronome.start_us < at_us + 1_000]
    return begun[-1]
