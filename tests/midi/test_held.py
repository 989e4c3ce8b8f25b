"""What a player holds, packed for whoever comes: the same as its messages, bounded, and cheap when nothing changes."""

import random

import pytest

from rhythm_protocol.midi import CONTROL_CHANGE, NOTE_OFF, NOTE_ON, PITCH_BEND, POLY_PRESSURE
from rhythmd.midi.keys import FollowedKeys
from rhythmd.midi.state import MANY_KEYS, ChannelMessage, HeldNotes, NoteState, fair_level, unpacked

ALL = 100_000
CHANNELS = range(16)


def state(*messages: ChannelMessage) -> NoteState:
    made = NoteState()
    for message in messages:
        made.apply(bytes((0, 0, *message)), 0)
    return made


def everything() -> list[ChannelMessage]:
    """All that one player may hold."""
    keys = [(NOTE_ON | channel, key, 64) for channel in CHANNELS for key in range(128)]
    pressures = [(POLY_PRESSURE | channel, key, 9) for channel in CHANNELS for key in range(128)]
    controllers = [(CONTROL_CHANGE | channel, number, 5) for channel in CHANNELS for number in range(120)]
    parameters = [
        (CONTROL_CHANGE | channel, number, value)
        for channel in CHANNELS
        for value in range(40)
        for number in (99, 98, 6, 38)
    ]
    return [*keys, *pressures, *controllers, *parameters]


def messages_of(seed: int) -> list[ChannelMessage]:
    chance = random.Random(seed)
    kinds = (NOTE_ON, NOTE_ON, NOTE_OFF, POLY_PRESSURE, CONTROL_CHANGE, CONTROL_CHANGE, PITCH_BEND)
    return [
        (chance.choice(kinds) | chance.choice((0, 1, 9)), chance.randrange(128), chance.randrange(128))
        for _ in range(chance.randrange(400))
    ]


@pytest.mark.parametrize("seed", range(20))
def test_packed_is_the_snapshot_and_size_is_no_less(seed: int) -> None:
    made = state(*messages_of(seed))
    snapshot = made.snapshot()
    assert unpacked(made.packed(ALL)) == snapshot
    assert made.size >= len(snapshot)
    assert unpacked(made.packed(made.size)) == snapshot


@pytest.mark.parametrize("seed", range(20))
def test_packed_follows_each_change(seed: int) -> None:
    made = NoteState()
    for message in messages_of(seed):
        made.apply(bytes((0, 0, *message)), 0)
        assert unpacked(made.packed(ALL)) == made.snapshot()
    made.release()
    assert unpacked(made.packed(ALL)) == made.snapshot()


def test_packed_is_made_once_while_nothing_changes() -> None:
    made = state(*everything())
    assert made.packed(ALL) is made.packed(ALL)
    assert made.packed(200) is made.packed(200)
    assert made.packed(ALL) != made.packed(200)


@pytest.mark.parametrize("most", [32, 163, 1_000])
def test_packed_has_no_more_than_it_may_and_something_of_each_channel(most: int) -> None:
    packed = unpacked(state(*everything()).packed(most))
    assert len(packed) <= most
    assert {status & 0x0F for status, _, _ in packed} == set(CHANNELS)


def test_who_plays_one_channel_may_hold_much_of_it() -> None:
    piano = [(NOTE_ON, key, 64) for key in range(128)]
    assert unpacked(state((NOTE_ON | 1, 60, 64), *piano).packed(140)) == [*piano, (NOTE_ON | 1, 60, 64)]


@pytest.mark.parametrize("many_keys", [128, MANY_KEYS])
def test_release_lets_go_of_everything_with_few_messages(many_keys: int) -> None:
    made = state(*everything(), (PITCH_BEND | 3, 0, 0))
    listener = HeldNotes(made.snapshot())
    release = made.release(many_keys)
    for message in release:
        listener.apply(message)
    assert listener.release() == []
    assert made.release() == []
    if many_keys == MANY_KEYS:
        assert len(release) <= 16 * (MANY_KEYS + 5)


def test_release_says_few_keys_one_by_one() -> None:
    keys = range(60, 60 + MANY_KEYS)
    made = state(*((NOTE_ON, key, 64) for key in keys))
    assert made.release(MANY_KEYS) == [(NOTE_OFF, key, 0) for key in keys]


def test_followed_keys_take_little_memory() -> None:
    """A player could have sixteen channels of them, and a server thousands of players."""
    keys = FollowedKeys()
    for key in range(128):
        keys[key] = 64
        keys.press(key, 1)
    assert len(keys) == 256
    assert not hasattr(keys, "__dict__")
    keys.ease()
    assert (len(keys), list(keys.pressures())) == (128, [])
    keys[5] = 64
    keys[7] = 0
    assert keys.down() == [key for key in range(128) if key not in {5, 7}] + [5]


@pytest.mark.parametrize(
    ("sizes", "most", "level"),
    [
        ([], 10, 10),
        ([3, 4], 10, 10),
        ([3, 40], 10, 7),
        ([40, 40, 40, 1], 10, 3),
        ([1_000] * 50, 8_192, 163),
    ],
)
def test_level_is_fair(sizes: list[int], most: int, level: int) -> None:
    assert fair_level(sizes, most) == level
    if sum(sizes) > most:
        assert sum(min(size, level) for size in sizes) <= most
