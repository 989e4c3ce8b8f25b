"""Standard MIDI Files as music to be played: channel messages, each with the second at which it is due."""

from pathlib import Path
from typing import NamedTuple

from rhythmd.client.errors import FileError
from rhythmd.midi.parser import parse
from rhythmd.midi.reader import NotReadable, in_time
from rhythmd.midi.state import ChannelMessage

__all__ = ["Score", "ScoreEvent", "read_score"]


class ScoreEvent(NamedTuple):
    """A channel message; `due_s` counts from the start of the piece."""

    due_s: float
    message: ChannelMessage


class Score(NamedTuple):
    """A file as music.

    Args:
        events: all channel messages of all tracks in the order in which they are due; tempo changes are followed.
        warnings: what is wrong with the file and was forgiven, a sentence each.
    """

    events: list[ScoreEvent]
    warnings: tuple[str, ...]


def read_score(path: Path) -> Score:
    """The music in a file. Its data 2 is 0 where MIDI has one data byte.

    Raises:
        FileError: the file cannot be read, is no Standard MIDI File, or is empty.
    """
    try:
        file = parse(path.read_bytes())
        events = [
            ScoreEvent(timed.seconds, (timed.message >> 16, timed.message >> 8 & 0x7F, timed.message & 0x7F))
            for timed in in_time(file, with_drums=True)
        ]
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror}") from None
    except NotReadable as error:
        raise FileError(f"{path} is no MIDI file: {error}") from None
    if not events:
        forgiven = "".join(f"\n{warning}" for warning in file.warnings)
        raise FileError(f"{path} holds no music{forgiven}")
    return Score(events, file.warnings)
