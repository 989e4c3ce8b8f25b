"""How many lost clients are waited for."""

from collections.abc import Iterator

import pytest

from rhythmd.hub.ports import Encoding
from tests.hub.manual import FakePeer, ManualHub


@pytest.fixture
def manual() -> Iterator[ManualHub]:
    manual = ManualHub("limits.connections_per_address=2")
    yield manual
    manual.close()


def lost(manual: ManualHub, address: str) -> FakePeer:
    """A member of the room whose connection breaks."""
    peer = manual.connect(Encoding.BINARY)
    peer.session.player.address = address
    peer.say("join-room", {"room": "Salon", "create": True})
    peer.drop()
    return peer


def waited_for(manual: ManualHub, peers: list[FakePeer]) -> list[bool]:
    return [peer.session.key in manual.hub.sessions for peer in peers]


def test_longest_away_of_an_address_gives_way(manual: ManualHub) -> None:
    other = lost(manual, "192.0.2.9")
    peers = [lost(manual, "192.0.2.1") for _ in range(3)]
    assert waited_for(manual, [other, *peers]) == [True, False, True, True]


def test_loopback_is_many_people(manual: ManualHub) -> None:
    peers = [lost(manual, "127.0.0.1") for _ in range(3)]
    assert waited_for(manual, peers) == [True] * 3
