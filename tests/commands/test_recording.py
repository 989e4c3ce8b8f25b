"""Writing what was heard as a Standard MIDI File."""

from pathlib import Path

import pytest
from mido import MidiFile

from rhythmd.client.errors import FileError
from rhythmd.client.recording import Recording, check_writable
from rhythmd.client.score import ScoreEvent, read_score

NOTE_ON = (0x90, 60, 100)
NOTE_OFF = (0x80, 60, 0)


def written(recording: Recording, folder: Path) -> tuple[MidiFile, list[ScoreEvent]]:
    path = folder / "out.mid"
    recording.save(path)
    assert [entry.name for entry in folder.iterdir()] == ["out.mid"]
    return MidiFile(path, charset="utf-8"), read_score(path).events


def test_save_writes_a_track_for_each_player(tmp_path: Path) -> None:
    recording = Recording("Salon")
    recording.add("u1", "Clara", 5_000, NOTE_ON)
    recording.add("u2", "Žofie 🎹", 5_001, (0xC1, 9, 0))
    recording.add("u1", "Clara S.", 6_000, NOTE_OFF)
    file, _ = written(recording, tmp_path)
    assert file.type == 1
    assert [track.name for track in file.tracks] == ["Salon", "Clara", "Žofie 🎹"]


def test_save_keeps_every_millisecond(tmp_path: Path) -> None:
    recording = Recording("Salon")
    times = [90_000, 90_001, 90_007, 90_500, 600_000]
    for at_ms in times:
        recording.add("u1", "Clara", at_ms, (0xB0, 1, 64))
    _, events = written(recording, tmp_path)
    assert [round(event.due_s * 1_000, 6) for event in events] == [at_ms - times[0] for at_ms in times]


def test_save_sorts_by_due_time(tmp_path: Path) -> None:
    recording = Recording("Salon")
    recording.add("u1", "Clara", 2_000, NOTE_OFF)
    recording.add("u1", "Clara", 1_000, NOTE_ON)
    _, events = written(recording, tmp_path)
    assert [event.message for event in events] == [NOTE_ON, NOTE_OFF]


def test_release_ends_what_is_held_after_the_last_event(tmp_path: Path) -> None:
    recording = Recording("Salon")
    recording.add("u1", "Clara", 1_000, NOTE_ON)
    recording.add("u1", "Clara", 3_000, (0xB0, 64, 127))
    recording.release(2_000)
    _, events = written(recording, tmp_path)
    assert [event.message for event in events[2:]] == [NOTE_OFF, (0xB0, 64, 0)]
    assert [event.due_s for event in events[2:]] == pytest.approx([2.0, 2.0])


def test_save_without_music_is_a_valid_file(tmp_path: Path) -> None:
    path = tmp_path / "out.mid"
    Recording("Salon").save(path)
    assert len(MidiFile(path).tracks) == 1


def test_save_replaces_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "out.mid"
    path.write_text("old")
    Recording("Salon").save(path)
    assert MidiFile(path).type == 1


def test_notes_counts_note_ons() -> None:
    recording = Recording("Salon")
    for message in (NOTE_ON, (0x90, 60, 0), NOTE_OFF, (0x91, 1, 1)):
        recording.add("u1", "Clara", 0, message)
    assert recording.notes == 2


def test_save_without_the_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot write"):
        Recording("Salon").save(tmp_path / "nowhere" / "out.mid")


def test_check_writable_refuses_what_cannot_be_written(tmp_path: Path) -> None:
    check_writable(tmp_path / "out.mid")
    for path in (tmp_path, tmp_path / "nowhere" / "out.mid"):
        with pytest.raises(FileError, match="cannot write"):
            check_writable(path)
