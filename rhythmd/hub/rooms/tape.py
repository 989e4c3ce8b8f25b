"""What a room plays, kept as it went over the wire, and the tapes that run in one room.

A tape only appends bytes: on the hot path nothing is decoded. `hub/recording/transcript.py` reads it, off the loop.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from rhythm_protocol.messages import Metronome
from rhythmd.clock import server_ms
from rhythmd.hub.rooms.members import Member, Roster
from rhythmd.midi.state import NoteState

__all__ = ["MOST_OF_SHEET", "Deck", "Seat", "Tape", "TimeMark", "is_silent", "present"]

MOST_OF_SHEET: Final = 1_024  # messages that say what a sheet holds
SEAT_BYTES: Final = 256  # about what a seat, or a change of the metronome, takes of the memory


class TimeMark(NamedTuple):
    """What the room's metronome was from a moment on, in ms of the server's clock; None for none."""

    at_ms: int
    metronome: Metronome | None


class _SheetSeat(NamedTuple):
    """A sheet that is played in the room: its slot, its title, what it holds."""

    slot: int
    title: str
    notes: NoteState


class Seat:
    """A member's time in a room, or a sheet's, as far as the tape knows of it.

    Args:
        user_id: None for a sheet.
        at: place in the tape's bytes from which on the slot is theirs.
        held: what they hold then, three bytes a message.

    Attributes:
        held: the same.
        left_ms: when they went; None for one who stayed.
    """

    __slots__ = ("at", "held", "left_ms", "name", "slot", "user_id")

    def __init__(self, slot: int, user_id: str | None, name: str, at: int, held: bytes) -> None:
        self.at = at
        self.slot = slot
        self.user_id = user_id
        self.name = name
        self.held = held
        self.left_ms: int | None = None

    @property
    def part(self) -> tuple[str | None, str]:
        """Whose music it is: a user's, whatever they were called, or that of all sheets of one title."""
        return (None, self.name) if self.user_id is None else (self.user_id, "")


class Tape:
    """Everything that is played from now on.

    Args:
        members: who is here now.
        held: what they hold, by slot, three bytes a message.

    Attributes:
        blocks: the wire's newest blocks, one after the other. The hot path appends to them.
        seats: of all who were here, in the order of `at`.
        time: the metronome at the beginning, and each of its changes.
        began_ms: on the server's clock.
    """

    __slots__ = (
        "_first_seats",
        "_held_size",
        "_parts",
        "_parts_size",
        "_seated",
        "began_ms",
        "blocks",
        "seats",
        "time",
    )

    def __init__(
        self, members: Iterable[Member], held: Mapping[int, bytes], metronome: Metronome | None = None
    ) -> None:
        self.began_ms = server_ms()
        self.blocks = bytearray()
        self._parts: list[bytes] = []  # what came before, whole blocks each; copies share them
        self._parts_size = 0
        self.seats: list[Seat] = []
        self.time = [TimeMark(self.began_ms, metronome)]
        self._seated: dict[int, Seat] = {}
        self._held_size = 0
        for member in members:
            self._seat(member, held.get(member.slot, b""))
        self._first_seats = len(self.seats)

    @property
    def size(self) -> int:
        """Bytes of memory that grow with time: a room's size is bounded elsewhere, how often people come is not."""
        return self.length + SEAT_BYTES * (len(self.seats) - self._first_seats + len(self.time) - 1)

    @property
    def memory(self) -> int:
        """Bytes of all that it takes, with whoever was here from the beginning and what they held."""
        return self.size + SEAT_BYTES * (self._first_seats + 1) + self._held_size

    @property
    def length(self) -> int:
        """Bytes of all blocks, and so the place of the next one."""
        return self._parts_size + len(self.blocks)

    def parts(self) -> list[bytes | bytearray]:
        """All blocks: each part has whole ones, and goes on where the one before ended."""
        return [*self._parts, self.blocks]

    def seat(self, member: Member) -> None:
        """One who comes, and holds nothing yet."""
        self._seat(member, b"")

    def seat_sheet(self, slot: int, title: str, notes: NoteState) -> None:
        self._sit(Seat(slot, None, title, self.length, notes.packed(MOST_OF_SHEET)))

    def _seat(self, member: Member, held: bytes) -> None:
        self._sit(Seat(member.slot, member.player.id, member.player.name, self.length, held))

    def _sit(self, seat: Seat) -> None:
        self._held_size += len(seat.held)
        self._seated[seat.slot] = seat
        self.seats.append(seat)

    def leave(self, slot: int) -> None:
        self._seated.pop(slot).left_ms = server_ms()

    def copy(self) -> "Tape":
        """The tape until now, which nobody appends to. It has the same blocks, not others that are equal."""
        if self.blocks:
            self._parts.append(bytes(self.blocks))
            self._parts_size += len(self.blocks)
            self.blocks = bytearray()
        copy = Tape((), {})
        copy.began_ms, copy.seats, copy.time = self.began_ms, self.seats[:], self.time[:]
        copy._parts, copy._parts_size = self._parts[:], self._parts_size
        copy._first_seats, copy._held_size = self._first_seats, self._held_size
        return copy


def is_silent(tapes: Iterable[Tape]) -> bool:
    """Whether nobody played while `tapes` ran; to hold a key all the time is no music."""
    return not any(tape.length for tape in tapes)


def present(tapes: Sequence[Tape], since_ms: int) -> frozenset[str]:
    """The ids of all users who were there for at least some of what `tapes` have from `since_ms` on."""
    return frozenset(
        seat.user_id
        for tape in tapes
        for seat in tape.seats
        if seat.user_id is not None and (seat.left_ms is None or seat.left_ms >= since_ms)
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

    __slots__ = ("_members", "_metronome", "_recording", "_sheet", "recorded_by", "replay", "running")

    def __init__(self, members: Roster, *, allow_replay: bool) -> None:
        self._members = members
        self._sheet: _SheetSeat | None = None
        self._metronome: Metronome | None = None
        self._recording: Tape | None = None
        self.recorded_by: str | None = None
        self.replay: deque[Tape] = deque(maxlen=2)
        self.running: tuple[Tape, ...] = ()
        self.allow_replay(allowed=allow_replay)

    @property
    def memory(self) -> int:
        """Bytes of all tapes together."""
        recording = 0 if self._recording is None else self._recording.memory
        return recording + sum(tape.memory for tape in self.replay)

    def parts(self) -> list[bytes | bytearray]:
        """What is on all of them."""
        tapes = self.replay if self._recording is None else (self._recording, *self.replay)
        return [part for tape in tapes for part in tape.parts()]

    def record(self, user_id: str) -> Tape:
        """Begin a recording; the tape that it is on."""
        self.recorded_by = user_id
        tape = self._recording = self._new_tape()
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
            self._begin_tape()

    def turn(self) -> None:
        """Begin the next tape of the replay, if there is one; the last but one is forgotten."""
        if self.replay:
            self._begin_tape()

    def _begin_tape(self) -> None:
        self.replay.append(self._new_tape())
        self._run()

    def replay_since(self, since_ms: int) -> list[Tape]:
        """What there is of the time from `since_ms` on, on tapes that nobody appends to."""
        latest = self.replay[-1]
        return [*(tape for tape in self.replay if tape is not latest and latest.began_ms > since_ms), latest.copy()]

    def forget(self) -> int:
        """Forget the replay, until `allow_replay` begins it anew; how many bytes that gives back."""
        before = self.memory
        self.replay.clear()
        self._run()
        return before - self.memory

    def seat(self, member: Member) -> None:
        for tape in self.running:
            tape.seat(member)

    def leave(self, member: Member) -> None:
        for tape in self.running:
            tape.leave(member.slot)

    def seat_sheet(self, slot: int, title: str, notes: NoteState) -> None:
        """A sheet of this title is played from now on."""
        self._sheet = _SheetSeat(slot, title, notes)
        for tape in self.running:
            tape.seat_sheet(slot, title, notes)

    def leave_sheet(self) -> None:
        """The sheet is not played any more."""
        if self._sheet is not None:
            for tape in self.running:
                tape.leave(self._sheet.slot)
        self._sheet = None

    def keep_time(self, metronome: Metronome | None) -> None:
        """The room's metronome runs like this from now on."""
        self._metronome = metronome
        for tape in self.running:
            tape.time.append(TimeMark(server_ms(), metronome))

    def _new_tape(self) -> Tape:
        tape = Tape(self._members.values(), dict(self._members.held()), self._metronome)
        if self._sheet is not None:
            tape.seat_sheet(*self._sheet)
        return tape

    def _run(self) -> None:
        recording = () if self._recording is None else (self._recording,)
        self.running = (*recording, *([self.replay[-1]] if self.replay else ()))
