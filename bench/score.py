"""Standard MIDI files as parts to be played: presses and releases with the second they are due."""

from pathlib import Path
from typing import NamedTuple

from mido import MidiFile, MidiTrack, merge_tracks, tick2second

__all__ = ["ScoreEvent", "read_parts"]

_DEFAULT_TEMPO_US = 500_000  # Standard MIDI Files 1.0: 120 quarters a minute until a tempo event


class ScoreEvent(NamedTuple):
    """A press or release; `due` counts seconds from the first one of the file."""

    due: float
    channel: int
    key: int
    is_press: bool


def _tempo_changes(file: MidiFile) -> list[tuple[int, int]]:
    """Tick and microseconds a quarter of each change, in order, from tick 0 on."""
    tick, changes = 0, [(0, _DEFAULT_TEMPO_US)]
    for message in merge_tracks(file.tracks):
        tick += message.time
        if message.type == "set_tempo":
            changes.append((tick, message.tempo))
    return changes


def _second_of(tick: int, changes: list[tuple[int, int]], ticks_per_quarter: int) -> float:
    seconds = 0.0
    for (start, tempo), (end, _) in zip(changes, [*changes[1:], (tick, 0)], strict=True):
        seconds += tick2second(max(0, min(end, tick) - start), ticks_per_quarter, tempo)
    return seconds


def _events(track: MidiTrack, changes: list[tuple[int, int]], ticks_per_quarter: int) -> list[ScoreEvent]:
    tick, events = 0, []
    for message in track:
        tick += message.time
        if message.type in {"note_on", "note_off"}:
            due = _second_of(tick, changes, ticks_per_quarter)
            is_press = message.type == "note_on" and message.velocity > 0
            events.append(ScoreEvent(due, message.channel, message.note, is_press))
    return events


def read_parts(path: Path) -> list[list[ScoreEvent]]:
    """One list of events for each track that has notes.

    Raises:
        OSError: the file cannot be read.
        ValueError: it holds no notes.
    """
    file = MidiFile(path)
    changes = _tempo_changes(file)
    tracks = [_events(track, changes, file.ticks_per_beat) for track in file.tracks]
    parts = [part for part in tracks if part]
    if not parts:
        raise ValueError(f"{path} holds no notes")
    first = min(part[0].due for part in parts)
    return [[event._replace(due=event.due - first) for event in part] for part in parts]
