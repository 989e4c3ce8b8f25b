"""What a room plays, kept as it went over the wire, and the tapes that run in one room.

A tape only appends bytes: on the hot path nothing is decoded. `hub/recording/transcript.py` reads it, off the loop.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from rhythmd.clock import server_ms
from rhythmd.hub.rooms.members import Member
from rhythmd.midi.state import ChannelMessage

__all__ = ["Deck", "Seat", "Tape", "present"]

SEAT_BYTES: Final = 256  # about what a seat takes of the memory


class Seat:
    """A member's time in a room, as far as the tape knows of it.

    Attributes:
        at: place in the tape's bytes from which on the slot is theirs.
        held: what they held then, as messages.
        left_ms: when they went; None for one who stayed.
    """

    __slots__ = ("at", "held", "left_ms", "name", "slot", "user_id")

    def __init__(self, member: Member, at: int) -> None:
        self.at = at
        self.slot = member.slot
        self.user_id = member.player.id
        self.name = member.player.name
        self.held: list[ChannelMessage] = [] if member.notes is None else member.notes.snapshot()
        self.left_ms: int | None = None


class Tape:
    """Everything that is played from now on.

    Args:
        members: who is here now.

    Attributes:
        blocks: the wire's blocks, one after the other. The hot path appends to them.
        seats: of all who were here, in the order of `at`.
        began_ms: on the server's clock.
    """

    __slots__ = ("_first_seats", "_seated", "began_ms", "blocks", "seats")

    def __init__(self, members: Iterable[Member]) -> None:
        self.began_ms = server_ms()
        self.blocks = bytearray()
        self.seats: list[Seat] = []
        self._seated: dict[int, Seat] = {}
        for member in members:
            self.seat(member)
        self._first_seats = len(self.seats)

    @property
    def size(self) -> int:
        """Bytes of memory that grow with time: a room's size is bounded elsewhere, how often people come is not."""
        return len(self.blocks) + SEAT_BYTES * (len(self.seats) - self._first_seats)

    def seat(self, member: Member) -> None:
        seat = self._seated[member.slot] = Seat(member, len(self.blocks))
        self.seats.append(seat)

    def leave(self, slot: int) -> None:
        self._seated.pop(slot).left_ms = server_ms()

    def copy(self) -> "Tape":
        """The tape until now, which nobody appends to."""
        copy = Tape(())
        copy.began_ms, copy.blocks, copy.seats = self.began_ms, self.blocks[:], self.seats[:]
        return copy


def present(tapes: Sequence[Tape], since_ms: int) -> frozenset[str]:
    """The ids of all users who were there for at least some of what `tapes` have from `since_ms` on."""
    return frozenset(
        seat.user_id for tape in tapes for seat in tape.seats if seat.left_ms is None or seat.left_ms >= since_ms
    )


class Deck:
    """The tapes that run in one room: one while it is recorded, one while its owner allows replays.

    Args:
        members: of the room, by slot.
        allow_replay: the room's setting.

    Attributes:
        running: the tapes that all that is played goes to.
        recorded_by: the id of the user who has the room recorded; None while it is not.
        replay: the last minutes, the older tape first.
    """

    __slots__ = ("_members", "_recording", "recorded_by", "replay", "running")

    def __init__(self, members: Mapping[int, Member], *, allow_replay: bool) -> None:
        self._members = members
        self._recording: Tape | None = None
        self.recorded_by: str | None = None
        self.replay: deque[Tape] = deque(maxlen=2)
        self.running: tuple[Tape, ...] = ()
        self.allow_replay(allowed=allow_replay)

    @property
    def size(self) -> int:
        """Of all tapes together."""
        recording = 0 if self._recording is None else self._recording.size
        return recording + sum(tape.size for tape in self.replay)

    def record(self, user_id: str) -> Tape:
        """Begin a recording; the tape that it is on."""
        self.recorded_by = user_id
        tape = self._recording = Tape(self._members.values())
        self._run()
        return tape

    def stop(self) -> None:
        """End the recording."""
        self.recorded_by = self._recording = None
        self._run()

    def allow_replay(self, *, allowed: bool) -> None:
        """Follow the room's setting. What was played before is not on the tape, and forgotten after."""
        if not allowed:
            self.replay.clear()
            self._run()
        elif not self.replay:
            self.turn()

    def turn(self) -> None:
        """Begin the replay's next tape; the last but one is forgotten."""
        self.replay.append(Tape(self._members.values()))
        self._run()

    def replay_since(self, since_ms: int) -> list[Tape]:
        """What there is of the time from `since_ms` on, on tapes that nobody appends to."""
        latest = self.replay[-1]
        return [*(tape for tape in self.replay if tape is not latest and latest.began_ms > since_ms), latest.copy()]

    def forget(self) -> int:
        """Begin the replay anew, if there is one; how many bytes that gives back."""
        before = self.size
        if self.replay:
            self.replay.clear()
            self.turn()
        return before - self.size

    def seat(self, member: Member) -> None:
        for tape in self.running:
            tape.seat(member)

    def leave(self, member: Member) -> None:
        for tape in self.running:
            tape.leave(member.slot)

    def _run(self) -> None:
        recording = () if self._recording is None else (self._recording,)
        self.running = (*recording, *([self.replay[-1]] if self.replay else ()))
