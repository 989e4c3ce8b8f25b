"""What a synthesizer does with channel messages, written apart from the server's own note state."""

from collections.abc import Iterable

from rhythm_protocol.midi import MidiEvent

__all__ = ["Synthesizer"]

CENTRE = 0x2000
PEDALS = {("controller", 64), ("controller", 66), ("controller", 67)}
# What Reset All Controllers sets, and to what (MIDI RP-015): modulation, expression, pedals, null parameter numbers.
RESET_TO = {1: 0, 11: 127, 64: 0, 65: 0, 66: 0, 67: 0, 98: 127, 99: 127, 100: 127, 101: 127}


class Synthesizer:
    """`state` holds what is not as in a fresh synthesizer: (what, channel, number) -> value."""

    def __init__(self) -> None:
        self.state: dict[tuple[str, int, int], int] = {}

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
            case 0x90:
                self._set("key", channel, data1, data2, 0)
            case 0x80:
                self._set("key", channel, data1, 0, 0)
            case 0xB0 if data1 >= 120:
                self._change_mode(channel, data1)
            case 0xB0:
                self._set("controller", channel, data1, data2, RESET_TO.get(data1, -1))
            case 0xC0:
                self._set("program", channel, 0, data1, 0)
            case 0xD0:
                self._set("pressure", channel, 0, data1, 0)
            case 0xE0:
                self._set("bend", channel, 0, data1 | data2 << 7, CENTRE)

    def _set(self, what: str, channel: int, number: int, value: int, default: int) -> None:
        if value == default:
            self.state.pop((what, channel, number), None)
        else:
            self.state[what, channel, number] = value

    def _change_mode(self, channel: int, number: int) -> None:
        if number == 121:
            for controller, value in RESET_TO.items():
                self._set("controller", channel, controller, value, value)
            self._set("pressure", channel, 0, 0, 0)
            self._set("bend", channel, 0, CENTRE, CENTRE)
        elif number != 122:  # local control
            for key in range(128):
                self._set("key", channel, key, 0, 0)
