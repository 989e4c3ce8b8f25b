"""The music of a room as a listener follows it: each event at its time, nothing stuck, nothing doubled."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import NamedTuple

from rhythm_protocol.binary import MidiBlock
from rhythm_protocol.clock import unwrap_ms
from rhythm_protocol.messages import SlotState
from rhythm_protocol.playout import LatenessMeter
from rhythmd.client.clock import ServerClock, local_us
from rhythmd.midi.state import ChannelMessage, HeldNotes

__all__ = ["Heard", "RoomMusic"]


class Heard(NamedTuple):
    """One event of a player.

    Attributes:
        at_ms: when it was played, on this computer's clock.
        due_ms: when everybody is to hear it: the room's playout delay later.
    """

    slot: int
    at_ms: int
    due_ms: int
    message: ChannelMessage


class _Part:
    """One player's events, in the order in which it comes, whatever the times say (PROTOCOL.md, "Playout")."""

    def __init__(self) -> None:
        self.held = HeldNotes()
        self._at_ms = 0
        self._due_ms = 0

    def take(self, at_ms: int, delay_ms: int, message: ChannelMessage) -> tuple[int, int]:
        """Take in one event; when it was played, and when it is due."""
        self.held.apply(message)
        self._at_ms = max(at_ms, self._at_ms)
        self._due_ms = max(self._at_ms + delay_ms, self._due_ms)
        return self._at_ms, self._due_ms


class RoomMusic:
    """Tells `tell` of every event.

    Attributes:
        delay_ms: the playout delay in force.
        sheet_slot: where a sheet comes from that the server plays; None for none. It comes ahead of its time, so that
            its lateness says nothing of how late the notes of players come in.
    """

    def __init__(self, tell: Callable[[Heard], None], clock: ServerClock) -> None:
        self.delay_ms = 0
        self.sheet_slot: int | None = None
        self._tell = tell
        self._lateness = LatenessMeter()
        self._parts: defaultdict[int, _Part] = defaultdict(_Part)
        self._follow(clock)

    def follow(self, clock: ServerClock) -> None:
        """Times are of `clock` from now on."""
        if clock is not self._clock:
            self._follow(clock)

    def _follow(self, clock: ServerClock) -> None:
        self._clock = clock
        # Fixed for as long as it runs: the estimate gets better, which must not bend the rhythm.
        self._ahead_ms = clock.now_ms() - local_us() // 1_000

    def report_lateness(self) -> int | None:
        """How late the notes of the last seconds came in, as `timing` tells it; None when there were none."""
        return self._lateness.report(self._clock.now_ms())

    def server_ms(self, local_ms: int) -> int:
        """The server's clock when this computer's shows `local_ms`."""
        return local_ms + self._ahead_ms

    def play(self, blocks: Iterable[MidiBlock]) -> None:
        """Blocks came in now."""
        now_ms = self._clock.now_ms()
        for slot, wire_ms, events in blocks:
            base_ms = unwrap_ms(wire_ms, now_ms)
            for event in events:
                at_ms = base_ms + event.offset_ms
                if event.is_note_on and slot != self.sheet_slot:
                    self._lateness.add(now_ms - at_ms, now_ms)
                self._take(slot, at_ms - self._ahead_ms, event[1:])

    def replace(self, notes: Iterable[SlotState], since_ms: int | None = None) -> None:
        """All that was known of what players hold gives way to `notes`.

        Args:
            since_ms: of this computer's clock; what is over is taken to have ended then. None: now.
        """
        now_ms = local_us() // 1_000
        states = {held.slot: held.state for held in notes}
        for slot in self._parts.keys() | states.keys():
            ends, begins = self._parts[slot].held.changes_to(states.get(slot, []))
            for message in ends:
                self._take(slot, now_ms if since_ms is None else since_ms, message)
            for message in begins:
                self._take(slot, now_ms, message)

    def forget(self, slot: int) -> None:
        """This player has gone; the server released what they held."""
        self._parts.pop(slot, None)

    def _take(self, slot: int, at_ms: int, message: ChannelMessage) -> None:
        played_ms, due_ms = self._parts[slot].take(at_ms, self.delay_ms, message)
        self._tell(Heard(slot, played_ms, due_ms, message))
