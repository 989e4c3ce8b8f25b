"""Whatever happens, and however it is sliced, every listener's picture of a room, and its count, are the server's."""

from typing import TypeGuard

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, RuleBasedStateMachine, consumes, initialize, multiple, rule

from rhythm_protocol.midi import MidiEvent
from rhythmd.clock import server_ms
from rhythmd.hub.ports import Encoding
from tests.hub.generated import batches
from tests.hub.listener import Listener
from tests.hub.manual import ManualHub
from tests.hub.sheets import FakeLibrary, medley
from tests.hub.synthesizer import Synthesizer

ROOM = "Salon"
SHEETS = ("fugue", "toccata")
MOST = 9
FIRST_SEQUENCE = 1  # of a played event's offset; what the server plays by itself has offset 0


class RoomMachine(RuleBasedStateMachine):
    """One room in slices of two listeners, with two members announced at once."""

    listeners = Bundle[Listener]("listeners")

    def __init__(self) -> None:
        super().__init__()
        self.manual = ManualHub(
            "hub.yield_after=2", "hub.presence_limit=2", "hub.cursor_interval_ms=1", "hub.resume_messages=4",
            "limits.performance_events_per_s=30",
            sheets=FakeLibrary(*(medley(name) for name in SHEETS)),
        )  # fmt: skip
        self.ahead_ms = 0
        self.away: set[Listener] = set()
        self.present: list[Listener] = []  # the longest present first, as the server has them
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

    @rule(listener=listeners, encoding=st.sampled_from(Encoding))
    def resume_in_vain(self, listener: Listener, encoding: Encoding) -> None:
        """The connection is lost again before the answer has come."""
        if listener in self.away:
            listener.listen()
            listener.come_back(encoding)
            listener.peer.heard.clear()
            listener.peer.drop()

    @rule(listener=listeners)
    def confirm(self, listener: Listener) -> None:
        if listener not in self.away:
            listener.listen()
            listener.confirm()

    @rule(listener=listeners)
    def kick(self, listener: Listener) -> None:
        if self._acts(self.owner) and listener in self.present and listener is not self.owner:
            self.owner.peer.say("kick", {"user": listener.peer.session.player.id})
            listener.peer.read_on()
            listener.listen()
            self._gone(listener)

    @rule(listener=listeners)
    def transfer(self, listener: Listener) -> None:
        if self._acts(self.owner) and listener in self.present:
            self.owner.peer.say("transfer-owner", {"user": listener.peer.session.player.id})

    @rule(listener=listeners, on=st.booleans())
    def mute(self, listener: Listener, on: bool) -> None:
        if self._acts(self.owner) and listener in self.present and listener is not self.owner:
            self.owner.peer.say("mute", {"user": listener.peer.session.player.id, "notes": on})
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

    @rule(sheet=st.sampled_from(SHEETS), position_ms=st.integers(0, 4_500), speed=st.sampled_from([0.25, 1, 4]))
    def play_sheet(self, sheet: str, position_ms: int, speed: float) -> None:
        if self._acts(self.owner):
            self.owner.peer.say("sheet-play", {"sheet": sheet, "position_ms": position_ms, "speed": speed}, 4)

    @rule(position_ms=st.integers(0, 4_500))
    def seek(self, position_ms: int) -> None:
        if self._acts(self.owner):
            self.owner.peer.say("sheet-seek", {"position_ms": position_ms}, 5)

    @rule()
    def stop_sheet(self) -> None:
        if self._acts(self.owner):
            self.owner.peer.say("sheet-stop", {}, 6)

    @rule(ms=st.integers(1, 900))
    def conduct(self, ms: int) -> None:
        """The sheet goes on, by a clock that is ahead of the server's."""
        self.ahead_ms += ms
        room = self.manual.hub.registry.get(ROOM)
        if room is not None:
            room.performance.advance(server_ms() + self.ahead_ms)

    @rule(listener=listeners)
    def point(self, listener: Listener) -> None:
        if listener not in self.away:
            listener.peer.say("cursor", {"x": 1, "y": 2})

    @rule(listener=listeners, value=st.integers(0, 9))
    def ask_the_time(self, listener: Listener, value: int) -> None:
        if listener not in self.away:
            listener.peer.say("clock", {"value": value})

    @rule(listener=listeners, name=st.sampled_from(["Clara", "Robert"]))
    def change_name(self, listener: Listener, name: str) -> None:
        if listener not in self.away:
            listener.peer.say("user-update", {"name": name}, 2)

    @rule(listener=listeners, typing=st.booleans())
    def type(self, listener: Listener, typing: bool) -> None:
        if listener not in self.away:
            listener.peer.say("typing", {"typing": typing})

    @rule(listener=listeners, type_=st.sampled_from(["no-such-type", "join-room", "kick", "record-last"]))
    def ask_in_vain(self, listener: Listener, type_: str) -> None:
        if listener not in self.away:
            listener.peer.say(type_, {}, 3)

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
            assert listener.counter.received == listener.peer.session.delivery.log.count
            self._compare(listener)

    def teardown(self) -> None:
        try:
            self.settle()
        finally:
            self.manual.close()

    @property
    def owner(self) -> Listener | None:
        """Whom the server takes for it; other tests have the rules of that."""
        room = self.manual.hub.registry.get(ROOM)
        if room is None or room.owner is None:
            return None
        return next((each for each in self.present if each.peer.session is room.owner.occupant), None)

    def _sounds(self, player: Listener) -> bool:
        """Whether the others are to hear `player`."""
        place = player.peer.session.place
        reserved = place is not None and place.room.settings.only_owner_can_play
        return self._acts(player) and player not in self.muted and (not reserved or player is self.owner)

    def _acts(self, listener: Listener | None) -> TypeGuard[Listener]:
        return listener in self.present and listener not in self.away

    def _gone(self, listener: Listener) -> None:
        self.present.remove(listener)
        self.muted.discard(listener)
        self.manual.tick()  # the heir is crowned when the loop has served the others

    def _compare(self, listener: Listener) -> None:
        room = self.manual.hub.registry.get(ROOM)
        assert room is not None
        assert set(room.members) - {listener.slot} >= set(listener.sounds)
        playing = None if room.performance.state is None else room.performance.state.slot
        assert playing is None or playing in listener.sheets
        held = {state.slot: state.state for state in room.notes() if state.slot != listener.slot}
        assert set(held) <= set(listener.sounds) | {playing}
        assert not any(sound.rings for slot, sound in listener.sheets.items() if slot != playing), "over, and it rings"
        if playing is not None:
            fresh = Synthesizer()
            fresh.play(held.get(playing, []))
            assert listener.sheets[playing].state == fresh.state
        for slot, sound in listener.sounds.items():
            fresh = Synthesizer()
            fresh.play(held.get(slot, []))
            assert sound.state == fresh.state


RoomMachine.TestCase.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
test_every_listener_has_the_servers_picture = RoomMachine.TestCase
