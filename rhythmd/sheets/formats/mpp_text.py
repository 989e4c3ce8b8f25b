"""Multiplayer-piano text: the note messages of multiplayerpiano.net, as its bots record and replay them, in JSON.

Taken is a whole JSON document, or one in each line:

- a message `{"m": "n", "t": Unix ms, "p": player, "n": [notes]}`; messages of other kinds are passed over,
- an array of messages: what was sent in one frame, or a whole recording,
- an array of notes `{"n": "c4", "v": 0.5, "d": 100}` without a message around it: `d` counts from the beginning.

A note's name is a letter, `s` for sharp and an octave; `c3` is MIDI key 60. `v` is 0 to 1 (0.5 if absent), `d` the
milliseconds after the message's `t`, `s: 1` a release. A note that nobody releases sounds until its key is pressed
again, ten seconds at most. A tick is a millisecond.
"""

import math
import re
from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import Struct, field

from rhythmd.rows import ScoreFacts, SheetCategory
from rhythmd.sheets.formats.bounds import (
    MAX_DURATION_MS,
    RefusedFile,
    at_line,
    checked_notes,
    numbered_lines,
    printable,
    tidy,
)
from rhythmd.sheets.formats.performance import Performance, Sounding, Track

__all__ = ["NO_RECORDING", "is_json", "read_mpp"]

NO_RECORDING: Final = "this is JSON, but no multiplayer-piano text"

_TICKS_PER_QUARTER: Final = 480
_TEMPO_US: Final = 480_000
_DEFAULT_VELOCITY: Final = 0.5
_LONGEST_MS: Final = 10_000
_MAX_PLAYERS: Final = 1_000
_MELODIC_CHANNELS: Final = (0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15)
_NAME: Final = re.compile(r"([a-g])(s?)(-?\d)")
_SEMITONES: Final = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}


class _Press(Struct):
    """A press or, with velocity 0, a release; `at` is ms of whatever clock the file has."""

    at: float
    key: int
    velocity: int


class _Recording(Struct):
    """Everything read, by player. `place` names what is being read, for refusals."""

    players: dict[str, list[_Press]] = field(default_factory=dict)
    count: int = 0
    place: str = ""

    def refused(self, reason: str) -> RefusedFile:
        return RefusedFile(f"{self.place}: {reason}" if self.place else reason)


def read_mpp(text: str) -> tuple[ScoreFacts, Performance]:
    """The facts and the music of a whole file.

    Raises:
        RefusedFile: it does not parse, or is beyond a bound.
    """
    recording = _Recording()
    for line, document in _documents(text):
        _read_document(recording, line, document)
    if not recording.count:
        raise RefusedFile("it has no notes")
    performance = _perform(recording)
    performance.clean()
    return (
        ScoreFacts(
            category=SheetCategory.MULTIPLAYER_PIANO,
            duration_ms=performance.duration_ms,
            notes=performance.notes,
            parts=performance.parts,
        ),
        performance,
    )


def is_json(text: str) -> bool:
    """Whether a text is one object or list of JSON."""
    try:
        return isinstance(msgspec.json.decode(text), dict | list)
    except (msgspec.DecodeError, RecursionError):
        return False


def _documents(text: str) -> Iterator[tuple[int, object]]:
    """The whole text as one document, or each of its lines; with the line in which it begins."""
    try:
        yield 1, msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        lines = [(number, line) for number, line in numbered_lines(text) if line.strip()]
        if len(lines) < 2 or not _is_document(lines[0][1]):
            raise _broken(text, error) from None
        for number, line in lines:
            try:
                yield number, msgspec.json.decode(line)
            except (msgspec.DecodeError, RecursionError) as line_error:
                raise at_line(number, _reason(line_error)) from None


def _is_document(line: str) -> bool:
    try:
        msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _broken(text: str, error: Exception) -> RefusedFile:
    """The refusal of one document, with the line of the byte that the decoder names."""
    match = re.search(r"byte (\d+)", str(error))
    content = text.encode()
    end = int(match[1]) if match else len(content)
    return at_line(content.count(b"\n", 0, end) + 1, _reason(error))


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "the JSON is nested too deeply"
    return f"this is no JSON ({str(error).removeprefix('JSON is malformed: ')})"


def _read_document(recording: _Recording, line: int, document: object) -> None:
    entries = document if isinstance(document, list) else [document]
    if not any(_is_known(entry) for entry in entries):
        raise at_line(line, NO_RECORDING)
    if all(isinstance(entry, dict) and "m" not in entry for entry in entries):
        recording.place = f"line {line}"
        _read_notes(recording, "", 0.0, entries)
        return
    for number, entry in enumerate(entries, 1):
        recording.place = f"line {line}, message {number}"
        _read_entry(recording, line, entry)


def _is_known(entry: object) -> bool:
    """Whether this looks like a message, a note, or a frame, which may be empty."""
    if isinstance(entry, list):
        return not entry or any(isinstance(message, dict) and "m" in message for message in entry)
    return isinstance(entry, dict) and (isinstance(entry.get("m"), str) or isinstance(entry.get("n"), str))


def _read_entry(recording: _Recording, line: int, entry: object) -> None:
    """A message, or a frame of messages within a recording."""
    if isinstance(entry, list):
        place = recording.place
        for number, message in enumerate(entry, 1):
            recording.place = f"{place}.{number}"
            _read_message(recording, message)
    else:
        _read_message(recording, entry)


def _read_message(recording: _Recording, message: object) -> None:
    if not isinstance(message, dict) or not isinstance(message.get("m"), str):
        raise recording.refused("this is no message of multiplayerpiano.net")
    if message["m"] != "n":
        return
    notes = message.get("n")
    if not isinstance(notes, list):
        raise recording.refused("a note message has no list of notes")
    player = message.get("p", "")
    if not isinstance(player, str):
        raise recording.refused("a player's id is no text")
    _read_notes(recording, player, _number(recording, "t", message.get("t", 0)), notes)


def _read_notes(recording: _Recording, player: str, time: float, notes: list[object]) -> None:
    presses = recording.players.setdefault(player, [])
    if len(recording.players) > _MAX_PLAYERS:
        raise recording.refused(f"there are more than {_MAX_PLAYERS:,} players")
    place = recording.place
    for number, note in enumerate(notes, 1):
        recording.place = f"{place}, note {number}"
        press = _read_note(recording, time, note)
        presses.append(press)
        recording.count += press.velocity > 0
    recording.place = place
    checked_notes(recording.count)


def _read_note(recording: _Recording, time: float, note: object) -> _Press:
    if not isinstance(note, dict):
        raise recording.refused("this is no note")
    key = _key(recording, note.get("n"))
    delay = _number(recording, "d", note.get("d", 0))
    if note.get("s"):
        return _Press(time + delay, key, 0)
    velocity = _number(recording, "v", note.get("v", _DEFAULT_VELOCITY))
    if not 0 <= velocity <= 1:
        raise recording.refused(f"v is {velocity:g}, not between 0 and 1")
    # 0 is a release there, too; anything above it sounds.
    return _Press(time + delay, key, max(1, round(velocity * 127)) if velocity else 0)


def _key(recording: _Recording, name: object) -> int:
    if not isinstance(name, str):
        raise recording.refused("a note has no name")
    match = _NAME.fullmatch(name)
    if match is None:
        raise recording.refused(f"unknown note {printable(name)}")
    letter, sharp, octave = match.groups()
    key = 12 * (int(octave) + 2) + _SEMITONES[letter] + len(sharp)
    if not 0 <= key <= 127:
        raise recording.refused(f"{printable(match[0])} is not within MIDI's 128 keys")
    return key


def _number(recording: _Recording, name: str, value: object) -> float:
    """A number, as which libraries send a text, too."""
    try:
        number = float(value) if isinstance(value, int | float | str) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise recording.refused(f"{name} is no number")
    return number


def _perform(recording: _Recording) -> Performance:
    begin = min(press.at for presses in recording.players.values() for press in presses)
    end = max(press.at for presses in recording.players.values() for press in presses)
    if end - begin > MAX_DURATION_MS:
        raise RefusedFile(f"it lasts longer than {MAX_DURATION_MS // 3_600_000} hours")
    tracks = [
        Track(tidy(player) or "Piano", _channel(number), notes=_soundings(presses, begin))
        for number, (player, presses) in enumerate(recording.players.items())
    ]
    return Performance("", _TICKS_PER_QUARTER, tempos=[(0, _TEMPO_US)], tracks=tracks)


def _channel(number: int) -> int:
    """Players take turns in the channels, without that of the drums."""
    return _MELODIC_CHANNELS[number % len(_MELODIC_CHANNELS)]


def _soundings(presses: list[_Press], begin: float) -> list[Sounding]:
    down: dict[int, Sounding] = {}
    notes: list[Sounding] = []
    for press in sorted(presses, key=lambda press: press.at):  # of one moment, in the order of the file
        now = round(press.at - begin)
        before = down.pop(press.key, None)
        if before is not None:
            notes.append(before._replace(end=min(now, before.end)))
        if press.velocity:
            down[press.key] = Sounding(now, now + _LONGEST_MS, press.key, press.velocity)
    return [*notes, *down.values()]
