"""What a piece keeps when it has everything in one moment: what ends a note, and where each setting is at last."""

from collections import Counter

from rhythm_protocol.midi import CONTROL_CHANGE, NOTE_OFF, NOTE_ON, PITCH_BEND, POLY_PRESSURE
from rhythmd.midi.clock import Timed
from rhythmd.midi.state import ChannelMessage, HeldNotes
from rhythmd.midi.thinning import MOST_AT_ONCE, MOST_PER_S, thinned

SETTINGS = 16 * (128 + 3)
KEYS = 16 * 128


def timed(ms: int, message: ChannelMessage) -> Timed:
    return Timed(ms, ms / 1_000, int.from_bytes(bytes(message)))


def message(event: Timed) -> ChannelMessage:
    status, data1, data2 = event.message.to_bytes(3)
    return status, data1, data2


def settings_after(events: list[Timed]) -> set[ChannelMessage]:
    return set(HeldNotes(map(message, events)).settings())


def test_music_is_left_as_it_is() -> None:
    piece = [timed(ms, (NOTE_ON, ms % 128, 64 * (ms % 2))) for ms in range(5_000)]
    assert list(thinned(piece)) == piece


def test_chord_of_all_keys_is_left_as_it_is() -> None:
    piece = [timed(0, (NOTE_ON | channel, key, 9)) for channel in range(7) for key in range(128)]
    assert list(thinned(piece)) == piece


def test_everything_in_one_moment_is_bounded_and_ends_as_it_should() -> None:
    controllers = [timed(5, (CONTROL_CHANGE, number % 96, number % 128)) for number in range(50_000)]
    bends = [timed(5, (PITCH_BEND, 1, number % 128)) for number in range(20_000)]
    kept = list(thinned([*controllers, *bends]))
    assert len(kept) <= MOST_AT_ONCE + SETTINGS
    assert settings_after(kept) == settings_after([*controllers, *bends])


def test_every_second_is_bounded_however_it_is_spread() -> None:
    kinds = (NOTE_ON, POLY_PRESSURE, CONTROL_CHANGE, NOTE_OFF)
    piece = [
        timed(number // 40, (kinds[number % 4] | number // 4 % 16, number // 64 % 120, 1 + number % 100))
        for number in range(200_000)
    ]
    seconds = Counter(event.ms // 1_000 for event in thinned(piece))
    assert set(seconds) == set(range(5))
    assert max(seconds.values()) <= MOST_PER_S + 2 * SETTINGS + KEYS


def test_no_key_stays_down() -> None:
    """Nor is one let go that was not pressed."""
    presses = [timed(0, (NOTE_ON | channel, key, 9)) for channel in range(16) for key in range(128)]
    releases = [timed(1, (NOTE_OFF | channel, key, 0)) for channel in range(16) for key in range(128)]
    kept = list(thinned([*presses, *releases]))
    pressed = [event.message >> 8 & 0x0FFF for event in kept if event.message >> 20 == NOTE_ON >> 4]
    released = [event.message >> 8 & 0x0FFF for event in kept if event.message >> 20 == NOTE_OFF >> 4]
    assert len(pressed) == MOST_AT_ONCE
    assert released[: len(pressed)] == pressed


def test_order_of_settings_is_kept() -> None:
    """A value goes to the parameter that is selected: which of them came last has meaning."""
    flood = [timed(0, (PITCH_BEND, 0, 1))] * MOST_AT_ONCE
    range_of_bend = [
        timed(0, (CONTROL_CHANGE, number, value)) for number, value in ((6, 1), (101, 0), (100, 0), (6, 12))
    ]
    assert list(thinned([*flood, *range_of_bend]))[MOST_AT_ONCE:] == range_of_bend[1:]
