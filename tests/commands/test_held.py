"""What a player holds, and lets go."""

import pytest

from rhythmd.midi.state import ChannelMessage, HeldNotes


def held_after(*messages: ChannelMessage) -> HeldNotes:
    return HeldNotes(messages)


def test_release_ends_keys_pedals_and_bend_of_every_channel() -> None:
    held = held_after((0x90, 60, 1), (0x93, 61, 2), (0xB3, 64, 127), (0xB0, 1, 99), (0xE0, 0, 0))
    assert held.release() == [(0x80, 60, 0), (0xE0, 0, 64), (0x83, 61, 0), (0xB3, 64, 0)]


@pytest.mark.parametrize("end", [(0x80, 60, 64), (0x90, 60, 0), (0xB0, 123, 0), (0xB0, 120, 0)])
def test_release_skips_what_has_ended(end: ChannelMessage) -> None:
    assert held_after((0x90, 60, 1), end).release() == []


def test_release_keeps_keys_of_another_channel_at_all_notes_off() -> None:
    assert held_after((0x91, 60, 1), (0xB0, 123, 0)).release() == [(0x81, 60, 0)]


def test_release_skips_a_lifted_pedal() -> None:
    assert held_after((0xB0, 64, 127), (0xB0, 64, 0)).release() == []


def test_release_forgets() -> None:
    held = held_after((0x90, 60, 1))
    held.release()
    assert held.release() == []


def test_settings_are_all_but_the_keys() -> None:
    held = held_after((0xC1, 5, 0), (0xB0, 7, 90), (0xB0, 64, 127), (0xE0, 1, 65), (0x90, 60, 1))
    assert held.settings() == [(0xB0, 7, 90), (0xB0, 64, 127), (0xE0, 1, 65), (0xC1, 5, 0)]


def test_changes_to_the_same_state_are_none() -> None:
    messages = [(0xB0, 64, 127), (0x90, 60, 1), (0x90, 62, 1)]
    assert held_after(*messages).changes_to(messages) == ([], [])


def test_changes_to_nothing_end_all_that_sounds() -> None:
    held = held_after((0x90, 60, 1), (0xB0, 64, 127), (0xE0, 0, 0), (0xB0, 7, 90))
    assert held.changes_to([]) == ([(0x80, 60, 0), (0xB0, 64, 0), (0xE0, 0, 64)], [])


def test_changes_to_another_state_end_what_is_over_and_begin_what_is_new() -> None:
    held = held_after((0x90, 60, 1), (0x90, 62, 1), (0xB0, 7, 90))
    assert held.changes_to([(0xB0, 7, 80), (0x90, 62, 1), (0x90, 64, 3)]) == (
        [(0x80, 60, 0)],
        [(0xB0, 7, 80), (0x90, 64, 3)],
    )


def test_changes_to_a_key_struck_again_ends_it_first() -> None:
    assert held_after((0x90, 60, 1)).changes_to([(0x90, 60, 2)]) == ([(0x80, 60, 0)], [(0x90, 60, 2)])


def test_settings_are_without_the_pressure_of_keys() -> None:
    held = held_after((0xB0, 126, 1), (0x90, 60, 1), (0xA0, 60, 9), (0xD0, 5, 0))
    assert held.settings() == [(0xB0, 126, 1), (0xD0, 5, 0)]


def test_changes_to_pressure_and_from_it_strike_no_key() -> None:
    key, pressed = (0x90, 60, 1), (0xA0, 60, 9)
    assert held_after(key).changes_to([key, pressed]) == ([], [pressed])
    assert held_after(key, pressed).changes_to([key]) == ([(0xA0, 60, 0)], [])
    assert held_after(key, pressed).changes_to([(0x90, 60, 2), pressed])[1] == [(0x90, 60, 2), pressed]
    assert held_after((0xD0, 9, 0)).changes_to([]) == ([(0xD0, 0, 0)], [])


def test_changes_to_another_mode_strike_the_keys_that_it_ends() -> None:
    state = [(0xB0, 126, 1), (0x90, 60, 1), (0x90, 62, 1)]
    ends, begins = held_after((0x90, 60, 1), (0x91, 60, 1)).changes_to([*state, (0x91, 60, 1)])
    assert (ends, begins) == ([(0x80, 60, 0)], state)
    assert held_after(*state).changes_to([*state]) == ([], [])
    other = [state[0], state[2], state[1]]
    assert held_after(*state).changes_to(other) == ([(0x80, 60, 0), (0x80, 62, 0)], other[1:])
