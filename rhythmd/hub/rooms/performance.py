"""Sheets that the server plays in rooms, each as one more player of its room, who is no member.

What a sheet will play is known, so it is played ahead: every `TICK_S` all that is due within the next `AHEAD_MS` goes
out, stamped with its true time. A listener sounds it at that time plus the room's playout delay, as they sound the
notes of members. At least half of `AHEAD_MS` is left when it goes out, so a loop or a network that stands still for so
long is not heard. What has gone out cannot be taken back: a stop or a new place is heard up to `AHEAD_MS` late. The
protocol's bound for a time ahead, 2 s, is far away.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from math import ceil
from struct import Struct
from time import monotonic
from typing import Final, NamedTuple

from msgspec import structs

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import SheetInRoom
from rhythm_protocol.midi import MAX_BLOCK_EVENTS
from rhythmd.clock import server_ms
from rhythmd.fairness.account import Account
from rhythmd.fairness.shares import Claim, CommonGood, Holder
from rhythmd.fairness.turns import Turns
from rhythmd.hub.ports import Performance
from rhythmd.hub.rooms.members import Roster
from rhythmd.hub.rooms.tape import MOST_OF_SHEET, Deck
from rhythmd.hub.sending.fanout import Fanout
from rhythmd.hub.sending.pacer import Pacer
from rhythmd.midi.score import MESSAGE_SIZE, Score, way_to
from rhythmd.midi.state import MANY_KEYS, ChannelMessage, NoteState, as_blocks
from rhythmd.telemetry import hub_log

__all__ = ["AHEAD_MS", "Conductor", "RoomPerformance", "Starter"]

TICK_S: Final = 0.05
AHEAD_MS: Final = 100
ROUND_S: Final = 0.002  # of the loop's time in a row, and what one performance takes beyond it
STOOD_STILL_MS: Final = 2_000  # after so long without a tick what was missed is left out: it would be one burst
SECOND_MS: Final = 1_000
WRAP: Final = 0xFFFFFFFF

_EVENT: Final = Struct("<HBBB")  # offset from the base time, status, data 1, data 2

Timed = tuple[int, ChannelMessage]
"""When it is due, in ms of the server's clock, and what."""


class _Hands:
    """What plays a score: where it is, and what it holds. Pure: every time comes in, in ms of the server's clock.

    Args:
        most_per_s: events of one second of the server's clock. Of what is over, only what ends something is played.

    Attributes:
        notes: what it holds.
        start_ms: when it is where it begins.
        ends_ms: when the score is over.
        last_ms: when the last event that was played is due; nothing goes out that is due before.
        ticked_ms: when `play` was called last.
    """

    __slots__ = (
        "_counted", "_is_tuned", "_most_per_s", "_next", "_position_ms", "_score", "_second", "_slot", "_speed",
        "_tunes_ms", "ends_ms", "last_ms", "notes", "start_ms", "ticked_ms",
    )  # fmt: skip

    def __init__(self, score: Score, slot: int, most_per_s: int) -> None:
        self._score = score
        self._slot = slot.to_bytes(2, "little")
        self._most_per_s = most_per_s
        self._second = self._counted = 0
        self._next = self._position_ms = self.start_ms = self._tunes_ms = 0
        self._is_tuned = False
        self._speed = 1.0
        self.notes = NoteState()
        self.ends_ms = self.last_ms = self.ticked_ms = 0

    def begin(self, position_ms: int, speed: float, now_ms: int) -> None:
        """Be at `position_ms` as soon as can be, and go on from there. Nothing may be held.

        To tune takes up to some 200 messages for each channel, whatever the score's density. So after one tuning the
        next one waits for `AHEAD_MS`, and of the places that are begun at meanwhile only the last one is tuned for.
        """
        self.start_ms = start_ms = max(now_ms, self._tunes_ms) + AHEAD_MS
        self._is_tuned = False
        self._position_ms, self._speed = position_ms, speed
        self._next = self._score.index_at(position_ms)
        self.ends_ms = start_ms + ceil((self._score.ends_ms - position_ms) / speed)
        self.ticked_ms = now_ms

    def position_at(self, now_ms: int) -> int:
        """Where it is in the score; where it begins, before it does."""
        return self._position_ms + max(0, int((now_ms - self.start_ms) * self._speed))

    def play(self, now_ms: int) -> list[bytes]:
        """The blocks of all that is due until `AHEAD_MS` from now and was not played yet."""
        self.ticked_ms = now_ms
        if now_ms + AHEAD_MS < self.start_ms:
            return []
        tuning = [] if self._is_tuned else self._tune(now_ms)
        due = self._due_until(now_ms + AHEAD_MS)
        return tuning + self._blocks(event for event in due if not self._is_thinned(*event))

    def _tune(self, now_ms: int) -> list[bytes]:
        """The blocks that bring the instrument to where the next event finds it. None of it is ever left out."""
        self._is_tuned, self._tunes_ms = True, now_ms + AHEAD_MS
        settings = way_to(self._score.settings_before(self._next), self.notes)
        return self._blocks((self.start_ms, message) for message in settings)

    def release(self, now_ms: int) -> list[bytes]:
        """The blocks that let go of everything, after the last event: that may be due later than now."""
        self.last_ms = max(self.last_ms, now_ms)
        return [*as_blocks(self._slot, self.notes.release(MANY_KEYS), self.last_ms)]

    def _due_until(self, until_ms: int) -> Iterator[Timed]:
        times, messages = self._score.times, self._score.messages
        first = self._next
        until = self._score.index_after(self._position_ms + (until_ms - self.start_ms) * self._speed)
        self._next = max(first, until)
        for number in range(first, until):
            at = number * MESSAGE_SIZE
            due_ms = self.start_ms + round((times[number] - self._position_ms) / self._speed)
            yield due_ms, (messages[at], messages[at + 1], messages[at + 2])

    def _blocks(self, events: Iterable[Timed]) -> list[bytes]:
        """The wire's blocks of `events`, which are in order and at most a minute apart."""
        packed: list[bytes] = []
        base_ms = 0
        for due_ms, message in events:
            if not packed:
                base_ms = due_ms
            event = _EVENT.pack(due_ms - base_ms, *message)
            self.notes.apply(event, 0)
            packed.append(event)
            self.last_ms = due_ms
        base = (base_ms & WRAP).to_bytes(4, "little")
        chunks = (packed[at : at + MAX_BLOCK_EVENTS] for at in range(0, len(packed), MAX_BLOCK_EVENTS))
        return [b"".join((self._slot, bytes((len(chunk),)), base, *chunk)) for chunk in chunks]

    def _is_thinned(self, due_ms: int, message: ChannelMessage) -> bool:
        """Whether `message` is one too many in its second. What ends a note has the note's place, which was counted."""
        second = due_ms // SECOND_MS
        if second != self._second:
            self._second, self._counted = second, 0
        self._counted += 1
        return self._counted > self._most_per_s and not self.notes.ends(message)


class RoomPerformance:
    """The sheet that is played in one room, which hears of every change.

    Args:
        fanout: of the room; everybody hears it.
        members: of the room; the sheet has one of their slots.
        deck: of the room; a recording has the sheet as a track.
        pacer: of the loop.
        on_change: called after every change.
        most_per_s: events of a sheet that go out in a second.

    Attributes:
        state: what is played, and how; None while nothing is.
        sent: messages to one listener each.
    """

    __slots__ = ("_deck", "_fanout", "_hands", "_members", "_most_per_s", "_on_change", "_pacer", "sent", "state")

    def __init__(
        self,
        fanout: Fanout,
        members: Roster,
        deck: Deck,
        pacer: Pacer,
        on_change: Callable[[], None],
        most_per_s: int,
    ) -> None:
        self._fanout = fanout
        self._members = members
        self._deck = deck
        self._pacer = pacer
        self._on_change = on_change
        self._most_per_s = most_per_s
        self._hands: _Hands | None = None
        self.state: SheetInRoom | None = None
        self.sent = 0

    def start(self, sheet: Performance, by: str, position_ms: int, speed: float, now_ms: int) -> None:
        """Play `sheet`, in the place of what is played. A place behind the end is the end."""
        self._end(now_ms)
        slot = self._members.lend_slot()
        hands = self._hands = _Hands(sheet.score, slot, self._most_per_s)
        self._deck.seat_sheet(slot, sheet.title, hands.notes)
        state = SheetInRoom(
            id=sheet.sheet_id,
            title=sheet.title,
            artist=sheet.artist,
            duration_ms=sheet.score.duration_ms,
            position_ms=0,
            speed=speed,
            start_us=0,
            slot=slot,
            by=by,
        )
        self._go(hands, state, position_ms, now_ms)

    def seek(self, position_ms: int, speed: float | None, now_ms: int) -> None:
        """Go on there, and at that speed if it is not None; what is held ends first."""
        hands, state = self._hands, self.state
        if hands is not None and state is not None:
            self._give(hands.release(now_ms))
            self._go(hands, state if speed is None else structs.replace(state, speed=speed), position_ms, now_ms)

    def _go(self, hands: _Hands, state: SheetInRoom, position_ms: int, now_ms: int) -> None:
        """Let everybody know, then begin. What went out ahead comes first, so the start is after it."""
        position_ms = min(position_ms, state.duration_ms)
        hands.begin(position_ms, state.speed, now_ms)
        self.state = structs.replace(state, position_ms=position_ms, start_us=hands.start_ms * 1_000)
        self._on_change()
        self._give(hands.play(now_ms))

    def stop(self, now_ms: int) -> None:
        """End it, and let everybody know. Nothing happens where nothing is played."""
        if self.state is not None:
            try:
                self._end(now_ms)
            finally:
                self._on_change()

    def _end(self, now_ms: int) -> None:
        """Release what is held, and be without a sheet, also when the release fails."""
        hands, state = self._hands, self.state
        if hands is None or state is None:
            return
        try:
            self._give(hands.release(now_ms))
        finally:
            self._hands = self.state = None
            self._deck.leave_sheet()
            self._members.take_back(state.slot)

    def advance(self, now_ms: int) -> None:
        """Play on; call it every `TICK_S`."""
        hands = self._hands
        if hands is None:
            return
        if now_ms - hands.ticked_ms > STOOD_STILL_MS:
            self.seek(hands.position_at(now_ms), None, now_ms)
        else:
            self._give(hands.play(now_ms))
        if now_ms >= hands.ends_ms:
            self.stop(now_ms)

    def held(self) -> list[tuple[int, bytes]]:
        """The slot, and what is held, if anything is."""
        if self._hands is None or self.state is None:
            return []
        held = self._hands.notes.packed(MOST_OF_SHEET)
        return [(self.state.slot, held)] if held else []

    def _give(self, blocks: Iterable[bytes]) -> None:
        for block in blocks:
            for tape in self._deck.running:
                tape.blocks += block
            self._fanout.play(None, block)
            self._pacer.count_played(block[2] * len(self._fanout))
            self.sent += len(self._fanout)


class Starter(NamedTuple):
    """A user who starts a performance, with what it counts under, and the account that pays for it."""

    user_id: str
    holder: Holder
    account: Account


class _Running:
    """A performance that goes on, and takes turns while its payer is over their share.

    Args:
        performance: what goes on.
        claim: to one of the performances that there may be.
        account: of whoever started it or moved it last.

    Attributes:
        performance, claim, account: the same.
        waits: whether it waits for its turn.
    """

    __slots__ = ("account", "claim", "performance", "waits")

    def __init__(self, performance: RoomPerformance, claim: Claim, account: Account) -> None:
        self.performance = performance
        self.claim = claim
        self.account = account
        self.waits = False

    def go_on(self) -> None:
        """Play what is due, at the cost of the account."""
        performance, began = self.performance, monotonic()
        sent, now_ms = performance.sent, server_ms()
        if not _succeeds(performance.advance, now_ms):
            _succeeds(performance.stop, now_ms)
        self.account.charge_work(began, monotonic())
        self.account.charge_sends(began, performance.sent - sent)

    def take_turn(self) -> bool:
        self.waits = False
        self.go_on()
        return False

    def abort(self) -> None:
        """To go on does not fail."""


class Conductor:
    """Lets all performances go on. One timer does it, however many there are.

    Args:
        pacer: of the loop.
        good: how many there may be at once, and whose.
        turns: that those take whose payer is over their share.
    """

    def __init__(self, pacer: Pacer, good: CommonGood, turns: Turns) -> None:
        self._pacer = pacer
        self._good = good
        self._turns = turns
        self._running: dict[RoomPerformance, _Running] = {}
        self._due: deque[_Running] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """In how many rooms a sheet is played."""
        return sum(performance.state is not None for performance in self._running)

    def check_limit(self, performance: RoomPerformance, holder: Holder) -> None:
        """Raise Refused (`performance-limit`) when there are too many for `performance` to begin."""
        self._forget_ended()
        if performance not in self._running:
            self._good.require(holder, ErrorCode.PERFORMANCE_LIMIT, "rooms that play a sheet")

    def start(
        self, performance: RoomPerformance, sheet: Performance, by: Starter, position_ms: int, speed: float
    ) -> None:
        """Play `sheet` there. Raises Refused when there are too many."""
        self.check_limit(performance, by.holder)
        try:
            performance.start(sheet, by.user_id, position_ms, speed, server_ms())
        except Exception:
            _succeeds(performance.stop, server_ms())
            raise
        running = self._running.get(performance)
        if running is None:
            self._running[performance] = _Running(performance, self._good.take(by.holder), by.account)
        else:
            running.account = by.account
        if self._timer is None:
            self._timer = self._pacer.later(TICK_S, self._tick)

    def pays(self, performance: RoomPerformance, account: Account) -> None:
        """This account pays from here on: its client has moved the performance to another place."""
        running = self._running.get(performance)
        if running is not None:
            running.account = account

    def _tick(self) -> None:
        self._timer = None
        self._forget_ended()
        if not self._due:
            self._due.extend(running for running in self._running.values() if not running.waits)
            self._go_on()
        if self._running:
            self._timer = self._pacer.later(TICK_S, self._tick)

    def _go_on(self) -> None:
        """Let those that are due go on, for a moment: then others have their turn before the rest."""
        until = monotonic() + ROUND_S
        while self._due:
            running = self._due.popleft()
            if running.account.may_go_on(monotonic()):
                running.go_on()
            else:
                running.waits = True
                self._turns.wait(running)
            if self._due and monotonic() >= until:
                self._pacer.soon(self._go_on)
                return

    def _forget_ended(self) -> None:
        for performance in [performance for performance in self._running if performance.state is None]:
            self._running.pop(performance).claim.release()

    def stop(self) -> None:
        """End all performances: the server goes down."""
        for performance in self._running:
            _succeeds(performance.stop, server_ms())
        self._forget_ended()
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _succeeds(act: Callable[[int], None], now_ms: int) -> bool:
    """Whether `act` did not raise; if it did, that is logged: one room's failure must not end the others' sheets."""
    try:
        act(now_ms)
    except Exception as error:  # noqa: BLE001 - see above
        hub_log.error("a sheet that is played failed", exc_info=error)
        return False
    return True
