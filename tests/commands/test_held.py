"""What a player holds, and lets go."""

import pytest

from rhythmd.client.held import ChannelMessage, HeldNotes


def held_after(*messages: ChannelMessage) -> HeldNotes:
    held = HeldNotes()
    for message in messages:
        held.apply(message)
    return held


def test_release_ends_keys_and_pedals_of_every_channel() -> None:
    held = held_after((0x90, 60, 1), (0x93, 61, 2), (0xB3, 64, 127), (0xB0, 1, 99), (0xE0, 0, 0))
    assert held.release() == [(0x80, 60, 0), (0x83, 61, 0), (0xB3, 64, 0)]


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
