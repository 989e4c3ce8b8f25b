from pathlib import Path

import pytest
from mido import Message, MetaMessage, MidiFile, MidiTrack

from bench.score import ScoreEvent, read_parts

DATA = Path(__file__).parents[2] / "bench" / "data"
PIECES = sorted(DATA.glob("*.mid"))


def test_read_parts_follows_a_change_of_tempo(tmp_path: Path) -> None:
    file = MidiFile(ticks_per_beat=100)
    file.tracks.append(
        MidiTrack([MetaMessage("set_tempo", tempo=500_000), MetaMessage("set_tempo", tempo=1_000_000, time=200)])
    )
    on, off = Message("note_on", note=60, velocity=64, time=100), Message("note_on", note=60, velocity=0, time=200)
    file.tracks.append(MidiTrack([on, off]))
    file.save(tmp_path / "tempo.mid")
    # From tick 100: half a second a quarter up to tick 200, then a second a quarter.
    assert read_parts(tmp_path / "tempo.mid") == [
        [ScoreEvent(0.0, 0, 60, is_press=True), ScoreEvent(1.5, 0, 60, is_press=False)]
    ]


def test_read_parts_of_a_file_without_notes_is_refused(tmp_path: Path) -> None:
    MidiFile(tracks=[MidiTrack([MetaMessage("track_name", name="nothing")])]).save(tmp_path / "empty.mid")
    with pytest.raises(ValueError, match="no notes"):
        read_parts(tmp_path / "empty.mid")


@pytest.mark.parametrize("path", PIECES, ids=lambda path: path.stem)
def test_read_parts_of_each_piece_releases_every_press(path: Path) -> None:
    for part in read_parts(path):
        held: set[tuple[int, int]] = set()
        for event in part:
            (held.add if event.is_press else held.remove)((event.channel, event.key))
        assert not held


@pytest.mark.parametrize("path", PIECES, ids=lambda path: path.stem)
def test_each_piece_lasts_between_half_a_minute_and_two(path: Path) -> None:
    assert 30 <= max(part[-1].due for part in read_parts(path)) <= 120
