"""A listener whose buffer fills in the middle of a flush."""

from collections.abc import Iterator

import pytest

from rhythm_protocol.midi import MidiEvent
from rhythmd.hub.ports import Encoding
from tests.client import Music, note_off, note_on
from tests.hub.manual import FakePeer, ManualHub


@pytest.fixture
def manual() -> Iterator[ManualHub]:
    manual = ManualHub()
    yield manual
    manual.close()


def three_in_a_room(manual: ManualHub) -> list[FakePeer]:
    peers = [manual.connect(Encoding.BINARY) for _ in range(3)]
    for peer in peers:
        peer.say("join-room", {"room": "Salon", "create": True})
    for peer in peers:
        peer.take()
    return peers


def heard_events(peer: FakePeer) -> list[MidiEvent]:
    return [event for each in peer.take() if isinstance(each, Music) for block in each.blocks for event in block.events]


def test_pause_in_a_flush_holds_nobody_else_back(manual: ManualHub) -> None:
    player, slow, listener = three_in_a_room(manual)
    slow.play([note_on(60)])
    player.play([note_on(64)])
    slow.is_stalled = True
    manual.settle()
    assert heard_events(player) == [note_on(60)]
    assert heard_events(listener) == [note_on(60), note_on(64)]
    slow.read_on()
    assert heard_events(slow) == [note_on(64)]


def test_drain_within_the_playout_delay_brings_all_that_was_played(manual: ManualHub) -> None:
    player, slow, _ = three_in_a_room(manual)
    slow.is_stalled = True
    for key in range(60, 66):
        player.play([note_on(key), note_off(key)])
        manual.tick()
    slow.read_on()
    assert heard_events(slow) == [event for key in range(60, 66) for event in (note_on(key), note_off(key))]
    player.play([note_on(70)])
    manual.settle()
    assert heard_events(slow) == [note_on(70)]
