"""A client as the model of a room has it: it believes what it is told, and objects to what cannot be."""

from collections.abc import Iterable

import msgspec

from rhythm_protocol.binary import ClockReply
from rhythm_protocol.messages import (
    ChatLine,
    JoinAck,
    Notes,
    ResumeAck,
    RoomInfo,
    RoomLeft,
    RoomUpdated,
    SlotState,
    UserJoined,
    UserLeft,
    Welcome,
)
from rhythm_protocol.resume import SessionCounter
from rhythmd.hub.ports import Encoding
from tests.client import Answer, Music, Pointers
from tests.hub.manual import FakePeer, ManualHub
from tests.hub.synthesizer import Synthesizer

__all__ = ["Listener"]

RESUME = 99  # the id of a resume


class Listener:
    """A client that keeps account of what it is to hear and of what it has heard.

    Attributes:
        sounds: what each of the others sounds like, by slot; `sheets` the same of what the server plays, or played.
        due: the numbers of the events that it is to hear; `heard` of those that it heard.
        missed: whether a snapshot stood for some of them.
        lags: whether what is said may reach it before the music.
        counter: what it counted of the session.
        lines: the ids of the lines of chat that it knows, all after `first_line`.
    """

    def __init__(self, manual: ManualHub, encoding: Encoding) -> None:
        self.manual = manual
        self.peer: FakePeer = manual.connect(encoding)
        self.counter = SessionCounter()
        self.slot: int | None = None
        self.sounds: dict[int, Synthesizer] = {}
        self.sheets: dict[int, Synthesizer] = {}
        self.heard: list[int] = []
        self.due: list[int] = []
        self.missed = False
        self.lags = False
        self.lines: list[int] = []
        self.due_lines = 0
        self.first_line = 0

    def listen(self) -> None:
        """Take in all that has arrived."""
        for message in self.peer.take():
            self.count(message)
            match message:
                case Welcome():
                    self.counter.welcomed(message.session)
                case Answer(data={"recovered": _} as data):
                    self._resume(msgspec.convert(data, ResumeAck))
                case Answer(data={"slot": _} as data):
                    ack = msgspec.convert(data, JoinAck)
                    self._enter(ack)
                    self.first_line = max((line.id for line in ack.chat), default=0)
                case RoomLeft():
                    self.leave()
                case _:
                    self._take(message)

    def _resume(self, ack: ResumeAck) -> None:
        """Go on; from the whole room when what was missed is lost."""
        self.counter.resumed(ack)
        if ack.recovered:
            return
        if ack.join is None:
            self.leave()
            return
        known = self.lines[-1] if self.lines else self.first_line
        self._enter(ack.join)
        self.missed = True
        self.lines += [line.id for line in ack.join.chat if line.id > known]

    def _take(self, message: object) -> None:
        """What concerns the others in the room."""
        match message:
            case UserJoined():
                assert message.user.slot is not None
                assert message.user.slot not in self.sounds, "announced twice"
                self.sounds[message.user.slot] = Synthesizer()
            case UserLeft():
                sound = self.sounds.pop(message.slot)
                assert self.lags or not sound.rings, "gone with a key, pedal or bend held"
            case ChatLine():
                assert not self.lines or message.id == self.lines[-1] + 1
                self.lines.append(message.id)
            case RoomUpdated():
                self._learn(message.room)
            case Notes():
                self._replace(message)
            case Music():
                self._hear(message)

    def count(self, message: object) -> None:
        """Count what a resume counts."""
        if not isinstance(message, Welcome | Notes | Music | Pointers | ClockReply):
            self.counter.heard("")

    def confirm(self) -> None:
        """Answer a ping, if one is due, with all that was written before it."""
        if self.peer.closed is None and not self.peer.is_stalled:
            number = self.manual.hub.unconfirmed(self.peer.session)
            if number is not None:
                self.manual.hub.on_confirm(self.peer.session, number)

    def drop(self) -> None:
        """Lose the connection, with what was on its way."""
        self.listen()
        self.peer.drop()

    def come_back(self, encoding: Encoding) -> None:
        """Resume on another connection."""
        self.peer = self.manual.connect(encoding)
        self.lags = True
        self.listen()
        claim = self.counter.resume
        assert claim is not None
        self.peer.say("resume", msgspec.to_builtins(claim), RESUME)

    def _replace(self, notes: Notes) -> None:
        """What is not in a snapshot is held by nobody."""
        for sounds in (self.sounds, self.sheets):
            for slot in sounds:
                sounds[slot] = Synthesizer()
        self._start(notes.notes)
        self.missed = True

    def _start(self, notes: Iterable[SlotState]) -> None:
        for state in notes:
            (self.sheets if state.slot in self.sheets else self.sounds)[state.slot].play(state.state)

    def _learn(self, room: RoomInfo) -> None:
        """Whose slot is the server's."""
        if room.sheet is not None:
            assert room.sheet.slot not in self.sounds
            self.sheets.setdefault(room.sheet.slot, Synthesizer())

    def leave(self) -> None:
        """Out of the room: until here everything came, in order."""
        self.check_order()
        self.slot = None
        self.missed = self.lags = False
        self.sounds, self.sheets, self.heard, self.due = {}, {}, [], []
        self.lines, self.due_lines = [], 0

    def check_order(self) -> None:
        """What came, came in order and once; nothing is missing unless a snapshot stood for it."""
        if self.missed:
            rest = iter(self.due)
            assert all(number in rest for number in self.heard)
        else:
            assert self.heard == self.due[: len(self.heard)]

    def _enter(self, ack: JoinAck) -> None:
        self.slot = ack.slot
        self.sounds = {user.slot: Synthesizer() for user in ack.members if user.slot not in (None, ack.slot)}
        self.sheets = {}
        self._learn(ack.room)
        self._start(ack.notes)

    def _hear(self, music: Music) -> None:
        assert self.slot is not None, "music outside of a room"
        for block in music.blocks:
            assert block.slot != self.slot, "one's own music"
            if block.slot in self.sheets:
                self.sheets[block.slot].hear(block.events)
                continue
            self.sounds[block.slot].hear(block.events)
            self.heard += [event.offset_ms for event in block.events if event.offset_ms]
