"""What somebody believes to be held in a room: keys and pedals that are down, by player."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from rhythm_protocol.messages import SlotState
from rhythm_protocol.midi import CONTROL_CHANGE, NOTE_OFF, NOTE_ON

__all__ = ["KEY", "PEDAL", "PEDALS", "Held", "Picture"]

KEY: Final = "key"
PEDAL: Final = "pedal"
PEDALS: Final = (64, 66, 67)  # sustain, sostenuto, soft
_ALL_OFF: Final = frozenset({120, 123, 124, 125, 126, 127})  # All Sound Off, and what implies All Notes Off
_RESET_ALL: Final = 121


class Held(NamedTuple):
    """One key or pedal that is down. `number` is the key's or the controller's."""

    slot: int
    channel: int
    what: str
    number: int


class Picture:
    """What is held, as far as a listener heard, kept as a synthesizer would.

    Attributes:
        held: what is down now.
        doubled: how many keys were pressed that were down already.
    """

    def __init__(self) -> None:
        self.held: set[Held] = set()
        self.doubled = 0

    def play(self, slot: int, status: int, data1: int, data2: int) -> None:
        """Take in one channel message."""
        kind, channel = status & 0xF0, status & 0x0F
        if kind == NOTE_ON and data2:
            self._press(Held(slot, channel, KEY, data1))
        elif kind in (NOTE_ON, NOTE_OFF):
            self.held.discard(Held(slot, channel, KEY, data1))
        elif kind == CONTROL_CHANGE:
            self._control(slot, channel, data1, data2)

    def replace(self, notes: Iterable[SlotState]) -> None:
        """Believe this and nothing else."""
        self.held.clear()
        for player in notes:
            for message in player.state:
                self.play(player.slot, *message)

    def forget(self, slot: int) -> None:
        """This player has gone."""
        self.held = {held for held in self.held if held.slot != slot}

    def _press(self, key: Held) -> None:
        self.doubled += key in self.held
        self.held.add(key)

    def _control(self, slot: int, channel: int, number: int, value: int) -> None:
        if number in PEDALS:
            pedal = Held(slot, channel, PEDAL, number)
            (self.held.add if value else self.held.discard)(pedal)
        elif number in _ALL_OFF:
            self._drop(slot, channel, KEY)
        elif number == _RESET_ALL:
            self._drop(slot, channel, PEDAL)

    def _drop(self, slot: int, channel: int, what: str) -> None:
        self.held = {held for held in self.held if held[:3] != (slot, channel, what)}
