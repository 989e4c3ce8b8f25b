"""Tracks that share a channel: each key of it sounds once at a time, in whatever order a player merges the tracks."""

import json
from collections.abc import Sequence

import pytest
from mido import MidiFile, MidiTrack

from tests.sheets.formats.reading import Music, hear
from tests.sheets.formats.scores import attributes, document, measures, note, rest

MELODIC_CHANNELS = 15


def on_staves(upper: str, lower: str, length: int = 16) -> str:
    """A part of two staves; both are `length` sixteenths long."""
    back = f"<backup><duration>{length}</duration></backup>"
    return document(measures(attributes("<staves>2</staves>") + upper + back + lower))


def staff(number: int, pitch: str, duration: int, tie: str = "") -> str:
    return note(
        pitch, duration, after=f'<tie type="{tie}"/><staff>{number}</staff>' if tie else f"<staff>{number}</staff>"
    )


def players(*notes: tuple[int, int, int]) -> str:
    """A recording in which player `n` of one more than there are channels holds C4 from a millisecond to another."""
    messages = [{"m": "n", "t": 0, "p": f"p{n}", "n": [{"n": f"c{n % 7}", "d": 5_000}]} for n in range(16)]
    for player, start, end in notes:
        events = [{"n": "c3", "d": start}, {"n": "c3", "d": end, "s": 1}]
        messages.append({"m": "n", "t": 0, "p": f"p{player}", "n": events})
    return json.dumps(messages)


def merged(tracks: Sequence[MidiTrack]) -> list[tuple[int, int, int, int]]:
    """Start, end, channel and key of what sounds when the tracks are merged in this order."""
    events = []
    for track in tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type in ("note_on", "note_off"):
                events.append((tick, message))
    down: dict[tuple[int, int], int] = {}
    heard = []
    for tick, message in sorted(events, key=lambda event: event[0]):
        place = message.channel, message.note
        if message.type == "note_on" and message.velocity:
            assert place not in down, f"at {tick}, {place} is pressed that is down"
            down[place] = tick
        else:
            heard.append((down.pop(place), tick, *place))
    assert down == {}
    return sorted(heard)


def played(file: MidiFile) -> list[tuple[int, int, int, int]]:
    """What sounds, which is the same in whatever order the tracks are merged."""
    forward, backward = merged(file.tracks), merged(file.tracks[::-1])
    assert forward == backward
    return forward


def lines(music: Music) -> list[str]:
    return [Music.line(track) for track in music.tracks]


def test_key_struck_by_the_other_hand_lasts_until_the_last_hand_lets_go() -> None:
    held = staff(1, "C4", 16)
    struck = rest(4) + staff(2, "C4", 4) + staff(2, "G3", 8)
    music = hear(on_staves(held, struck))
    assert [(start, end) for start, end, _, key in played(music.file) if key == 60] == [(0, 959), (960, 3840)]
    assert lines(music) == ["0 C4 0.999", "1 C4 3, 2 G3 2"]


@pytest.mark.parametrize("order", [(1, 2, 1, 2), (2, 1, 2, 1)])
def test_hands_that_strike_one_key_in_turn_release_it_before(order: Sequence[int]) -> None:
    upper = "".join(staff(1, "C4", 4) if number == 1 else rest(4) for number in order)
    lower = "".join(staff(2, "C4", 4) if number == 2 else rest(4) for number in order)
    assert [start for start, *_ in played(hear(on_staves(upper, lower)).file)] == [0, 960, 1920, 2880]


def test_key_struck_by_both_hands_at_once_is_one_note() -> None:
    assert lines(hear(on_staves(staff(1, "C4", 16), staff(2, "C4", 4) + staff(2, "E3", 12)))) == ["0 C4 4", "1 E3 3"]


def test_key_that_both_hands_tie_is_struck_once() -> None:
    back = "<backup><duration>16</duration></backup>"
    first = staff(1, "C4", 16, "start") + back + staff(2, "C4", 16, "start")
    second = staff(1, "C4", 16, "stop") + back + staff(2, "C4", 8, "stop") + staff(2, "E3", 8)
    content = document(measures(attributes("<staves>2</staves>") + first, second))
    assert lines(hear(content)) == ["0 C4 8", "6 E3 2"]
    assert hear("X:1\nL:1/4\nK:C\nC4- & C4- | C4 & C2 E2 |\n").melody == "0 C4 8, 6 E4 2"


def test_notes_of_one_hand_keep_their_length() -> None:
    assert lines(hear(on_staves(staff(1, "C4", 8) * 2, staff(2, "C3", 16)))) == ["0 C4 2, 2 C4 2", "0 C3 4"]


def test_parts_that_share_a_channel_do_not_cut_each_other() -> None:
    parts = [measures(note(f"C{1 + number % 7}", 4)) for number in range(1, MELODIC_CHANNELS)]
    music = hear(document(measures(note("C4", 16)), *parts, measures(rest(4) + note("C4", 4))))
    shared = [heard[:2] for heard in played(music.file) if heard[2:] == (0, 60)]
    assert shared == [(0, 959), (960, 3840)]


def test_players_that_share_a_channel_do_not_cut_each_other() -> None:
    music = hear(players((0, 0, 1_000), (15, 500, 700)))
    shared = [heard[:2] for heard in played(music.file) if heard[2:] == (0, 60) and heard[0] < 5_000]
    assert shared == [(0, 499), (500, 1_000)]


def test_notes_of_one_tick_are_in_order_in_any_player() -> None:
    strikes = [(15 * (tick % 2), tick, tick + 1) for tick in range(6)]
    music = hear(players(*strikes))
    shared = [heard[:2] for heard in played(music.file) if heard[2:] == (0, 60) and heard[0] < 5_000]
    assert shared == [(tick, tick + 1) for tick in range(6)]
