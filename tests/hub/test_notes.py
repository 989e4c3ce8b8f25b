"""What the server remembers of a player is what a synthesizer would sound."""

import pytest
from hypothesis import given

from rhythm_protocol.midi import MidiEvent, pack_events
from rhythmd.midi.state import NoteState
from tests.hub.generated import batches
from tests.hub.synthesizer import Synthesizer


def state_after(*messages: tuple[int, int, int]) -> NoteState:
    state = NoteState()
    state.apply(pack_events(MidiEvent(0, *message) for message in messages), 0)
    return state


@given(batches(40))
def test_snapshot_brings_a_fresh_synthesizer_to_the_same_state(events: list[MidiEvent]) -> None:
    live, fresh, state = Synthesizer(), Synthesizer(), NoteState()
    live.hear(events)
    state.apply(pack_events(events), 0)
    fresh.play(state.snapshot())
    assert fresh.state == live.state


@given(batches(40), batches(20))
def test_what_follows_a_snapshot_sounds_as_it_does_to_those_who_heard_all(
    events: list[MidiEvent], following: list[MidiEvent]
) -> None:
    live, fresh, state = Synthesizer(), Synthesizer(), NoteState()
    live.hear([*events, *following])
    state.apply(pack_events(events), 0)
    fresh.play(state.snapshot())
    fresh.hear(following)
    assert fresh.state == live.state


@given(batches(40))
def test_snapshot_brings_an_instrument_there_that_keeps_lower_halves(events: list[MidiEvent]) -> None:
    """Not all instruments clear the lower half of a value when its upper half comes. Steps are none of them alike."""
    events = [event for event in events if event.status & 0xF0 != 0xB0 or event.data1 not in (96, 97)]
    live, fresh, state = Synthesizer(clears_lower=False), Synthesizer(clears_lower=False), NoteState()
    live.hear(events)
    state.apply(pack_events(events), 0)
    fresh.play(state.snapshot())
    assert fresh.state == live.state


SELECT_BEND_RANGE = ((0xB0, 101, 0), (0xB0, 100, 0))


def test_snapshot_selects_a_parameter_before_its_value() -> None:
    played = (*SELECT_BEND_RANGE, (0xB0, 6, 12))
    assert state_after(*played).snapshot() == [*played, *SELECT_BEND_RANGE]


def test_value_survives_a_null_and_another_parameter() -> None:
    null = ((0xB0, 101, 127), (0xB0, 100, 127))
    tuning = ((0xB0, 101, 0), (0xB0, 100, 1), (0xB0, 6, 60), (0xB0, 38, 5))
    state = state_after(*SELECT_BEND_RANGE, (0xB0, 6, 12), *tuning, *null, (0xB0, 6, 99))
    assert state.snapshot() == [*SELECT_BEND_RANGE, (0xB0, 6, 12), *tuning, *null]


def test_program_comes_from_the_bank_that_it_was_chosen_in() -> None:
    played = ((0xB0, 0, 1), (0xB0, 32, 2), (0xC0, 5, 0), (0xB0, 0, 3))
    assert state_after(*played).snapshot() == [*played[:3], (0xB0, 32, 2), (0xB0, 0, 3)]


def test_snapshot_of_one_who_enters_all_parameters_is_bounded() -> None:
    state = NoteState()
    for parameter in range(128 * 128 - 1):
        for number, value in ((99, parameter >> 7), (98, parameter & 0x7F), (6, 1), (38, 2)):
            state.apply(bytes((0, 0, 0xB0, number, value)), 0)
    assert len(state.snapshot()) == 16 * 4 + 2
    assert state.snapshot()[-3] == (0xB0, 38, 2)


def test_hold_2_is_a_pedal() -> None:
    state = state_after((0xB0, 69, 127))
    assert state.ends((0xB0, 69, 0))
    assert state.release() == [(0xB0, 69, 0)]


@given(batches(40))
def test_release_ends_all_that_sounds(events: list[MidiEvent]) -> None:
    live, fresh, state = Synthesizer(), Synthesizer(), NoteState()
    live.hear(events)
    state.apply(pack_events(events), 0)
    live.play(state.release())
    assert not live.rings
    fresh.play(state.snapshot())
    assert fresh.state == live.state


@given(batches(40))
def test_release_twice_has_nothing_left_to_end(events: list[MidiEvent]) -> None:
    state = NoteState()
    state.apply(pack_events(events), 0)
    state.release()
    assert state.release() == []


def test_apply_starts_behind_the_head() -> None:
    state = NoteState()
    state.apply(b"\x01\x00\x00\x00\x00" + pack_events([MidiEvent(7, 0x90, 60, 1)]), 5)
    assert state.snapshot() == [(0x90, 60, 1)]


def test_fresh_state_has_nothing_to_tell() -> None:
    assert NoteState().snapshot() == []
    assert NoteState().release() == []


def test_note_on_of_velocity_zero_releases_the_key() -> None:
    assert state_after((0x90, 60, 100), (0x90, 60, 0)).snapshot() == []


def test_note_off_on_another_channel_holds_the_key() -> None:
    assert state_after((0x90, 60, 100), (0x81, 60, 0)).snapshot() == [(0x90, 60, 100)]


def test_snapshot_puts_the_notes_last() -> None:
    state = state_after((0x90, 60, 100), (0xB0, 64, 127), (0xC0, 5, 0), (0xE0, 1, 2), (0xD0, 9, 0))
    assert state.snapshot() == [(0xC0, 5, 0), (0xB0, 64, 127), (0xE0, 1, 2), (0xD0, 9, 0), (0x90, 60, 100)]


def test_release_lifts_all_three_pedals_and_centres_the_bend() -> None:
    state = state_after((0x90, 60, 100), (0xB0, 64, 127), (0xB0, 66, 1), (0xB0, 67, 64), (0xE0, 0, 0))
    assert state.release() == [(0x80, 60, 0), (0xB0, 64, 0), (0xB0, 66, 0), (0xB0, 67, 0), (0xE0, 0, 0x40)]


@pytest.mark.parametrize("number", [120, 123, 124, 125, 126, 127])
def test_modes_that_silence_a_channel_release_its_keys_only(number: int) -> None:
    state = state_after((0x90, 60, 100), (0x91, 60, 100), (0xB0, 7, 90), (0xB0, number, 0))
    modes = [] if number < 124 else [(0xB0, number, 0)]
    assert state.snapshot() == [*modes, (0xB0, 7, 90), (0x91, 60, 100)]


def test_local_control_changes_nothing() -> None:
    assert state_after((0x90, 60, 100), (0xB0, 122, 0)).snapshot() == [(0x90, 60, 100)]


@pytest.mark.parametrize("number", [1, 11, 64, 65, 66, 67, 98, 99, 100, 101])
def test_reset_all_controllers_resets(number: int) -> None:
    assert state_after((0xB0, number, 5), (0xB0, 121, 0)).snapshot() == []


@pytest.mark.parametrize("number", [0, 7, 10, 32, 39, 42, 70, 79, 91, 95])
def test_reset_all_controllers_leaves_alone(number: int) -> None:
    assert state_after((0xB0, number, 5), (0xB0, 121, 0)).snapshot() == [(0xB0, number, 5)]


def test_snapshot_selects_the_bank_before_the_program() -> None:
    state = NoteState()
    events = [*(MidiEvent(0, 0xB0, number, 1) for number in (0, 7, 32)), MidiEvent(0, 0xC0, 5)]
    state.apply(pack_events(events), 0)
    assert state.snapshot() == [(0xB0, 0, 1), (0xB0, 32, 1), (0xC0, 5, 0), (0xB0, 7, 1)]


def test_reset_all_controllers_keeps_program_and_keys() -> None:
    state = state_after((0xC0, 5, 0), (0x90, 60, 100), (0xD0, 9, 0), (0xE0, 1, 2), (0xB0, 121, 0))
    assert state.snapshot() == [(0xC0, 5, 0), (0x90, 60, 100)]


def test_pressure_of_a_key_comes_after_the_key_and_ends_with_it() -> None:
    played = ((0x90, 60, 100), (0x90, 62, 90), (0xA0, 60, 50), (0xA0, 64, 9))
    assert state_after(*played).snapshot() == list(played[:3])
    assert state_after(*played, (0xA0, 60, 0)).snapshot() == list(played[:2])
    assert state_after(*played, (0xB0, 121, 0)).snapshot() == list(played[:2])
    again = state_after(*played, (0x80, 60, 0), (0x90, 60, 80))
    assert sorted(again.snapshot()) == [(0x90, 60, 80), (0x90, 62, 90)]
    assert state_after(*played, (0xB0, 123, 0), (0x90, 60, 1)).snapshot() == [(0x90, 60, 1)]


def test_mode_comes_first_and_ends_what_was_held() -> None:
    state = state_after((0x90, 60, 100), (0xB0, 124, 0), (0xB0, 126, 1), (0xB0, 7, 90), (0x90, 64, 1), (0x90, 62, 2))
    assert state.snapshot() == [(0xB0, 124, 0), (0xB0, 126, 1), (0xB0, 7, 90), (0x90, 64, 1), (0x90, 62, 2)]
    assert state.release() == [(0x80, 64, 0), (0x80, 62, 0)]


def test_key_that_is_pressed_last_comes_last_in_mono_mode_and_only_there() -> None:
    keys = ((0x90, 64, 1), (0x90, 60, 1), (0x90, 62, 1), (0x90, 64, 1))
    assert state_after((0xB0, 126, 1), *keys).snapshot()[1:] == list(keys[1:])
    assert state_after((0xB0, 126, 1), (0xB0, 127, 0), *keys).snapshot() == [(0xB0, 127, 0), *sorted(set(keys))]


def test_snapshot_of_one_who_presses_on_all_keys_is_bounded() -> None:
    state = NoteState()
    for channel in range(16):
        for mode in (124, 125, 126, 127, 126):
            state.apply(bytes((0, 0, 0xB0 | channel, mode, 1)), 0)
        for key in (*range(128), *range(128)):
            for status in (0x90, 0xA0):
                state.apply(bytes((0, 0, status | channel, key, 1)), 0)
    assert len(state.snapshot()) == 16 * (2 + 2 * 128)
