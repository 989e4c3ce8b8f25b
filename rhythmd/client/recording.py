"""A room's music, collected to be written as a Standard MIDI File."""

import os
from pathlib import Path

from rhythm_protocol.midi import NOTE_ON
from rhythmd.client.errors import FileError
from rhythmd.midi import file as smf
from rhythmd.midi.state import ChannelMessage, HeldNotes

__all__ = ["Recording", "check_writable"]


class _Track:
    """One player's events as (ms, message)."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.events: list[tuple[int, ChannelMessage]] = []

    def in_order(self) -> list[tuple[int, ChannelMessage]]:
        """The events by the time at which they are due; those of one moment as they came."""
        return sorted(self.events, key=lambda event: event[0])

    def release(self, at_ms: int) -> None:
        """End what is held at `at_ms`, but not before the track's last event."""
        held = HeldNotes()
        for event_ms, message in self.in_order():
            held.apply(message)
            at_ms = max(at_ms, event_ms)
        self.events += [(at_ms, message) for message in held.release()]


class Recording:
    """The music of a room, a track for each player, from the first event on.

    Args:
        title: name of the piece in the file.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._tracks: dict[str, _Track] = {}

    def add(self, player: str, name: str, at_ms: int, message: ChannelMessage) -> None:
        """Add one event.

        Args:
            player: what tells players apart; the same one later goes on in the same track.
            name: of the track, taken from the player's first event.
            at_ms: when it is due, on any clock in ms that is the same for the whole recording.
        """
        if player not in self._tracks:
            self._tracks[player] = _Track(name)
        self._tracks[player].events.append((at_ms, message))

    def release(self, at_ms: int) -> None:
        """End everything that is held: nothing more will be heard of it."""
        for track in self._tracks.values():
            track.release(at_ms)

    @property
    def notes(self) -> int:
        """How many note-ons there are."""
        messages = (message for track in self._tracks.values() for _, message in track.events)
        return sum(status & 0xF0 == NOTE_ON and data2 > 0 for status, _, data2 in messages)

    def save(self, path: Path) -> None:
        """Write the file (format 1), whole or not at all. Raises FileError."""
        partial = path.with_name(f"{path.name}.part")
        try:
            partial.write_bytes(self._as_midi())
            partial.replace(path)
        except OSError as error:
            raise FileError(f"cannot write {path}: {error.strerror}") from None

    def _as_midi(self) -> bytes:
        times = [at_ms for track in self._tracks.values() for at_ms, _ in track.events]
        tracks = [(track.name, track.in_order()) for track in self._tracks.values()]
        return smf.encode(self._title, tracks, min(times, default=0))


def check_writable(path: Path) -> None:
    """Raise FileError when a recording could not be written to `path`: better now than after the music."""
    if not path.parent.is_dir():
        raise FileError(f"cannot write {path}: there is no folder {path.parent}")
    if path.is_dir():
        raise FileError(f"cannot write {path}: it is a folder")
    if not os.access(path.parent, os.W_OK):
        raise FileError(f"cannot write {path}: the folder is not writable")
