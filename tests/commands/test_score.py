"""Reading Standard MIDI Files."""

from contextlib import suppress
from pathlib import Path

import pytest
from mido import Message, MetaMessage, MidiFile, MidiTrack

from rhythmd.client.errors import FileError
from rhythmd.client.score import ScoreEvent, read_score


def saved(path: Path, *tracks: list[Message | MetaMessage], kind: int = 1) -> Path:
    MidiFile(type=kind, ticks_per_beat=100, tracks=[MidiTrack(track) for track in tracks]).save(path)
    return path


def test_read_score_merges_tracks_by_time(tmp_path: Path) -> None:
    first = [Message("note_on", note=60, velocity=64, time=100), Message("note_off", note=60, time=100)]
    second = [Message("note_on", channel=1, note=48, velocity=50, time=150)]
    assert read_score(saved(tmp_path / "a.mid", first, second)).events[:3] == [
        ScoreEvent(0.5, (0x90, 60, 64)),
        ScoreEvent(0.75, (0x91, 48, 50)),
        ScoreEvent(1.0, (0x80, 60, 64)),
    ]


def test_read_score_follows_tempo_changes_of_another_track(tmp_path: Path) -> None:
    tempo = [MetaMessage("set_tempo", tempo=1_000_000), MetaMessage("set_tempo", tempo=250_000, time=200)]
    notes = [Message("note_on", note=60, velocity=1, time=100), Message("note_on", note=61, velocity=1, time=300)]
    score = read_score(saved(tmp_path / "a.mid", tempo, notes))
    assert [event.due_s for event in score.events[:2]] == pytest.approx([1.0, 2.5])


def test_read_score_takes_every_channel_message_and_nothing_else(tmp_path: Path) -> None:
    track = [
        MetaMessage("lyrics", text="la"),
        Message("sysex", data=[1, 2]),
        Message("program_change", program=5, channel=2),
        Message("control_change", control=64, value=127),
        Message("pitchwheel", pitch=0),
        Message("aftertouch", value=9),
        Message("polytouch", note=60, value=8),
    ]
    messages = [event.message for event in read_score(saved(tmp_path / "a.mid", track)).events]
    assert messages == [(0xC2, 5, 0), (0xB0, 64, 127), (0xE0, 0, 64), (0xD0, 9, 0), (0xA0, 60, 8)]


def test_read_score_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"cannot read .*nothing\.mid: No such file"):
        read_score(tmp_path / "nothing.mid")


def test_read_score_without_music_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="holds no music"):
        read_score(saved(tmp_path / "a.mid", [MetaMessage("lyrics", text="la")]))


@pytest.mark.parametrize("content", [b"", b"MThd", b"RIFF and more of it", b"MThd\x00\x00\x00\x06\x00\x01\x00\x01\x01"])
def test_read_score_no_midi_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.mid"
    path.write_bytes(content)
    with pytest.raises(FileError, match="is no MIDI file"):
        read_score(path)


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_read_score_broken_anywhere_raises_nothing_else(tmp_path: Path, mask: int) -> None:
    head = [MetaMessage(kind) for kind in ("key_signature", "time_signature", "set_tempo", "smpte_offset", "text")]
    notes = [Message("note_on", note=60, time=9), Message("sysex", data=[1]), Message("pitchwheel", time=200)]
    content = saved(tmp_path / "whole.mid", head, notes).read_bytes()
    path = tmp_path / "broken.mid"
    for at, byte in enumerate(content):
        path.write_bytes(content[:at] + bytes((byte ^ mask,)) + content[at + 1 :])
        with suppress(FileError):
            read_score(path)
