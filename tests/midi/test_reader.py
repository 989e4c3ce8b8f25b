"""MIDI files read, beside mido, which had no part in it, and files that are none."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mido import Message, MetaMessage, MidiFile, MidiTrack

from rhythmd.midi import reader
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
    """Both read the same messages, each at the same time to the millisecond."""
    ours, theirs = events_of(read_performance(content)), heard_by_mido(content)
    assert sorted(message for _, message in ours) == sorted(message for _, message in theirs)
    assert all(abs(mine - yours * 1_000) <= 1 for (mine, _), (yours, _) in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("path", PIECES, ids=lambda path: path.stem)
def test_real_piece_is_read_as_mido_reads_it(path: Path) -> None:
    content = path.read_bytes()
    assert_alike(content)
    score = read_performance(content)
    assert abs(score.duration_ms - MidiFile(path).length * 1_000) <= 1


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """A file that mido writes, with tempos in its first track, system exclusive messages and running status."""
    file = MidiFile(type=1, ticks_per_beat=draw(st.sampled_from([24, 96, 480, 960, 32_767])))
    deltas = st.integers(0, 5_000)
    for number in range(draw(st.integers(1, 4))):
        track = MidiTrack()
        for event in draw(st.lists(midi_events(), max_size=20)):
            track.append(Message.from_bytes(_bytes(event.status, event.data1, event.data2), time=draw(deltas)))
            if not number and draw(st.booleans()):
                track.append(MetaMessage("set_tempo", tempo=draw(st.integers(1, 0xFFFFFF)), time=draw(deltas)))
            if draw(st.booleans()):
                track.append(Message("sysex", data=(1, 2, 3), time=draw(deltas)))
        file.tracks.append(track)
    return saved(file)


def _bytes(status: int, data1: int, data2: int) -> list[int]:
    return [status, data1] if status & 0xF0 in (0xC0, 0xD0) else [status, data1, data2]


@given(files())
def test_any_file_of_mido_is_read_as_mido_reads_it(content: bytes) -> None:
    assert_alike(content)


@given(st.lists(st.tuples(st.integers(0, 9_999), midi_events()), max_size=30))
def test_what_the_server_writes_it_reads(played: Sequence[tuple[int, tuple[int, int, int, int]]]) -> None:
    events = sorted(((at_ms, event[1:]) for at_ms, event in played if event[1] & 0x0F != DRUMS), key=lambda e: e[0])
    assert events_of(read_performance(encode("Evening", [("Clara", events)], 0))) == events


def test_drums_are_left_out() -> None:
    track = bytes.fromhex("00 99 24 64 00 90 3c 64 60 89 24 00 00 80 3c 00") + END
    assert [message for _, message in events_of(read_performance(file_of(track)))] == [(0x90, 60, 100), (0x80, 60, 0)]


def test_running_status_goes_on_over_a_meta_event() -> None:
    track = bytes.fromhex("00 90 3c 64  10 ff 01 02 68 69  10 3e 64") + END
    assert [message for _, message in events_of(read_performance(file_of(track)))] == [(0x90, 60, 100), (0x90, 62, 100)]


def test_tempo_of_any_track_counts_for_all() -> None:
    notes = bytes.fromhex("83 60 90 3c 64") + END  # after a quarter
    tempo = bytes.fromhex("00 ff 51 03 0f 42 40") + END  # a second a quarter
    assert read_performance(file_of(notes, tempo)).times.tolist() == [1_000]


def test_film_frames_are_read() -> None:
    track = bytes.fromhex("83 74 90 3c 64") + END  # after 500 ticks
    assert read_performance(file_of(track, division=0xE728)).times.tolist() == [500]  # 25 frames of 40 ticks


def test_duration_is_to_the_end_of_the_last_silence() -> None:
    track = bytes.fromhex("00 90 3c 64 83 60 80 3c 00 83 60 ff 2f 00")
    assert read_performance(file_of(track)).duration_ms == 1_000


def test_unknown_chunks_and_padding_are_passed_over() -> None:
    track = bytes.fromhex("00 90 3c 64") + END
    content = file_of(track)
    assert len(read_performance(content[:14] + chunk(b"XFIH", b"anything") + content[14:] + b"\0\0\0")) == 1


def test_file_without_events_is_empty() -> None:
    score = read_performance(file_of())
    assert (len(score), score.duration_ms) == (0, 0)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "byte 0: a MIDI file begins with MThd"),
        (b"RIFF" + bytes(40), "byte 0: a MIDI file begins with MThd"),
        (file_of(END, kind=2), "byte 8: format 2"),
        (file_of(END, division=0), "byte 12: a beat has no ticks"),
        (file_of(END, division=0xE700), "byte 12: a beat has no ticks"),
        (file_of(END, END, kind=0), "byte 0: a file of format 0 has one track"),
        (file_of(END)[:-2], "byte 22: this chunk is longer"),
        (file_of(b"\x00"), "byte 23: the track ends within an event"),
        (file_of(b"\x00\x3c\x64"), "byte 23: there is data before any status"),
        (file_of(b"\x00\x90\x3c"), "byte 24: the track ends within an event"),
        (file_of(b"\x00\x90\x3c\x80"), "byte 24: a data byte is above 127"),
        (file_of(b"\x00\xf4"), "byte 23: status 0xf4 has no place in a file"),
        (file_of(b"\x00\xff"), "byte 24: the track ends within an event"),
        (file_of(b"\x00\xff\x01\x7f"), "byte 26: the track ends within an event"),
        (file_of(b"\x00\xf0\xff\xff\xff\xff\x00"), "byte 28: a number does not end"),
        (file_of(b"\xff\xff\xff\xff\x00\x90\x3c\x64"), "byte 26: a number does not end"),
        (file_of(bytes.fromhex("ff ff ff 7f 90 3c 64") * 40, division=1), "longer than a day"),
    ],
)
def test_what_cannot_be_played_is_refused_with_the_byte(content: bytes, said: str) -> None:
    with pytest.raises(NotReadable, match=said):
        read_performance(content)


def test_too_many_events_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MOST_EVENTS", 10)
    ten = bytes.fromhex("00 90 3c 64") * 9 + END  # the end counts, too
    assert len(read_performance(file_of(ten))) == 9
    with pytest.raises(NotReadable, match="more than 10 events"):
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
