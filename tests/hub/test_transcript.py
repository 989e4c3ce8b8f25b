"""From what went over the wire to the tracks of a file: times, order, and nothing that hangs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rhythm_protocol.binary import encode_midi
from rhythm_protocol.midi import MidiEvent
from rhythmd.clock import server_ms
from rhythmd.hub.recording.transcript import Transcript, transcribe
from rhythmd.hub.rooms.tape import Tape
from tests.client import note_off, note_on
from tests.hub.generated import batches
from tests.hub.manual import FakePeer, ManualHub
from tests.midifiles import Track, parse, rings

BEFORE_ALL: Final = 0
SUSTAIN: Final = 64


class Studio:
    """A room in which everything is on tape, and the times are the test's."""

    def __init__(self, *players: str) -> None:
        self.manual = ManualHub("quota.total_allowance=1000000", "quota.total_maximum=1000000")
        self.players = [self.enter(name) for name in players]

    def enter(self, name: str) -> FakePeer:
        peer = self.manual.connect()
        peer.say("user-update", {"name": name})
        peer.say("join-room", {"room": "lobby"})
        return peer

    def record(self) -> Tape:
        self.room = self.manual.hub.registry.lobby()
        self.tape = self.room.deck.record("owner")
        return self.tape

    def play(self, peer: FakePeer, at_ms: int, *events: MidiEvent) -> None:
        """Play at a time that counts from the tape's beginning."""
        self.manual.hub.on_binary(peer.session, encode_midi(self.tape.began_ms + at_ms, events))

    def finish(self, since_ms: int = BEFORE_ALL) -> Transcript:
        return transcribe("Evening", [self.tape], since_ms, server_ms())

    def tracks(self) -> list[Track]:
        title, tracks = parse(self.finish().file)
        assert title == "Evening"
        return tracks


@contextmanager
def open_studio(*players: str) -> Iterator[Studio]:
    made = Studio(*players)
    try:
        yield made
    finally:
        made.manual.close()


@pytest.fixture
def studio() -> Iterator[Studio]:
    with open_studio("Clara", "Robert") as made:
        yield made


def sound(track: Track) -> list[tuple[int, int, int]]:
    """(ms, status, data 1) of a track."""
    return [(at_ms, message[0], message[1]) for at_ms, message in track.events]


def test_transcribe_gives_each_player_a_track_in_the_players_own_time(studio: Studio) -> None:
    clara, robert = studio.players
    studio.record()
    studio.play(clara, 0, note_on(60), note_off(60, 500))
    studio.play(robert, 20, note_on(40, offset_ms=7), note_off(40, offset_ms=107))
    studio.play(clara, 501, note_on(62), note_off(62, 3))
    first, second = studio.tracks()
    assert (first.name, second.name) == ("Clara", "Robert")
    assert sound(first) == [(0, 0x90, 60), (500, 0x80, 60), (501, 0x90, 62), (504, 0x80, 62)]
    assert sound(second) == [(27, 0x90, 40), (127, 0x80, 40)]


def test_transcribe_keeps_every_kind_of_message(studio: Studio) -> None:
    clara = studio.players[0]
    studio.record()
    events = [
        MidiEvent(0, 0xC3, 5), MidiEvent(1, 0xB3, 7, 100), MidiEvent(2, 0x93, 60, 1), MidiEvent(3, 0xA3, 60, 2),
        MidiEvent(4, 0xD3, 9), MidiEvent(5, 0xE3, 1, 2), MidiEvent(6, 0xE3, 0, 64), MidiEvent(7, 0x93, 60, 0),
    ]  # fmt: skip
    studio.play(clara, 0, *events)
    [track] = studio.tracks()
    assert track.messages == [event[1:] for event in events]
    assert track.times == list(range(8))


def test_transcribe_begins_with_what_is_held(studio: Studio) -> None:
    clara, robert = studio.players
    clara.play([MidiEvent(0, 0xC0, 19), MidiEvent(0, 0xB0, SUSTAIN, 127), note_on(60, 90), note_on(64, 80)])
    robert.play([MidiEvent(0, 0xC1, 5)])
    studio.record()
    studio.play(clara, 400, note_off(60))
    [track] = studio.tracks()
    assert track.messages[:4] == [(0xC0, 19, 0), (0xB0, SUSTAIN, 127), (0x90, 60, 90), (0x90, 64, 80)]
    assert track.times[:4] == [0, 0, 0, 0]
    assert track.events[4] == (400, (0x80, 60, 0))
    assert {message[:2] for message in track.messages[5:]} == {(0x80, 64), (0xB0, SUSTAIN)}
    assert not rings(track)


def test_transcribe_what_came_late_comes_after_what_was_held(studio: Studio) -> None:
    """Played just before the recording began, arrived just after."""
    clara = studio.players[0]
    clara.play([note_on(60)])
    studio.record()
    studio.play(clara, -80, note_off(60), note_on(62, offset_ms=30))
    studio.play(clara, 20, note_off(62))
    [track] = studio.tracks()
    assert sound(track) == [(0, 0x90, 60), (0, 0x80, 60), (30, 0x90, 62), (100, 0x80, 62)]


def test_transcribe_ends_what_is_held(studio: Studio) -> None:
    clara = studio.players[0]
    studio.record()
    studio.play(clara, 0, note_on(60), MidiEvent(0, 0xB0, SUSTAIN, 127), MidiEvent(0, 0xE0, 0, 0))
    [track] = studio.tracks()
    assert {message[:2] for message in track.messages[3:]} == {(0x80, 60), (0xB0, SUSTAIN), (0xE0, 0)}


def test_transcribe_has_the_servers_release_of_who_leaves(studio: Studio) -> None:
    clara = studio.players[0]
    studio.record()
    studio.play(clara, 0, note_on(60))
    clara.say("leave-room", {})
    assert studio.tape.blocks.count(b"\x80\x3c\x00") == 1
    [track] = studio.tracks()
    assert [status for _, status, _ in sound(track)] == [0x90, 0x80]


def test_transcribe_a_release_is_not_overtaken_by_its_note(studio: Studio) -> None:
    """The note is due a minute after the server has released it."""
    clara = studio.players[0]
    studio.record()
    studio.play(clara, 0, note_on(62), note_off(62, 10), note_on(60, offset_ms=60_000))
    clara.say("leave-room", {})
    [track] = studio.tracks()
    assert sound(track) == [(0, 0x90, 62), (10, 0x80, 62), (60_000, 0x90, 60), (60_000, 0x80, 60)]


def test_transcribe_one_player_who_comes_back_has_one_track(studio: Studio) -> None:
    clara, robert = studio.players
    studio.record()
    studio.play(clara, 0, note_on(60), note_off(60, 1))
    clara.say("leave-room", {})
    studio.play(robert, 5, note_on(61), note_off(61, 1))
    clara.say("join-room", {"room": "lobby"})
    studio.play(clara, 10, note_on(62), note_off(62, 1))
    first, second = studio.tracks()
    assert [at_ms for at_ms, status, _ in sound(first) if status == 0x90] == [0, 10]
    assert second.name == "Robert"


def test_transcribe_players_of_one_name_have_their_own_tracks(studio: Studio) -> None:
    clara, other = studio.players[0], studio.enter("Clara")
    studio.record()
    studio.play(other, 0, note_on(50), note_off(50, 1))
    studio.play(clara, 2, note_on(60), note_off(60, 1))
    tracks = studio.tracks()
    assert [track.name for track in tracks] == ["Clara", "Clara"]
    assert [track.messages[0][1] for track in tracks] == [60, 50]


def test_transcribe_slot_of_somebody_new_is_theirs(studio: Studio) -> None:
    clara, robert = studio.players
    studio.record()
    studio.play(clara, 0, note_on(60), note_off(60, 1))
    clara.say("leave-room", {})
    studio.room.members.last_slot = 0  # as after 65,535 others
    johannes = studio.enter("Johannes")
    assert johannes.session.place is not None
    assert johannes.session.place.member.slot == 1
    studio.play(johannes, 10, note_on(70), note_off(70, 1))
    studio.play(robert, 20, note_on(80), note_off(80, 1))
    keys = {track.name: track.messages[0][1] for track in studio.tracks()}
    assert keys == {"Clara": 60, "Robert": 80, "Johannes": 70}


def test_transcribe_base_times_that_wrap(studio: Studio) -> None:
    clara = studio.players[0]
    tape = studio.record()
    began = tape.began_ms
    studio.play(clara, 0, note_on(60), note_off(60, 1))
    studio.play(clara, 1_500, note_on(61), note_off(61, 1))
    tape.began_ms = (1 << 32) - 1_000
    shift = tape.began_ms - began
    head = slice(3, 7)
    for start in range(0, len(tape.blocks), 17):
        block = tape.blocks[start : start + 17]
        base = (int.from_bytes(block[head], "little") + shift) & 0xFFFFFFFF
        tape.blocks[start + 3 : start + 7] = base.to_bytes(4, "little")
    transcript = transcribe("Evening", [tape], BEFORE_ALL, tape.began_ms + 2_000)
    assert parse(transcript.file)[1][0].times == [0, 1, 1_500, 1_501]


def test_transcribe_of_more_events_than_a_block_holds(studio: Studio) -> None:
    clara = studio.players[0]
    studio.record()
    events = [event for number in range(300) for event in (note_on(60, offset_ms=number), note_off(60, number))]
    studio.play(clara, 0, *events)
    [track] = studio.tracks()
    assert [message[0] for message in track.messages] == [0x90, 0x80] * 300
    assert track.times == [number for number in range(300) for _ in range(2)]


def test_transcribe_of_silence_is_a_file_without_tracks(studio: Studio) -> None:
    studio.record()
    transcript = studio.finish()
    assert parse(transcript.file) == ("Evening", [])
    assert (transcript.duration_ms, transcript.players) == (0, 0)


def test_transcribe_says_how_long_it_is_and_how_many_played(studio: Studio) -> None:
    clara, robert = studio.players
    studio.record()
    studio.play(clara, 1_000, note_on(60), note_off(60, 250))
    studio.play(robert, 1_100, note_on(60), note_off(60, 50))
    transcript = studio.finish()
    assert (transcript.duration_ms, transcript.players) == (250, 2)


def test_transcribe_leaves_out_what_is_due_before(studio: Studio) -> None:
    """What was played before counts for what is held at the cut."""
    clara, robert = studio.players
    tape = studio.record()
    studio.play(clara, 0, note_on(60), note_on(64), MidiEvent(0, 0xC0, 9), note_off(64, 100))
    studio.play(robert, 0, note_on(50), note_off(50, 100))
    studio.play(clara, 900, note_off(60), note_on(67, offset_ms=50), note_off(67, 150))
    transcript = studio.finish(tape.began_ms + 500)
    [track] = parse(transcript.file)[1]
    assert track.events == [
        (0, (0xC0, 9, 0)), (0, (0x90, 60, 100)), (400, (0x80, 60, 0)), (450, (0x90, 67, 100)), (550, (0x80, 67, 0)),
    ]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(parts=st.lists(st.tuples(st.integers(-9_000, 1_900), batches(4), st.booleans()), max_size=12))
def test_transcribe_of_anything_leaves_nothing_hanging(
    parts: Sequence[tuple[int, list[MidiEvent], bool]],
) -> None:
    with open_studio("Clara") as studio:
        [clara] = studio.players
        studio.record()
        for at_ms, events, leaves in parts:
            studio.play(clara, at_ms, *events)
            if leaves:
                clara.say("leave-room", {})
                clara.say("join-room", {"room": "lobby"})
        for track in studio.tracks():
            assert track.times == sorted(track.times)
            assert not rings(track)
