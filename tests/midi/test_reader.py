"""MIDI files read, beside mido, which had no part in it, and files that are none."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mido import Message, MetaMessage, MidiFile, MidiTrack

from rhythmd.midi import track as limits
from rhythmd.midi.file import encode
from rhythmd.midi.reader import NotReadable, read_performance
from rhythmd.midi.score import MESSAGE_SIZE, Score
from tests.protocol.generated import midi_events

DATA: Final = Path(__file__).parents[2] / "bench" / "data"
PIECES: Final = sorted(DATA.glob("*.mid"))
DRUMS: Final = 9
END: Final = b"\x00\xff\x2f\x00"

Event = tuple[int, tuple[int, ...]]


def events_of(score: Score) -> list[Event]:
    """(ms, message) of all, as the score has them."""
    parts = [score.messages[at : at + MESSAGE_SIZE] for at in range(0, len(score.messages), MESSAGE_SIZE)]
    return [(at_ms, tuple(part)) for at_ms, part in zip(score.times, parts, strict=True)]


def chunk(kind: bytes, content: bytes) -> bytes:
    return kind + len(content).to_bytes(4, "big") + content


def file_of(*tracks: bytes, kind: int = 1, division: int = 480) -> bytes:
    head = b"".join(number.to_bytes(2, "big") for number in (kind, len(tracks), division))
    return chunk(b"MThd", head) + b"".join(chunk(b"MTrk", track) for track in tracks)


def saved(file: MidiFile) -> bytes:
    content = io.BytesIO()
    file.save(file=content)
    return content.getvalue()


def heard_by_mido(content: bytes) -> list[tuple[float, tuple[int, ...]]]:
    """(seconds, message) of all but drums."""
    heard: list[tuple[float, tuple[int, ...]]] = []
    now = 0.0
    for message in MidiFile(file=io.BytesIO(content)):
        now += message.time
        if not message.is_meta and message.type != "sysex" and message.channel != DRUMS:
            heard.append((now, tuple((*message.bytes(), 0)[:3])))
    return heard


def assert_alike(content: bytes) -> None:
    """Both read the same messages, each at the same time to the millisecond, if no two tracks share a channel."""
    ours, theirs = events_of(read_performance(content)), heard_by_mido(content)
    ours, closing = ours[: len(theirs)], ours[len(theirs) :]
    assert all(message[0] & 0xF0 == 0x80 for _, message in closing)  # keys that are never let go
    assert sorted(message for _, message in ours) == sorted(message for _, message in theirs)
    assert all(abs(mine - yours * 1_000) <= 1 for (mine, _), (yours, _) in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("path", PIECES, ids=lambda path: path.stem)
def test_real_piece_is_read_as_mido_reads_it(path: Path) -> None:
    content = path.read_bytes()
    assert_alike(content)
    score = read_performance(content)
    last_note = max(at_s for at_s, (status, _, _) in heard_by_mido(content) if status < 0xA0)
    assert abs(score.duration_ms - last_note * 1_000) <= 1


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """A file that mido writes, with tempos in its first track, system exclusive messages and running status."""
    file = MidiFile(type=1, ticks_per_beat=draw(st.sampled_from([24, 96, 480, 960, 32_767])))
    deltas = st.integers(0, 2_000)  # no pause of ten minutes
    for number in range(draw(st.integers(1, 4))):
        track = MidiTrack()
        for event in draw(st.lists(midi_events(), max_size=20)):
            status = event.status & 0xF0 | number  # a channel for each track
            track.append(Message.from_bytes(_bytes(status, event.data1, event.data2), time=draw(deltas)))
            if not number and draw(st.booleans()):
                track.append(MetaMessage("set_tempo", tempo=draw(st.integers(1_000, 2_000_000)), time=draw(deltas)))
            if draw(st.booleans()):
                track.append(Message("sysex", data=(1, 2, 3), time=draw(deltas)))
        file.tracks.append(track)
    # A last note, after which nothing is left out.
    longest = max(sum(message.time for message in track) for track in file.tracks)
    file.tracks.append(MidiTrack([Message("note_on", channel=15, note=60, velocity=1, time=longest)]))
    return saved(file)


def _bytes(status: int, data1: int, data2: int) -> list[int]:
    return [status, data1] if status & 0xF0 in (0xC0, 0xD0) else [status, data1, data2]


@given(files())
def test_any_file_of_mido_is_read_as_mido_reads_it(content: bytes) -> None:
    assert_alike(content)


@given(st.lists(st.tuples(st.integers(0, 9_999), midi_events()), max_size=30))
def test_what_the_server_writes_it_reads(played: Sequence[tuple[int, tuple[int, int, int, int]]]) -> None:
    events = sorted(((at_ms, event[1:]) for at_ms, event in played if event[1] & 0x0F != DRUMS), key=lambda e: e[0])
    events.append((10_000, (0x90, 60, 1)))
    assert events_of(read_performance(encode("Evening", [("Clara", events)], 0)))[: len(events)] == events


def test_drums_are_left_out() -> None:
    track = bytes.fromhex("00 99 24 64 00 90 3c 64 60 89 24 00 00 80 3c 00") + END
    assert [message for _, message in events_of(read_performance(file_of(track)))] == [(0x90, 60, 100), (0x80, 60, 0)]


def test_running_status_goes_on_over_a_meta_event() -> None:
    track = bytes.fromhex("00 90 3c 64  10 ff 01 02 68 69  10 3c 00") + END
    assert [message for _, message in events_of(read_performance(file_of(track)))] == [(0x90, 60, 100), (0x90, 60, 0)]


def test_tempo_of_any_track_counts_for_all() -> None:
    notes = bytes.fromhex("83 60 90 3c 64") + END  # after a quarter
    tempo = bytes.fromhex("00 ff 51 03 0f 42 40") + END  # a second a quarter
    assert read_performance(file_of(notes, tempo)).times[0] == 1_000


def test_film_frames_are_read() -> None:
    track = bytes.fromhex("83 74 90 3c 64") + END  # after 500 ticks
    assert read_performance(file_of(track, division=0xE728)).times[0] == 500  # 25 frames of 40 ticks


def test_drop_frames_are_a_little_longer() -> None:
    track = bytes.fromhex("9d 26 90 3c 64") + END  # after 3,750 ticks, 29.97 frames of 100 ticks a second
    assert read_performance(file_of(track, division=0xE364)).times[0] == 1_251


@pytest.mark.parametrize("tracks", [1, 2])
def test_last_of_several_tempos_at_one_tick_counts(tracks: int) -> None:
    slow, fast = bytes.fromhex("00 ff 51 03 0f 42 40"), bytes.fromhex("00 ff 51 03 03 d0 90")
    notes = bytes.fromhex("83 60 90 3c 64") + END
    files = file_of(slow + fast + notes) if tracks == 1 else file_of(slow + END, fast + END, notes)
    assert read_performance(files).times[0] == 250


def test_duration_is_until_the_last_key_is_let_go() -> None:
    track = bytes.fromhex("00 90 3c 64 83 60 80 3c 00 ff ff ff 7f ff 2f 00")
    score = read_performance(file_of(track))
    assert (score.duration_ms, score.ends_ms) == (500, 500)


def test_pedal_is_lifted_after_the_last_key_but_not_an_hour_after_it() -> None:
    track = bytes.fromhex("00 90 3c 64 83 60 80 3c 00 83 60 b0 40 00 81 b0 00 b0 40 00") + END
    score = read_performance(file_of(track))
    assert (score.duration_ms, score.ends_ms) == (500, 1_000)
    assert events_of(score)[2:] == [(1_000, (0xB0, 64, 0))]


def test_what_comes_days_after_the_last_key_is_left_out() -> None:
    late = bytes.fromhex("ff ff ff 7f b0 40 00") * 2
    struck = bytes.fromhex("00 90 3c 64 00 80 3c 00")
    assert messages_of_file(file_of(struck + late + END, division=1)) == [PRESS, RELEASE]


PRESS: Final = (0x90, 60, 100)
RELEASE: Final = (0x80, 60, 0)
AGAIN: Final = (0x90, 60, 0)


def messages_of_file(content: bytes) -> list[tuple[int, ...]]:
    return [message for _, message in events_of(read_performance(content))]


def messages_of(*tracks: str) -> list[tuple[int, ...]]:
    return [message for _, message in events_of(read_performance(file_of(*(bytes.fromhex(t) + END for t in tracks))))]


@pytest.mark.parametrize("order", [1, -1])
def test_key_that_goes_from_one_track_to_another_sounds_on(order: int) -> None:
    left, right = "00 90 3c 64 60 80 3c 00", "60 90 3c 64 60 80 3c 00"
    assert messages_of(*(left, right)[::order]) == [PRESS, RELEASE, PRESS, RELEASE]


def test_note_without_length_keeps_its_order_beside_other_tracks() -> None:
    assert messages_of("60 90 3c 64 00 80 3c 00", "60 80 3e 00 00 90 40 64") == [
        (0x80, 62, 0), PRESS, RELEASE, (0x90, 64, 100), (0x80, 64, 0),
    ]  # fmt: skip


def test_key_sounds_until_the_last_track_lets_go_of_it() -> None:
    whole, within = "00 90 3c 64 83 60 80 3c 00", "60 90 3c 64 60 80 3c 00"
    assert messages_of(whole, within) == [PRESS, AGAIN, PRESS, RELEASE]
    assert messages_of(within, whole) == [PRESS, AGAIN, PRESS, RELEASE]


def test_release_in_another_track_and_of_all_keys_leave_nothing_held() -> None:
    assert messages_of("00 90 3c 64", "60 80 3c 00") == [PRESS, RELEASE]
    all_off = (0xB0, 123, 0)
    played = messages_of("00 90 3c 64", "00 90 3c 64 60 b0 7b 00 60 90 3c 64 60 80 3c 00")
    assert played == [PRESS, AGAIN, PRESS, all_off, PRESS, RELEASE]


def test_press_of_one_track_that_was_not_released_ends_with_the_next_release() -> None:
    assert messages_of("00 90 3c 64 60 90 3c 64 60 80 3c 00") == [PRESS, PRESS, RELEASE]


def test_unknown_chunks_and_padding_are_passed_over() -> None:
    content = file_of(bytes.fromhex("00 90 3c 64 60 80 3c 00") + END)
    padded = content[:14] + chunk(b"XFIH", b"anything") + content[14:] + b"\0\0\0"
    assert messages_of_file(padded) == [PRESS, RELEASE]


def test_file_without_events_is_empty() -> None:
    score = read_performance(file_of())
    assert (len(score), score.duration_ms) == (0, 0)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "byte 0: a MIDI file begins with MThd"),
        (b"RIFF" + bytes(40), "byte 0: a MIDI file begins with MThd"),
        (b"MThd\0\0\0\x06\0\1\0\1", "byte 0: the header is cut off"),
        (b"RIFF\4\0\0\0RMID", "byte 0: the RIFF file has no MIDI data"),
    ],
)
def test_what_cannot_be_played_is_refused_with_the_byte(content: bytes, said: str) -> None:
    with pytest.raises(NotReadable, match=said):
        read_performance(content)


def test_too_many_events_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_EVENTS", 10)
    ten = bytes.fromhex("00 b0 40 00") * 9 + END  # the end counts, too
    assert len(read_performance(file_of(ten))) == 9
    with pytest.raises(NotReadable, match="more than 10 MIDI events"):
        read_performance(file_of(ten, ten))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    for whole in (content, file_of(content), file_of(b"\x00\x90\x3c\x64" + content)):
        try:
            score = read_performance(whole)
        except NotReadable:
            continue
        assert list(score.times) == sorted(score.times)
        assert len(score.messages) == MESSAGE_SIZE * len(score.times)
        assert all(status >= 0x80 and data1 < 0x80 and data2 < 0x80 for _, (status, data1, data2) in events_of(score))
