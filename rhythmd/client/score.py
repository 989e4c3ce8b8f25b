"""Standard MIDI Files as music to be played: channel messages, each with the second at which it is due."""

from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from mido import KeySignatureError, MidiFile

from rhythmd.client.errors import FileError
from rhythmd.midi.state import ChannelMessage

__all__ = ["ScoreEvent", "read_score"]


class ScoreEvent(NamedTuple):
    """A channel message; `due_s` counts from the start of the piece."""

    due_s: float
    message: ChannelMessage


def read_score(path: Path) -> list[ScoreEvent]:
    """All channel messages of all tracks in the order in which they are due; tempo changes are followed.

    Raises:
        FileError: the file cannot be read, is no Standard MIDI File with a common time for its tracks, or is empty.
    """
    file = _parse(path)
    if file.type == 2 or file.ticks_per_beat <= 0:
        raise FileError(f"{path}: MIDI files of format 2 or with SMPTE time are not supported")
    events: list[ScoreEvent] = []
    due_s = 0.0
    for message in file:
        due_s += message.time
        if not message.is_meta and message.type != "sysex":
            events.append(ScoreEvent(due_s, _three_bytes(message.bytes())))
    if not events:
        raise FileError(f"{path} holds no music")
    return events


def _parse(path: Path) -> MidiFile:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror}") from None
    try:
        return MidiFile(file=BytesIO(content))
    except EOFError:
        raise FileError(f"{path} is no MIDI file, or only a part of one") from None
    except (OSError, ValueError, LookupError, TypeError, KeySignatureError) as error:
        # mido has no errors of its own for broken files: these are what its readers raise.
        raise FileError(f"{path} is no MIDI file: {error}") from None


def _three_bytes(message: list[int]) -> ChannelMessage:
    """The message in the wire's form, whose data 2 is 0 where MIDI has one data byte."""
    status, data1, *rest = message
    return status, data1, rest[0] if rest else 0
