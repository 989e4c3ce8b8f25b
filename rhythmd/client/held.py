"""What one player holds, so that it can be let go when the player stops in the middle."""

from typing import Final

from rhythm_protocol.midi import CONTROL_CHANGE, NOTE_OFF, NOTE_ON

__all__ = ["ChannelMessage", "HeldNotes"]

ChannelMessage = tuple[int, int, int]
"""Status, data 1, data 2."""

_PEDALS: Final = frozenset({64, 66, 67})  # sustain, sostenuto, soft
_ALL_OFF: Final = frozenset({120, 123, 124, 125, 126, 127})  # All Sound Off, and what implies All Notes Off


class HeldNotes:
    """Keys that are down and pedals that are not up, on all channels."""

    __slots__ = ("_keys", "_pedals")

    def __init__(self) -> None:
        self._keys: dict[tuple[int, int], None] = {}
        self._pedals: dict[tuple[int, int], None] = {}

    def apply(self, message: ChannelMessage) -> None:
        """Take in one channel message, in the order in which it is played."""
        status, data1, data2 = message
        kind, channel = status & 0xF0, status & 0x0F
        if kind in (NOTE_ON, NOTE_OFF):
            _set(self._keys, (channel, data1), down=kind == NOTE_ON and data2 > 0)
        elif kind == CONTROL_CHANGE and data1 in _PEDALS:
            _set(self._pedals, (channel, data1), down=data2 > 0)
        elif kind == CONTROL_CHANGE and data1 in _ALL_OFF:
            self._keys = {held: None for held in self._keys if held[0] != channel}

    def release(self) -> list[ChannelMessage]:
        """The messages that let go of everything; nothing is held afterwards."""
        messages = [(NOTE_OFF | channel, key, 0) for channel, key in self._keys]
        messages += [(CONTROL_CHANGE | channel, pedal, 0) for channel, pedal in self._pedals]
        self._keys.clear()
        self._pedals.clear()
        return messages


def _set(held: dict[tuple[int, int], None], what: tuple[int, int], *, down: bool) -> None:
    if down:
        held[what] = None
    else:
        held.pop(what, None)
