"""A piece as a player without hands has it: every channel message with its time, ready to be played from any place."""

import time
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final

from rhythm_protocol.midi import CONTROL_CHANGE, PITCH_BEND, PROGRAM_CHANGE
from rhythmd.midi.parameters import PARAMETER_CONTROLLERS
from rhythmd.midi.state import BANK, MONO, OMNI, POLY, ChannelMessage, NoteState, is_of_a_key

__all__ = ["MESSAGE_SIZE", "Score", "way_to"]

MESSAGE_SIZE: Final = 3
STEP: Final = 1_024  # messages from one checkpoint to the next: to read so many takes half a millisecond
REST_S: Final = 0.0001  # between two of them, in which the event loop gets its turn
_NO_OFFSET: Final = b"\0\0"

# Where a controller is before anything was sent (MIDI RP-015, General MIDI level 2); the others are at 0.
AT_FIRST: Final = {
    7: 100,
    8: 64,
    10: 64,
    11: 127,
    **dict.fromkeys(range(70, 80), 64),
}
MODE_AT_FIRST: Final = {**dict.fromkeys(OMNI, min(OMNI)), MONO: POLY, POLY: POLY}


class Score:
    """All of a piece. It is made off the loop: for a million messages that takes a second.

    Args:
        times: when each message is due, ms from the beginning, in order.
        messages: three bytes each, in the same order; the last is 0 where MIDI has one data byte.
        duration_ms: of the piece; a message may come a little later, such as a pedal's.

    Attributes:
        times, messages, duration_ms: the same.
        ends_ms: when nothing is left to play.
    """

    __slots__ = ("_checkpoints", "duration_ms", "ends_ms", "messages", "times")

    def __init__(self, times: "array[int]", messages: bytes, duration_ms: int) -> None:
        self.times = times
        self.messages = messages
        self.duration_ms = duration_ms
        self.ends_ms = max(duration_ms, times[-1] if times else 0)
        # What the controllers and programs are at each `STEP`th message: without these, to begin near the end of a long
        # piece would mean to read all of it.
        self._checkpoints: list[bytes] = []
        state = NoteState()
        for at in range(0, len(times), STEP):
            if at:
                time.sleep(REST_S)
            settings = _packed(_settings(state))
            is_same = bool(self._checkpoints) and settings == self._checkpoints[-1]
            self._checkpoints.append(self._checkpoints[-1] if is_same else settings)
            state.apply(self._between(at, at + STEP), 0)

    @classmethod
    def of(cls, events: Sequence[tuple[int, ChannelMessage]], duration_ms: int | None = None) -> "Score":
        """The score of (ms, message) pairs in order; it lasts until the last of them, unless it says otherwise."""
        times = array("I", [at_ms for at_ms, _ in events])
        last_ms = times[-1] if times else 0
        return cls(times, b"".join(map(bytes, (message for _, message in events))), duration_ms or last_ms)

    @property
    def size(self) -> int:
        """Bytes of memory, about."""
        settings = {id(checkpoint): len(checkpoint) for checkpoint in self._checkpoints}
        return len(self.messages) + len(self.times) * self.times.itemsize + sum(settings.values())

    def __len__(self) -> int:
        """How many messages there are."""
        return len(self.times)

    def index_at(self, position_ms: float) -> int:
        """The number of the first message that is not due before `position_ms`."""
        return bisect_left(self.times, position_ms)

    def index_after(self, position_ms: float) -> int:
        """The number of the first message that is due after `position_ms`."""
        return bisect_right(self.times, position_ms)

    def settings_before(self, index: int) -> list[ChannelMessage]:
        """What brings an instrument to where message number `index` finds it, but for the keys."""
        if not self._checkpoints:
            return []
        number = min(index // STEP, len(self._checkpoints) - 1)
        state = NoteState()
        state.apply(self._checkpoints[number], 0)
        state.apply(self._between(number * STEP, index), 0)
        return _settings(state)

    def _between(self, start: int, stop: int) -> bytes:
        """Messages as events of the wire, without offsets."""
        part = self.messages[start * MESSAGE_SIZE : stop * MESSAGE_SIZE]
        return b"".join(_NO_OFFSET + part[at : at + MESSAGE_SIZE] for at in range(0, len(part), MESSAGE_SIZE))


def way_to(settings: Sequence[ChannelMessage], state: NoteState) -> list[ChannelMessage]:
    """What leads an instrument that is at `state`, with nothing held, to `settings`.

    What is set now and not there goes back to where it was at first. All that is set there is said, also what is the
    same: a program comes from the bank in force, which may be another one.
    """
    goal = NoteState()
    goal.apply(_packed(settings), 0)
    there = {_subject(message) for message in settings}
    back = (_at_first(message) for message in _settings(state) if _goes_back(message, there))
    return [*dict.fromkeys(back), *state.way_back(goal), *settings]


def _goes_back(message: ChannelMessage, there: set[tuple[int, int]]) -> bool:
    """Whether a setting is taken back. A bank is where a program is set: that may have been chosen before any bank."""
    status, data1, _ = message
    is_control = status & 0xF0 == CONTROL_CHANGE
    if is_control and data1 in PARAMETER_CONTROLLERS:
        return False
    has_program = (PROGRAM_CHANGE | status & 0x0F, 0) in there
    return (is_control and data1 in BANK and has_program) or _subject(message) not in there


def _settings(state: NoteState) -> list[ChannelMessage]:
    return [message for message in state.snapshot() if not is_of_a_key(message)]


def _packed(messages: Sequence[ChannelMessage]) -> bytes:
    return b"".join(_NO_OFFSET + bytes(message) for message in messages)


def _subject(message: ChannelMessage) -> tuple[int, int]:
    """What a message is about: a channel's controller, or its program, bend or pressure."""
    status, data1, _ = message
    if status & 0xF0 != CONTROL_CHANGE:
        return status, 0
    return status, MONO if data1 == POLY else min(OMNI) if data1 in OMNI else data1


def _at_first(message: ChannelMessage) -> ChannelMessage:
    """What takes a setting back."""
    status, data1, _ = message
    match status & 0xF0:
        case kind if kind == CONTROL_CHANGE and data1 in MODE_AT_FIRST:
            return status, MODE_AT_FIRST[data1], 0
        case kind if kind == CONTROL_CHANGE:
            return status, data1, AT_FIRST.get(data1, 0)
        case kind if kind == PITCH_BEND:
            return status, 0x00, 0x40
        case kind if kind == PROGRAM_CHANGE:
            return status, 0, 0
        case _:
            return status, 0, 0
