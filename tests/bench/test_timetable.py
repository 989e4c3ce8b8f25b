import numpy as np
import pytest

from bench.load.timetable import MAX_EVENTS, Timetable, evenly, frames_of, from_parts, numbers_of
from bench.score import ScoreEvent
from rhythm_protocol.binary import decode_midi
from rhythm_protocol.midi import MidiEvent

HEAD = 2
MASK = 4


def unmasked(frame: bytes) -> bytes:
    mask, payload = frame[HEAD : HEAD + MASK], frame[HEAD + MASK :]
    return bytes(byte ^ mask[at % MASK] for at, byte in enumerate(payload))


def events_of(timetable: Timetable) -> list[MidiEvent]:
    frames = frames_of(timetable, 0.0, np.random.default_rng(1))
    return [decode_midi(unmasked(frame)).events[0] for frame in frames]


def test_evenly_gives_each_player_its_rate_in_order_of_time() -> None:
    timetable = evenly(players=5, rate=20.0, seconds=3.0, rng=np.random.default_rng(1))
    assert np.bincount(timetable.player).tolist() == [60] * 5
    assert np.all(np.diff(timetable.due) >= 0)
    assert timetable.due[0] >= 0
    assert timetable.due[-1] < 3.0


def test_evenly_spaces_each_player_by_one_over_the_rate() -> None:
    timetable = evenly(players=3, rate=10.0, seconds=2.0, rng=np.random.default_rng(1))
    for player in range(3):
        assert np.diff(timetable.due[timetable.player == player]) == pytest.approx(np.full(19, 0.1))


def test_evenly_releases_every_key_it_presses() -> None:
    timetable = evenly(players=300, rate=3.0, seconds=3.0, rng=np.random.default_rng(1))
    held: set[tuple[int, int]] = set()
    for event in events_of(timetable):
        key = (event.channel, event.data1)
        if event.is_note_on:
            assert key not in held
            held.add(key)
        else:
            held.remove(key)
    assert not held


def test_frames_of_carries_numbers_that_numbers_of_reads() -> None:
    count = 70_000  # more than an offset holds
    timetable = evenly(players=1, rate=count / 10, seconds=10.0, rng=np.random.default_rng(1))
    frames = frames_of(timetable, 0.0, np.random.default_rng(1))
    plain = b"".join(unmasked(frame)[5:] for frame in frames)
    assert numbers_of(plain).tolist() == list(range(count))


def test_frames_of_sets_base_times_modulo_2_to_the_32() -> None:
    timetable = evenly(players=1, rate=2.0, seconds=2.0, rng=np.random.default_rng(1))
    first = frames_of(timetable, 2.0**32 + 5_000, np.random.default_rng(1))[0]
    assert decode_midi(unmasked(first)).base_ms == int(5_000 + timetable.due[0] * 1e3)


def test_evenly_with_more_events_than_can_be_numbered_is_refused() -> None:
    with pytest.raises(ValueError, match="events a room"):
        evenly(players=1, rate=MAX_EVENTS + 2, seconds=1.0, rng=np.random.default_rng(1))


def test_from_parts_deals_parts_to_players_in_turn() -> None:
    parts = [[ScoreEvent(0.5 * n, n, 60 + n, is_press=True)] for n in range(5)]
    timetable = from_parts(parts, players=2)
    assert timetable.player.tolist() == [0, 1, 0, 1, 0]
    assert timetable.due.tolist() == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert [(event.channel, event.data1) for event in events_of(timetable)] == [(n, 60 + n) for n in range(5)]
