"""A sheet and the end of the process: it is over, and those who come back hold nothing of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import pytest

from rhythm_protocol.messages import Notes, ResumeAck
from rhythmd.store.live import MappedLiveState
from tests.client import Answer
from tests.hub.manual import ManualHub
from tests.hub.sheets import FakeLibrary, held_chord

ROOM: Final = "Salon"


@pytest.fixture
def live(tmp_path: Path) -> Iterator[MappedLiveState]:
    state = MappedLiveState(tmp_path, 1)
    state.open()
    yield state
    state.close()


def test_sheet_is_over_after_a_crash(live: MappedLiveState) -> None:
    """The next process knows nothing of it; what clients then get stands for all that they knew."""
    before = ManualHub(sheets=FakeLibrary(held_chord("chord")), live=live)
    before.hub.start()  # which writes when it was
    owner = before.connect()
    owner.say("join-room", {"room": ROOM, "create": True}, 1)
    owner.say("sheet-play", {"sheet": "chord"}, 2)
    room = before.hub.registry.get(ROOM)
    assert room is not None
    assert len(room.notes()) == 1
    before.close()

    after = ManualHub(live=live)
    after.restore()
    back = after.connect()
    back.say("resume", {"session": owner.session.key, "received": 3}, 9)
    after.settle()
    heard = back.take()
    ack = next(msgspec.convert(message.data, ResumeAck) for message in heard if isinstance(message, Answer))
    assert ack.join is not None
    assert ack.join.room.sheet is None
    assert ack.join.notes == []
    assert [message.notes for message in heard if isinstance(message, Notes)] == [[]]
    after.close()
