"""A room whose members hold all that can be held: what newcomers, listeners who return, and tapes get of it."""

from collections.abc import Iterator

import pytest

from rhythm_protocol.messages import Notes, SlotState
from rhythm_protocol.midi import CONTROL_CHANGE, NOTE_ON, POLY_PRESSURE, MidiEvent
from rhythmd.hub.handlers.rooms import full_state
from rhythmd.hub.ports import Encoding
from rhythmd.hub.rooms.members import LEAST_HELD, MOST_HELD
from rhythmd.hub.rooms.room import Room
from rhythmd.hub.rooms.tape import SEAT_BYTES, is_silent
from rhythmd.hub.sending.outbound import ControlMessage
from rhythmd.midi.state import HeldNotes, NoteState
from tests.hub.manual import FakePeer, ManualHub

PLAYERS = 8
OPEN = {"allow_replay": True, "allow_black_midi": True, "max_players": 50}
PLENTY = ("quota.room_maximum=1000000", "quota.owner_maximum=1000000", "quota.total_maximum=1000000")
DATA_BYTES = 3


@pytest.fixture
def manual() -> Iterator[ManualHub]:
    manual = ManualHub(*PLENTY)
    yield manual
    manual.close()


def everything() -> NoteState:
    """All that a player may hold, but for parameters."""
    state = NoteState()
    for channel in range(16):
        for key in range(128):
            state.apply(bytes((0, 0, NOTE_ON | channel, key, 64, 0, 0, POLY_PRESSURE | channel, key, 9)), 0)
        for number in range(96):
            state.apply(bytes((0, 0, CONTROL_CHANGE | channel, number, 5)), 0)
    return state


def full_room(manual: ManualHub, players: int = PLAYERS) -> tuple[Room, list[FakePeer]]:
    """A room with its members, the owner first. Each holds everything, as after a while of playing."""
    peers = [manual.connect() for _ in range(players)]
    for peer in peers:
        peer.say("join-room", {"room": "Heavy", "create": True, "settings": OPEN})
    for peer in peers:
        _, member = peer.session.require_place()
        member.notes = everything()
        peer.take()
    return peers[0].session.require_place().room, peers


def told(states: list[SlotState]) -> int:
    """How many messages of notes there are."""
    return sum(len(state.state) for state in states)


@pytest.mark.parametrize("encoding", list(Encoding))
def test_newcomer_is_told_of_everybody_and_of_no_more_than_is_allowed(manual: ManualHub, encoding: Encoding) -> None:
    room, peers = full_room(manual)
    newcomer = manual.connect(encoding)
    newcomer.say("join-room", {"room": "Heavy"}, 1)
    notes = full_state(room, newcomer.session.require_place().member).notes
    assert {state.slot for state in notes} == {peer.session.require_place().member.slot for peer in peers}
    assert MOST_HELD / 2 < told(notes) <= MOST_HELD
    assert notes == room.notes()
    frame = ControlMessage("notes", Notes(notes)).frame(encoding)
    assert len(frame) < 65_536, "what may wait for a slow reader is four times that"


def test_who_holds_little_is_told_whole_beside_those_who_hold_everything(manual: ManualHub) -> None:
    room, peers = full_room(manual)
    _, little = peers[-1].session.require_place()
    little.notes = NoteState()
    little.notes.apply(bytes((0, 0, NOTE_ON, 60, 64, 0, 0, CONTROL_CHANGE, 64, 127)), 0)
    [state] = [state.state for state in room.notes() if state.slot == little.slot]
    assert set(map(tuple, state)) == set(little.notes.snapshot())


def test_room_of_many_tells_something_of_each(manual: ManualHub) -> None:
    room, _ = full_room(manual, 49)
    notes = room.notes()
    assert len(notes) == 49
    assert all(len(state.state) >= LEAST_HELD for state in notes)
    assert told(notes) <= MOST_HELD


def test_nothing_of_it_is_forgotten_and_all_is_let_go(manual: ManualHub) -> None:
    """Also what a newcomer was not told, for those who heard it begin; and it takes few messages."""
    _, peers = full_room(manual)
    listener = manual.connect()
    listener.say("join-room", {"room": "Heavy"})
    _, member = peers[1].session.require_place()
    heard = HeldNotes(everything().snapshot())
    listener.take()
    peers[1].say("leave-room", {})
    manual.tick()
    blocks = [block for message in listener.take() for block in getattr(message, "blocks", ())]
    events = [event for block in blocks if block.slot == member.slot for event in block.events]
    for event in events:
        heard.apply((event.status, event.data1, event.data2))
    assert heard.release() == []
    assert 0 < len(events) < 200


def test_listeners_who_return_are_told_the_same_a_few_at_a_time(manual: ManualHub) -> None:
    room, peers = full_room(manual)
    listeners = [manual.connect() for _ in range(6)]
    for listener in listeners:
        listener.say("join-room", {"room": "Heavy"})
        listener.take()
        listener.delivery.pause()
    for _ in range(3):  # more than waits for anybody
        peers[0].play([MidiEvent(0, CONTROL_CHANGE, 1, value % 128) for value in range(250)])
        manual.tick()
    for listener in listeners:
        assert listener.delivery.backlog is not None
        listener.delivery.backlog.spoil()
        listener.delivery.drain()
    manual.settle()
    for listener in listeners:
        [notes] = [message.notes for message in listener.take() if isinstance(message, Notes)]
        assert notes == room.notes()


def test_tapes_share_what_is_held_and_count_it(manual: ManualHub) -> None:
    room, peers = full_room(manual)
    held = DATA_BYTES * told(room.notes())
    empty = room.deck.memory
    peers[0].say("room-update", {"settings": {"allow_replay": False}})
    peers[0].say("room-update", {"settings": {"allow_replay": True}})
    assert room.deck.memory >= empty + held
    [replay] = room.deck.running
    recording = room.deck.record("owner")
    assert [one.held for one in recording.seats] == [other.held for other in replay.seats]
    assert all(one.held is other.held for one, other in zip(recording.seats, replay.seats, strict=True))
    assert recording.memory >= held + PLAYERS * SEAT_BYTES
    assert is_silent([recording])
