"""What the live file is told, and when."""

import asyncio
from collections.abc import AsyncIterator
from math import inf
from pathlib import Path

import msgspec
import pytest

from rhythm_protocol.messages import RoomSettings
from rhythmd.hub.hub import Hub
from rhythmd.hub.keeping.live_file import SavedRoom
from rhythmd.hub.rooms.members import Player
from rhythmd.hub.rooms.room import Room
from rhythmd.rows import SanctionKind
from rhythmd.store.live import MappedLiveState
from tests.hub.manual import bare_hub
from tests.server import make_config


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[MappedLiveState]:
    state = MappedLiveState(tmp_path / "live", 1)
    await asyncio.to_thread(state.open)
    yield state
    state.close()


@pytest.fixture
async def hub(tmp_path: Path, live: MappedLiveState) -> Hub:
    return bare_hub(make_config(tmp_path), asyncio.get_running_loop(), live)


async def new_room(hub: Hub) -> Room:
    room = await hub.catalogue.create(None, "Salon", RoomSettings(), None)
    assert room is not None
    return room


def saved(live: MappedLiveState, room: Room) -> SavedRoom | None:
    values = dict(live.items(f"room/{room.id}"))
    return msgspec.msgpack.decode(values[f"room/{room.id}"], type=SavedRoom) if values else None


async def test_ban_of_a_guests_room_is_written_by_the_keeper_itself(hub: Hub, live: MappedLiveState) -> None:
    room = await new_room(hub)
    room.sanctions.bans.add(Player("robert", "Robert", "#ffffff", "203.0.113.7", guest=True, bot=False), None)
    assert room.keeper.sanction(SanctionKind.BAN, "robert", "clara") is None
    record = saved(live, room)
    assert record is not None
    (ban,) = record.sanctions[SanctionKind.BAN]
    assert (ban.keys, ban.until, ban.name) == (("robert", "203.0.113.7"), inf, "Robert")
    room.keeper.pardon(SanctionKind.BAN, "robert")
    record = saved(live, room)
    assert record is not None
    assert record.sanctions == {}


async def test_room_that_is_gone_writes_nothing_any_more(hub: Hub, live: MappedLiveState) -> None:
    room = await new_room(hub)
    room.changed()
    assert saved(live, room) is not None
    version = hub.registry.version
    hub.registry.free(room)
    room.playout.fix(500)  # as a timer of its delay may, which outlives it
    assert saved(live, room) is None
    assert hub.registry.version == version + 1
