"""A listener whose buffer fills in the middle of a flush."""

from collections.abc import Iterator

import pytest

from rhythm_protocol.close import SLOW
from rhythm_protocol.messages import UserLeft
from rhythmd.hub.peer import Encoding
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


def test_pause_in_a_flush_releases_after_what_was_played(manual: ManualHub) -> None:
    player, slow, listener = three_in_a_room(manual)
    slow.play([note_on(60)])
    player.play([note_on(64)])
    slow.is_full = True
    manual.settle()
    assert slow.closed is SLOW
    for peer, keys in ((player, [60]), (listener, [60, 64])):
        *music, left = peer.take()
        assert isinstance(left, UserLeft)
        heard = [event for each in music if isinstance(each, Music) for block in each.blocks for event in block.events]
        assert heard == [*map(note_on, keys), note_off(60)]
