"""What a synthesizer does with channel messages, written apart from the server's own note state."""

from collections.abc import Iterable

from rhythm_protocol.midi import MidiEvent

__all__ = ["Synthesizer"]

CENTRE = 0x2000
PEDALS = {("controller", 64), ("controller", 66), ("controller", 67), ("controller", 69)}
# What Reset All Controllers sets besides the parameter numbers, and to what (MIDI RP-015).
RESET_TO = {1: 0, 11: 127, 33: 0, 43: 127, 64: 0, 65: 0, 66: 0, 67: 0, 69: 0}
SELECTORS = (98, 99, 100, 101)
NULL = (127, 127)
POLY = 127 << 8
# Registered parameters as they are at first: bend range, tunings, tuning program and bank, modulation depth.
PARAMETERS = {0: 2 << 7, 1: 64 << 7, 2: 64 << 7, 3: 0, 4: 0, 5: 64}


class Synthesizer:
    """`state` holds what is not as in a fresh synthesizer: (what, channel, number) -> value.

    It is of General MIDI: at first omni is off, and it is polyphonic.
    A program is (bank, bank's lower half, program). A parameter is 1 << 14 | its number if it is unregistered.

    Args:
        clears_lower: whether the upper half of a controller of 14 bits clears the lower one, as MIDI 1.0 has it.
    """

    def __init__(self, *, clears_lower: bool = True) -> None:
        self.state: dict[tuple[str, int, int], int] = {}
        self._clears_lower = clears_lower
        self._waiting: dict[int, list[int]] = {}

    def play(self, messages: Iterable[tuple[int, int, int]]) -> None:
        for status, data1, data2 in messages:
            self._play(status & 0xF0, status & 0x0F, data1, data2)

    def hear(self, events: Iterable[MidiEvent]) -> None:
        self.play(event[1:] for event in events)

    @property
    def rings(self) -> bool:
        """Whether a key or a pedal is down or the pitch is bent: what must end when its player is gone."""
        return any(what in ("key", "bend") or (what, number) in PEDALS for what, _, number in self.state)

    def _play(self, kind: int, channel: int, data1: int, data2: int) -> None:
        match kind:
            case 0x90 | 0x80:
                self._strike(channel, data1, data2 if kind == 0x90 else 0)
            case 0xA0 if ("key", channel, data1) in self.state:
                self._set("key pressure", channel, data1, data2, 0)
            case 0xB0 if data1 >= 120:
                self._change_mode(channel, data1, data2)
            case 0xB0 if data1 in SELECTORS:
                self._set("selector", channel, data1, data2, 127)
                is_null = not any(("selector", channel, number) in self.state for number in SELECTORS)
                self._set("unregistered", channel, 0, int(data1 < 100 and not is_null), 0)
            case 0xB0 if data1 in (6, 38, 96, 97):
                self._enter(channel, data1, data2)
            case 0xB0:
                self._control(channel, data1, data2)
            case 0xC0:
                bank = self.state.get(("controller", channel, 0), 0) << 7 | self.state.get(
                    ("controller", channel, 32), 0
                )
                self._set("program", channel, 0, bank << 7 | data1, 0)
            case 0xD0:
                self._set("pressure", channel, 0, data1, 0)
            case 0xE0:
                self._set("bend", channel, 0, data1 | data2 << 7, CENTRE)

    def _strike(self, channel: int, key: int, velocity: int) -> None:
        """In mono mode the key that sounds is the last one of those that are down; the others wait in their order."""
        self._set("key", channel, key, velocity, 0)
        self._set("key pressure", channel, key, 0, 0)
        down = [each for each in self._waiting.get(channel, []) if each != key]
        self._waiting[channel] = [*down, key] if velocity else down
        is_mono = self.state.get(("voices", channel, 0), POLY) != POLY
        for each in range(128):
            place = self._waiting[channel].index(each) + 1 if is_mono and each in self._waiting[channel] else 0
            self._set("place", channel, each, place, 0)

    def _control(self, channel: int, number: int, value: int) -> None:
        if number in (0, 32):
            self._set("controller", channel, number, value, 0)
        else:
            self._set("controller", channel, number, value, RESET_TO.get(number, -1))
        if number < 32 and self._clears_lower:
            self.state.pop(("controller", channel, number + 32), None)

    def _enter(self, channel: int, number: int, value: int) -> None:
        kind = self.state.get(("unregistered", channel, 0), 0)
        pair = (99, 98) if kind else (101, 100)
        upper, lower = (self.state.get(("selector", channel, selector), 127) for selector in pair)
        if (upper, lower) == NULL:
            return
        parameter = kind << 14 | upper << 7 | lower
        first = PARAMETERS.get(parameter, 0)
        before = self.state.get(("parameter", channel, parameter), first)
        if number == 6:
            after = value << 7 | (0 if self._clears_lower else before & 0x7F)
        elif number == 38:
            after = before & ~0x7F | value
        else:
            after = self._step(parameter, before, 1 if number == 96 else -1)
        self._set("parameter", channel, parameter, after, first)

    @staticmethod
    def _step(parameter: int, value: int, by: int) -> int:
        """MIDI RP-018: semitones for coarse tuning and tables, cents of bend range, else the lower half."""
        if parameter in (2, 3, 4):
            return value + (by << 7) if 0 <= (value >> 7) + by <= 127 else value
        if parameter == 0 and value & 0x7F < 100:
            cents = min(max((value >> 7) * 100 + (value & 0x7F) + by, 0), 12_799)
            return cents // 100 << 7 | cents % 100
        return min(max(value + by, 0), 0x3FFF)

    def _set(self, what: str, channel: int, number: int, value: int, default: int) -> None:
        if value == default:
            self.state.pop((what, channel, number), None)
        else:
            self.state[what, channel, number] = value

    def _change_mode(self, channel: int, number: int, value: int) -> None:
        if number == 121:
            for controller, value in RESET_TO.items():
                self._set("controller", channel, controller, value, value)
            for selector in SELECTORS:
                self._set("selector", channel, selector, 127, 127)
            self._set("unregistered", channel, 0, 0, 0)
            self._set("pressure", channel, 0, 0, 0)
            self._set("bend", channel, 0, CENTRE, CENTRE)
            for key in range(128):
                self._set("key pressure", channel, key, 0, 0)
        elif number != 122:  # local control
            for key in list(self._waiting.get(channel, [])):
                self._strike(channel, key, 0)
            if number in (124, 125):
                self._set("omni", channel, 0, number, 124)
            elif number in (126, 127):
                self._set("voices", channel, 0, number << 8 | (value if number == 126 else 0), POLY)
