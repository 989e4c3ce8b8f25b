"""What one player holds and has set, so that it can be let go, restored, or compared with what the server knows."""

from collections.abc import Iterable, Sequence

from rhythm_protocol.midi import NOTE_ON
from rhythmd.midi.state import ChannelMessage, NoteState

__all__ = ["ChannelMessage", "HeldNotes"]


class HeldNotes:
    """Keys, pedals and the other controllers, program, bend and pressure on all channels, by the server's own rules."""

    __slots__ = ("_state",)

    def __init__(self, messages: Iterable[ChannelMessage] = ()) -> None:
        self._state = NoteState()
        for message in messages:
            self.apply(message)

    def apply(self, message: ChannelMessage) -> None:
        """Take in one channel message, in the order in which it is played."""
        self._state.apply(bytes((0, 0, *message)), 0)

    def release(self) -> list[ChannelMessage]:
        """The messages that let go of everything; nothing is held afterwards."""
        return self._state.release()

    def settings(self) -> list[ChannelMessage]:
        """The messages that bring another player's instrument here, but for the keys."""
        return [message for message in self._state.snapshot() if message[0] & 0xF0 != NOTE_ON]

    def changes_to(self, state: Sequence[ChannelMessage]) -> tuple[list[ChannelMessage], list[ChannelMessage]]:
        """What leads from here to `state`, the server's word: the messages that end something, and what begins."""
        here = self._state.snapshot()
        over = HeldNotes(message for message in here if message not in state)
        return over.release(), [message for message in state if message not in here]
