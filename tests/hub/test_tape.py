"""The tapes of a room: what runs when, how long replays go back, and how much memory they may take."""

from collections.abc import Iterator

import pytest

from rhythm_protocol.midi import MidiEvent
from rhythmd.clock import server_ms
from rhythmd.hub.recording.transcript import transcribe
from rhythmd.hub.rooms.room import Room
from rhythmd.hub.rooms.tape import Tape, present
from tests.client import note_off, note_on
from tests.hub.manual import FakePeer, ManualHub
from tests.midifiles import Track, parse

REPLAY_BYTES = 2_048
MEMORY_BYTES = 8_192
WHEEL = MidiEvent(0, 0xB0, 1, 1)


class Hall:
    """A hub whose recorder has small bounds, and looks after its rooms when the test says so."""

    def __init__(self) -> None:
        self.manual = ManualHub(f"recording.replay_bytes={REPLAY_BYTES}", f"recording.memory_bytes={MEMORY_BYTES}")

    def open(self, name: str, *, allow_replay: bool) -> tuple[Room, FakePeer]:
        """A room with its owner."""
        owner = self.manual.connect()
        owner.say("join-room", {"room": name, "create": True, "settings": {"allow_replay": allow_replay}})
        assert owner.session.place is not None
        return owner.session.place.room, owner

    def look(self) -> None:
        """What the recorder does every second."""
        self.manual.hub.recorder.start()
        self.manual.settle()


@pytest.fixture
def hall() -> Iterator[Hall]:
    made = Hall()
    yield made
    made.manual.close()


def replay(room: Room, since_ms: int = 0) -> list[Track]:
    return parse(transcribe("Replay", room.deck.replay_since(since_ms), since_ms, server_ms()).file)[1]


def running(room: Room) -> list[bytes]:
    return [bytes(tape.blocks) for tape in room.deck.running]


def test_nothing_runs_in_a_room_that_is_not_recorded(hall: Hall) -> None:
    room, clara = hall.open("Salon", allow_replay=False)
    clara.play([note_on()])
    assert room.deck.running == ()
    assert room.deck.memory == 0


def test_recording_and_replay_run_beside_each_other(hall: Hall) -> None:
    room, clara = hall.open("Salon", allow_replay=True)
    clara.play([note_on(60)])
    room.deck.record("owner")
    clara.play([note_on(61)])
    recording, replayed = running(room)
    assert (b"\x3c" in recording, b"\x3d" in recording) == (False, True)
    assert (b"\x3c" in replayed, b"\x3d" in replayed) == (True, True)
    room.deck.stop()
    assert running(room) == [replayed]


def test_tape_is_turned_when_it_fills_half_of_the_memory(hall: Hall) -> None:
    room, clara = hall.open("Salon", allow_replay=True)
    clara.play([note_on(50)])
    for turns in (1, 2, 2, 2):
        assert len(room.deck.replay) == turns
        clara.play([WHEEL] * 200)
        hall.look()
    assert room.deck.memory < 2 * REPLAY_BYTES


def test_replay_goes_on_from_one_tape_to_the_next(hall: Hall) -> None:
    room, clara = hall.open("Salon", allow_replay=True)
    clara.play([note_on(50), *[WHEEL] * 200])
    hall.look()
    clara.play([note_off(50), note_on(51)])
    [track] = replay(room)
    statuses = [message[0] for message in track.messages]
    assert statuses == [0x90, *[0xB0] * 200, 0x80, 0x90, 0x80]


def test_replay_begins_with_what_is_held_when_the_older_tape_is_gone(hall: Hall) -> None:
    room, clara = hall.open("Salon", allow_replay=True)
    clara.play([note_on(50)])
    for _ in range(3):
        clara.play([WHEEL] * 200)
        hall.look()
    clara.play([note_off(50)])
    [track] = replay(room)
    assert (0x90, 50, 100) in track.messages[:2]
    assert track.messages[-1] == (0x80, 50, 0)


def test_replay_without_the_older_tape_when_that_is_too_old(hall: Hall) -> None:
    room, clara = hall.open("Salon", allow_replay=True)
    room.deck.turn()
    clara.play([note_on(50), note_off(50)])
    assert len(room.deck.replay_since(0)) == 2
    assert len(room.deck.replay_since(room.deck.replay[-1].began_ms)) == 1


def test_replay_does_not_follow_what_is_played_later(hall: Hall) -> None:
    room, clara = hall.open("Salon", allow_replay=True)
    clara.play([note_on(50), note_off(50)])
    tapes = room.deck.replay_since(0)
    clara.play([note_on(51), note_off(51)])
    [track] = parse(transcribe("Replay", tapes, 0, server_ms()).file)[1]
    assert {message[1] for message in track.messages} == {50}


def test_forbidden_replay_is_forgotten_at_once(hall: Hall) -> None:
    room, clara = hall.open("Salon", allow_replay=True)
    clara.play([note_on(50)])
    clara.say("room-update", {"settings": {"allow_replay": False}})
    assert room.deck.memory == 0
    clara.say("room-update", {"settings": {"allow_replay": True}})
    assert running(room) == [b""]


def test_replays_are_forgotten_when_all_tapes_take_too_much(hall: Hall) -> None:
    rooms = [hall.open(name, allow_replay=True) for name in ("A", "B", "C")]
    for _, owner in rooms[:2]:
        owner.play([WHEEL] * 800)
    rooms[2][1].play([WHEEL])
    hall.look()
    assert sum(room.deck.memory for room, _ in rooms) <= MEMORY_BYTES
    assert running(rooms[2][0]) != [b""]  # the smallest stays


def test_replays_of_the_network_that_has_most_are_forgotten_first(hall: Hall) -> None:
    """Many small ones must not cost somebody else their bigger one."""
    honest, clara = hall.open("Honest", allow_replay=True)
    clara.play([WHEEL] * 300)
    others = [hall.open(f"Small {number}", allow_replay=True) for number in range(4)]
    for number, (_, owner) in enumerate([(honest, clara), *others]):
        owner.session.player.address = "203.0.113.1" if number else "198.51.100.1"
    for _, owner in others:
        owner.play([WHEEL] * 250)
    assert sum(room.deck.memory for room, _ in [*others, (honest, clara)]) > MEMORY_BYTES
    hall.look()
    assert any(tape.length for tape in honest.deck.replay)
    assert not all(any(tape.length for tape in room.deck.replay) for room, _ in others)


def test_seats_count_as_memory(hall: Hall) -> None:
    """Somebody who comes and goes all the time does not fill the memory unseen."""
    room, _ = hall.open("Salon", allow_replay=True)
    for _ in range(100):
        guest = hall.manual.connect()
        guest.say("join-room", {"room": "Salon"})
        guest.say("leave-room", {})
        hall.look()
    assert room.deck.memory < 2 * REPLAY_BYTES


def test_replay_that_is_not_allowed_any_more_is_not_gone_on_with(hall: Hall) -> None:
    room, clara = hall.open("Salon", allow_replay=True)
    clara.play([WHEEL] * 200)
    hall.manual.hub.recorder.start()  # which sees that the tape is full
    room.deck.allow_replay(allowed=False)
    hall.manual.settle()
    assert (room.deck.running, room.deck.memory) == ((), 0)


def test_big_audience_does_not_shorten_the_replay(hall: Hall) -> None:
    room, clara = hall.open("Salon", allow_replay=True)
    for _ in range(15):
        hall.manual.connect().say("join-room", {"room": "Salon"})
    room.deck.forget()
    room.deck.allow_replay(allowed=True)
    for _ in range(3):
        hall.look()
    assert len(room.deck.replay) == 1
    clara.play([note_on()])
    assert len(replay(room)) == 1


def test_present_are_those_who_were_there_since(hall: Hall) -> None:
    room, clara = hall.open("Salon", allow_replay=False)
    tape: Tape = room.deck.record("owner")
    robert = hall.manual.connect()
    robert.say("join-room", {"room": "Salon"})
    robert.say("leave-room", {})
    [left_ms] = [seat.left_ms for seat in tape.seats if seat.left_ms is not None]
    ids = [peer.session.player.id for peer in (clara, robert)]
    assert present([tape], left_ms) == set(ids)
    assert present([tape], left_ms + 1) == {ids[0]}


def test_changes_of_the_metronome_are_bounded_memory(hall: Hall) -> None:
    """They cost a client a message each, and a tape of a room that is silent would grow with them."""
    room, clara = hall.open("Salon", allow_replay=True)
    before = room.deck.memory
    for bpm in range(60, 80):
        clara.say("metronome", {"running": True, "bpm": bpm})
    [tape] = room.deck.running
    assert len(tape.time) == 21
    assert room.deck.memory - before >= 20 * 100
    hall.look()
    assert room.deck.running != (tape,), "a tape that is full is turned"
    latest = room.deck.running[0].time
    assert [mark.metronome for mark in latest] == [room.metronome.state], "the next one begins with what runs"
