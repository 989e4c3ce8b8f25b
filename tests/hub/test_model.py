"""Whatever happens, and however it is sliced, every listener's picture of a room is the server's."""

from typing import TypeGuard

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, RuleBasedStateMachine, consumes, initialize, multiple, rule

from rhythm_protocol.messages import ChatLine, JoinAck, Notes, ResumeAck, RoomLeft, UserJoined, UserLeft, Welcome
from rhythm_protocol.midi import MidiEvent
from rhythm_protocol.resume import SessionCounter
from rhythmd.hub.peer import Encoding
from tests.client import Answer, Music, Pointers
from tests.hub.generated import batches
from tests.hub.manual import FakePeer, ManualHub
from tests.hub.synthesizer import Synthesizer

ROOM = "Salon"
MOST = 9
RESUME = 99  # the id of a resume
FIRST_SEQUENCE = 1  # of a played event's offset; what the server plays by itself has offset 0


class Listener:
    """A client that believes what it is told, and objects to what cannot be.

    Attributes:
        due: the numbers of the events that it is to hear; `heard` of those that it heard.
        missed: whether a snapshot stood for some of them.
        lags: whether what is said may reach it before the music.
        counter: what it counted of the session.
    """

    def __init__(self, manual: ManualHub, encoding: Encoding) -> None:
        self.manual = manual
        self.peer: FakePeer = manual.connect(encoding)
        self.counter = SessionCounter()
        self.slot: int | None = None
        self.sounds: dict[int, Synthesizer] = {}
        self.heard: list[int] = []
        self.due: list[int] = []
        self.missed = False
        self.lags = False
        self.lines: list[int] = []
        self.due_lines = 0

    def listen(self) -> None:
        """Take in all that has arrived."""
        for message in self.peer.take():
            self.count(message)
            match message:
                case Welcome():
                    self.counter.welcomed(message.session)
                case Answer(data={"recovered": recovered} as data):
                    assert recovered
                    self.counter.resumed(msgspec.convert(data, ResumeAck))
                case Answer(data={"slot": _} as data):
                    self._enter(msgspec.convert(data, JoinAck))
                case RoomLeft():
                    self.leave()
                case _:
                    self._take(message)

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
            case Notes():
                self._replace(message)
            case Music():
                self._hear(message)

    def count(self, message: object) -> None:
        """Count what a resume counts."""
        if not isinstance(message, Welcome | Notes | Music | Pointers):
            self.counter.heard("")

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
        for slot in self.sounds:
            self.sounds[slot] = Synthesizer()
        for state in notes.notes:
            self.sounds[state.slot].play(state.state)
        self.missed = True

    def leave(self) -> None:
        """Out of the room: until here everything came, in order."""
        self.check_order()
        self.slot = None
        self.missed = self.lags = False
        self.sounds, self.heard, self.due = {}, [], []
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
        for state in ack.notes:
            self.sounds[state.slot].play(state.state)

    def _hear(self, music: Music) -> None:
        assert self.slot is not None, "music outside of a room"
        for block in music.blocks:
            assert block.slot != self.slot, "one's own music"
            self.sounds[block.slot].hear(block.events)
            self.heard += [event.offset_ms for event in block.events if event.offset_ms]


class RoomMachine(RuleBasedStateMachine):
    """One room in slices of two listeners, with two members announced at once."""

    listeners = Bundle[Listener]("listeners")

    def __init__(self) -> None:
        super().__init__()
        self.manual = ManualHub("hub.yield_after=2", "hub.presence_limit=2", "hub.cursor_interval_ms=1")
        self.away: set[Listener] = set()
        self.present: list[Listener] = []  # the longest present first, as the server has them
        self.owner: Listener | None = None
        self.muted: set[Listener] = set()
        self.sequence = FIRST_SEQUENCE

    @initialize(target=listeners, encodings=st.lists(st.sampled_from(Encoding), min_size=3, max_size=6))
    def open(self, encodings: list[Encoding]) -> MultipleResults[Listener]:
        return multiple(*map(self.connect, encodings))

    @rule(target=listeners, encoding=st.sampled_from(Encoding))
    def come(self, encoding: Encoding) -> Listener:
        return self.connect(encoding)

    def connect(self, encoding: Encoding) -> Listener:
        listener = Listener(self.manual, encoding)
        self.join(listener)
        return listener

    @rule(listener=listeners)
    def come_back(self, listener: Listener) -> None:
        self.join(listener)

    def join(self, listener: Listener) -> None:
        if listener in self.present or listener in self.away or len(self.present) == MOST:
            return
        listener.peer.say("join-room", {"room": ROOM, "create": True}, 1)
        if not self.present:
            self.owner = listener
        self.present.append(listener)

    @rule(listener=listeners)
    def leave(self, listener: Listener) -> None:
        if self._acts(listener):
            listener.peer.read_on()
            listener.peer.say("leave-room", {})
            listener.listen()
            listener.leave()
            self._gone(listener)

    @rule(listener=consumes(listeners))
    def close(self, listener: Listener) -> None:
        if listener in self.away:
            return
        listener.peer.read_on()
        listener.peer.leave()
        listener.listen()
        if listener in self.present:
            self._gone(listener)

    @rule(listener=listeners)
    def stall(self, listener: Listener) -> None:
        listener.peer.is_stalled = listener not in self.away
        listener.lags = True

    @rule(listener=listeners)
    def read_on(self, listener: Listener) -> None:
        listener.peer.read_on()

    @rule(listener=listeners)
    def drop(self, listener: Listener) -> None:
        if listener in self.present and listener not in self.away:
            listener.drop()
            self.away.add(listener)

    @rule(listener=listeners, encoding=st.sampled_from(Encoding), is_half_open=st.booleans())
    def resume(self, listener: Listener, encoding: Encoding, is_half_open: bool) -> None:
        if listener in self.away:
            self.away.remove(listener)
        elif not is_half_open or listener not in self.present:
            return
        listener.listen()
        listener.come_back(encoding)
        self.manual.tick()  # the client does nothing before it has what it missed
        listener.listen()

    @rule(listener=listeners)
    def kick(self, listener: Listener) -> None:
        if self._acts(self.owner) and listener in self.present and listener is not self.owner:
            self.owner.peer.say("kick", {"user": listener.peer.session.profile.id})
            listener.peer.read_on()
            listener.listen()
            self._gone(listener)

    @rule(listener=listeners)
    def transfer(self, listener: Listener) -> None:
        if self._acts(self.owner) and listener in self.present:
            self.owner.peer.say("transfer-owner", {"user": listener.peer.session.profile.id})
            self.owner = listener

    @rule(listener=listeners, on=st.booleans())
    def mute(self, listener: Listener, on: bool) -> None:
        if self._acts(self.owner) and listener in self.present and listener is not self.owner:
            self.owner.peer.say("mute", {"user": listener.peer.session.profile.id, "notes": on})
            (self.muted.add if on else self.muted.discard)(listener)

    @rule(on=st.booleans())
    def reserve(self, on: bool) -> None:
        if self._acts(self.owner):
            self.owner.peer.say("room-update", {"settings": {"only_owner_can_play": on}})

    @rule(listener=listeners, events=batches(4))
    def play(self, listener: Listener, events: list[MidiEvent]) -> None:
        if listener in self.away:
            return
        numbers = range(self.sequence, self.sequence + len(events))
        self.sequence = numbers.stop
        listener.peer.play([event._replace(offset_ms=number) for event, number in zip(events, numbers, strict=True)])
        if self._sounds(listener):
            for other in self.present:
                if other is not listener:
                    other.due += numbers

    @rule(listener=listeners)
    def chat(self, listener: Listener) -> None:
        if self._acts(listener):
            listener.peer.say("chat-message", {"content": "good evening"})
            for reader in self.present:
                reader.due_lines += 1

    @rule(listener=listeners)
    def point(self, listener: Listener) -> None:
        if listener not in self.away:
            listener.peer.say("cursor", {"x": 1, "y": 2})

    @rule()
    def tick(self) -> None:
        self.manual.tick()

    @rule()
    def settle(self) -> None:
        """When all is quiet, all pictures are the same as the server's."""
        here = [listener for listener in self.present if listener not in self.away]
        self.manual.settle()
        for listener in here:
            listener.peer.read_on()
        self.manual.settle()
        for listener in here:
            listener.listen()
            listener.check_order()
            assert listener.missed or len(listener.heard) == len(listener.due)
            assert len(listener.lines) == listener.due_lines
            self._compare(listener)

    def teardown(self) -> None:
        try:
            self.settle()
        finally:
            self.manual.close()

    def _sounds(self, player: Listener) -> bool:
        """Whether the others are to hear `player`."""
        room = player.peer.session.room
        reserved = room is not None and room.settings.only_owner_can_play
        return self._acts(player) and player not in self.muted and (not reserved or player is self.owner)

    def _acts(self, listener: Listener | None) -> TypeGuard[Listener]:
        return listener in self.present and listener not in self.away

    def _gone(self, listener: Listener) -> None:
        self.present.remove(listener)
        self.muted.discard(listener)
        if self.owner is listener:
            self.owner = next(iter(self.present), None)
            self.manual.tick()  # the heir is crowned when the loop has served the others

    def _compare(self, listener: Listener) -> None:
        room = self.manual.hub.context.registry.get(ROOM)
        assert room is not None
        assert set(room.members) - {listener.slot} >= set(listener.sounds)
        held = {state.slot: state.state for state in room.notes() if state.slot != listener.slot}
        assert set(held) <= set(listener.sounds)
        for slot, sound in listener.sounds.items():
            fresh = Synthesizer()
            fresh.play(held.get(slot, []))
            assert sound.state == fresh.state


RoomMachine.TestCase.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
test_every_listener_has_the_servers_picture = RoomMachine.TestCase
