"""One stay in a room: who is there, what they play and say, from the join to the end of the session."""

import asyncio
from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush
from typing import Final

from rhythm_protocol.messages import (
    ChatLine,
    JoinAck,
    Message,
    MetronomeState,
    Notes,
    Playout,
    RecordingReady,
    RecordingState,
    ResumeAck,
    RoomInfo,
    RoomUpdated,
    SheetInRoom,
    Timing,
    User,
    UserJoined,
    UserLeft,
    UserUpdated,
)
from rhythm_protocol.midi import NOTE_OFF, NOTE_ON
from rhythmd.client.clock import local_us
from rhythmd.client.lines import chat_text, event_text, line, metronome_text, recording_text, sheet_text
from rhythmd.client.music import Heard, RoomMusic
from rhythmd.client.recording import Recording
from rhythmd.client.room import check_place
from rhythmd.client.session import Interrupted, Received, Session

__all__ = ["Agenda", "Visit"]

TIMING_INTERVAL_MS: Final = 2_000
CLOCK_ERROR_MS: Final = 100  # so much may a time be ahead because clocks differ

_KEYS: Final = frozenset({NOTE_ON, NOTE_OFF})


class Agenda:
    """Lines to print, each at its moment; those of one moment are printed in the order in which they were added."""

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, Callable[[], None]]] = []
        self._added = 0

    def add(self, due_ms: float, action: Callable[[], None]) -> None:
        """Do `action` at `due_ms` of any clock that only goes forward."""
        self._added += 1
        heappush(self._entries, (due_ms, self._added, action))

    @property
    def next_ms(self) -> float | None:
        """When there is something to do; None: never."""
        return self._entries[0][0] if self._entries else None

    def run(self, now_ms: float) -> None:
        """Do what is due at `now_ms`."""
        while self._entries and self._entries[0][0] <= now_ms:
            heappop(self._entries)[2]()


class Visit:
    """Turns what a room sends into lines, each printed when it sounds in the room, and into a recording.

    Args:
        recording: gets the music, timed by this computer's clock, which outlives the session.
        write: called with each line to print.
        on_note: called when a note begins or ends to sound.
    """

    def __init__(
        self,
        session: Session,
        recording: Recording | None,
        write: Callable[[str], None],
        on_note: Callable[[], None],
    ) -> None:
        self._session = session
        self._recording = recording
        self._write = write
        self._on_note = on_note
        self._agenda = Agenda()
        self._music = RoomMusic(self._take_event, session.clock)
        self._users: dict[int, User] = {}
        self._room = ""
        self._sheet: SheetInRoom | None = None
        self._lost_ms: int | None = None
        self._reported_ms = 0
        self._last_due_ms = 0
        self._last_chat_id = 0

    async def stay(self, ack: JoinAck) -> None:
        """Take in what the join told, then what comes, until an error ends it."""
        self._last_chat_id = max((said.id for said in ack.chat), default=0)
        self._meet(ack)
        self._say(self._room, f"joined: {self._names()}")
        self._show_state(ack.room)
        self._music.replace(ack.notes)
        while True:
            await self._take(await self._next())

    def end(self) -> None:
        """End what still sounds in the recording: whether it goes on will not be heard."""
        if self._recording is not None:
            self._recording.release(_now_ms() if self._lost_ms is None else self._lost_ms)

    async def _next(self) -> Received:
        """The next thing that comes; lines that are due are printed meanwhile."""
        while True:
            self._agenda.run(_now_ms())
            due_ms = self._agenda.next_ms
            try:
                async with asyncio.timeout(None if due_ms is None else max(0, due_ms - _now_ms()) / 1_000):
                    return await self._session.receive()
            except TimeoutError:
                pass

    async def _take(self, received: Received) -> None:
        if isinstance(received, list):
            self._music.play(received)
            await self._report_timing()
        elif isinstance(received, Interrupted):
            self._lose(received)
        else:
            check_place(received)
            self._take_message(received)

    # Music

    def _take_event(self, event: Heard) -> None:
        name = self._name(event.slot)
        if self._recording is not None:
            user = self._users.get(event.slot)
            self._recording.add(user.id if user else name, name, event.at_ms, event.message)
        text = line(self._music.server_ms(event.at_ms), name, event_text(event.message))
        self._last_due_ms = max(self._last_due_ms, event.due_ms)
        self._agenda.add(event.due_ms, partial(self._sound, text, is_key=event.message[0] & 0xF0 in _KEYS))

    def _sound(self, text: str, *, is_key: bool) -> None:
        self._write(text)
        if is_key:
            self._on_note()

    async def _report_timing(self) -> None:
        now_ms = _now_ms()
        if now_ms - self._reported_ms >= TIMING_INTERVAL_MS:
            late_ms = self._music.report_lateness()
            if late_ms is not None:
                self._reported_ms = now_ms
                await self._session.tell("timing", Timing(late_ms))

    # The connection

    def _lose(self, loss: Interrupted) -> None:
        if self._lost_ms is None:
            self._lost_ms = _now_ms()
        self._show(f"{loss.trouble}; coming back in {loss.wait_s:.1f} s")

    def _come_back(self, ack: ResumeAck) -> None:
        """Take up the new clock, and the room if the messages that were missed did not bring it up to date."""
        self._music.follow(self._session.clock)
        if ack.join is not None:
            self._meet(ack.join)
            for said in ack.join.chat:
                self._hear(said)
        self._say(self._room, f"resumed: {self._names()}")

    # People and what they say

    def _take_message(self, message: Message) -> None:
        match message:
            case UserJoined(user=user):
                self._keep(user)
                self._say(user.name, "joins")
            case UserUpdated(user=user):
                self._keep(user)
            case UserLeft(slot=slot, reason=reason):
                self._say(self._name(slot), f"leaves ({reason})")
                self._users.pop(slot, None)
                self._music.forget(slot)
            case ChatLine():
                self._hear(message)
            case Notes(notes=notes):
                self._music.replace(notes, self._lost_ms)
                self._lost_ms = None
            case ResumeAck():
                self._come_back(message)
            case _:
                self._take_change(message)

    def _take_change(self, message: Message) -> None:
        """Something about the room is another now."""
        match message:
            case RoomUpdated(room=room):
                self._music.delay_ms = room.playout_ms
                if room.sheet != self._sheet:
                    self._follow(room.sheet)
                    self._say(self._room, sheet_text(room.sheet))
            case Playout(delay_ms=delay_ms):
                self._music.delay_ms = delay_ms
            case MetronomeState(metronome=metronome):
                self._say(self._room, metronome_text(metronome))
            case RecordingState(on=on):
                self._say(self._room, recording_text(on=on))
            case RecordingReady(recording=made):
                self._say(self._room, f"recording {made.name} is at {made.url}")
            case _:
                pass

    def _meet(self, ack: JoinAck) -> None:
        self._users = {user.slot: user for user in ack.members if user.slot is not None}
        self._room = ack.room.name
        self._music.delay_ms = ack.room.playout_ms
        self._follow(ack.room.sheet)

    def _follow(self, sheet: SheetInRoom | None) -> None:
        """Know which slot is the server's; it releases what it held before it gives a slot up."""
        slot = None if sheet is None else sheet.slot
        if self._sheet is not None and self._sheet.slot != slot:
            self._music.forget(self._sheet.slot)
        self._sheet, self._music.sheet_slot = sheet, slot

    def _show_state(self, room: RoomInfo) -> None:
        if room.metronome is not None:
            self._say(room.name, metronome_text(room.metronome))
        if room.recording:
            self._say(room.name, recording_text(on=True))
        if room.sheet is not None:
            self._say(room.name, sheet_text(room.sheet))

    def _hear(self, said: ChatLine) -> None:
        """Say a line, but none of the history twice: an `id` of 0 stands in none."""
        if said.id == 0 or said.id > self._last_chat_id:
            self._last_chat_id = max(self._last_chat_id, said.id)
            self._say(said.name or "the room", chat_text(said))

    def _keep(self, user: User) -> None:
        if user.slot is not None:
            self._users[user.slot] = user

    def _name(self, slot: int) -> str:
        if self._sheet is not None and self._sheet.slot == slot:
            return self._sheet.title
        user = self._users.get(slot)
        return user.name if user else f"slot {slot}"

    def _names(self) -> str:
        return ", ".join(user.name for user in self._users.values())

    def _say(self, name: str, text: str) -> None:
        self._show(line(self._session.clock.now_ms(), name, text))

    def _show(self, text: str) -> None:
        """Print a line after the notes that came before it. Notes that are far ahead do not hold it up."""
        now_ms = _now_ms()
        due_ms = max(now_ms, min(self._last_due_ms, now_ms + self._music.delay_ms + CLOCK_ERROR_MS))
        self._agenda.add(due_ms, partial(self._write, text))


def _now_ms() -> int:
    return local_us() // 1_000
