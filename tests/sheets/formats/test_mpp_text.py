"""Multiplayer-piano text: messages, frames and bare notes in JSON, and refusals."""

import pytest

from rhythmd.rows import ScoreFacts, SheetCategory
from tests.sheets.formats.reading import Heard, Music, facts_of, hear, refusal

# A quarter is 480 ms in these files.


def test_bare_notes_count_from_the_beginning() -> None:
    text = '[{"n": "c3", "v": 0.5, "d": 0}, {"n": "es3", "v": 1, "d": 480}, {"n": "c3", "s": 1, "d": 960}]'
    [track] = hear(text).tracks
    assert track[0] == Heard(0, 2, "C4", 64)
    assert (track[1].start, track[1].name, track[1].velocity) == (1, "F4", 127)


def test_facts_are_counted() -> None:
    text = '[{"n": "a-1"}, {"n": "a-1", "s": 1, "d": 500}, {"n": "c7", "d": 500}, {"n": "c7", "s": 1, "d": 1500}]'
    assert facts_of(text) == ScoreFacts(
        category=SheetCategory.MULTIPLAYER_PIANO, duration_ms=1500, notes=2, parts=1
    )  # fmt: skip


def test_messages_are_played_at_their_times_with_a_track_for_each_player() -> None:
    text = (
        '[{"m": "n", "t": 1764288001440, "p": "bo", "n": [{"n": "e3"}, {"n": "e3", "s": 1, "d": 240}]},'
        ' {"m": "a", "a": "hello", "p": "bo"},'
        ' {"m": "n", "t": 1764288000960, "p": "al", "n": [{"n": "c3", "v": "0.5"}, {"n": "c3", "s": 1, "d": 480}]}]'
    )
    music = hear(text)
    assert [Music.line(track) for track in music.tracks] == ["1 E4 0.5", "0 C4 1"]
    assert [track.name for track in music.file.tracks[1:]] == ["bo", "al"]


def test_a_line_may_be_a_message_or_a_frame() -> None:
    lines = ['{"m":"n","t":0,"n":[{"n":"c3"}]}', "", '[{"m":"n","t":480,"n":[{"n":"c3","s":1},{"n":"d3"}]},{"m":"m"}]']
    assert hear("\n".join([*lines, '{"m":"n","t":960,"n":[{"n":"d3","s":1}]}'])).melody == "0 C4 1, 1 D4 1"


def test_frames_within_a_recording_are_read() -> None:
    text = '[[{"m":"n","t":0,"n":[{"n":"c3"}]}],[{"m":"n","t":480,"n":[{"n":"c3","s":1}]}]]'
    assert hear(text).melody == "0 C4 1"


def test_velocity_zero_is_a_release() -> None:
    assert hear('[{"n":"c3"},{"n":"c3","v":0,"d":480}]').melody == "0 C4 1"


def test_note_that_nobody_releases_ends_with_the_next_press_or_after_ten_seconds() -> None:
    assert hear('[{"n":"c3"},{"n":"c3","d":480}]').melody == "0 C4 1, 1 C4 20.833"


def test_note_released_in_the_millisecond_of_its_press_is_short() -> None:
    notes = ['{"n":"c3"}', '{"n":"c3","s":1}', '{"n":"e3"}', '{"n":"e3","s":1,"d":480}']
    assert hear(f"[{','.join(notes)}]").melody == "0 C4 0.002, 0 E4 1"
    repeated = '[{"n":"c3"},{"n":"c3","s":1,"d":480},{"n":"c3","d":480},{"n":"c3","v":0,"d":480}]'
    assert hear(repeated).melody == "0 C4 1, 1 C4 0.002"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('[{"n": "h4"}]', "line 1, note 1: unknown note 'h4'"),
        ('[{"n": "db4"}]', "line 1, note 1: unknown note 'db4'"),
        ('[{"n": "c9"}]', "line 1, note 1: 'c9' is not within MIDI's 128 keys"),
        ('[{"n": "c4"}, {"n": null}]', "line 1, note 2: a note has no name"),
        ('[{"n": "c4"}, {"v": 1}]', "line 1, note 2: a note has no name"),
        ('[{"n": "c4", "v": 2}]', "line 1, note 1: v is 2, not between 0 and 1"),
        ('[{"n": "c4", "v": "loud"}]', "line 1, note 1: v is no number"),
        ('[{"n": "c4", "d": "1e999"}]', "line 1, note 1: d is no number"),
        ('[{"m": "n", "n": [{"n": "c4"}, 7]}]', "line 1, message 1, note 2: this is no note"),
        ('[{"m": "n", "t": 0}]', "line 1, message 1: a note message has no list of notes"),
        ('[{"m": "n", "t": "x", "n": []}]', "line 1, message 1: t is no number"),
        ('[{"m": "n", "p": 7, "n": []}]', "line 1, message 1: a player's id is no text"),
        ('[{"m": "n", "n": []}, {"x": 1}]', "line 1, message 2: this is no message of multiplayerpiano.net"),
        ('[{"m": "a", "a": "hi"}]', "it has no notes"),
        ('[{"n": "c4", "s": 1}]', "it has no notes"),
        ('[{"n": "c4"}, {"n": "c4", "d": 90000000}]', "it lasts longer than 24 hours"),
        ('[\n{"n": "c4"},\n{"n": "c4"]', "line 3: this is no JSON (expected ',' or '}' (byte 25))"),
        ('{"m":"n","n":[{"n":"c4"}]}\n{"m":', "line 2: this is no JSON (Input data was truncated)"),
        ("[" * 100_000, "line 1: the JSON is nested too deeply"),
        ('[{"n": ' * 100_000, "line 1: the JSON is nested too deeply"),
    ],
    ids=lambda value: value[:40],
)
def test_what_is_no_recording_is_refused(text: str, reason: str) -> None:
    assert refusal(text) == reason


@pytest.mark.parametrize(
    "text",
    [
        "{}", "[{}]", '{"name": "rhythmd", "version": 1}', '[{"id": 1}, {"id": 2}]', '[[1, 2], [3, 4]]', '[{"n": 5}]',
        '{"m": 1}', '{"scores": [{"n": "c4"}]}', '\n[[{"n": "c4"}]]',
    ],
)  # fmt: skip
def test_json_of_something_else_is_named(text: str) -> None:
    assert refusal(text) == "line 1: this is JSON, but no multiplayer-piano text"


@pytest.mark.parametrize("text", ['["c4", "e4"]', "[1, 2, 3]", "[null, true]", "[-1.5]", " []"])
def test_json_that_could_be_a_chord_is_named(text: str) -> None:
    assert refusal(text) == "this is JSON, but no multiplayer-piano text"


def test_line_of_json_that_is_something_else_is_named() -> None:
    lines = '{"m":"n","n":[{"n":"c4"}]}\n{"level":"info"}'
    assert refusal(lines) == "line 2: this is JSON, but no multiplayer-piano text"
