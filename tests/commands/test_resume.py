"""Playing and listening in a room of a real server, whose connections are reset and which restarts."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from bench.faults.proxy import Proxy, open_proxy
from rhythm_protocol.messages import UserUpdated
from rhythmd.app import Server
from rhythmd.client.play import play
from rhythmd.client.room import RoomAddress
from rhythmd.client.score import ScoreEvent
from tests.client import Client, Connect, note_off, note_on
from tests.commands.listening import is_whole, listening
from tests.deadline import within
from tests.server import Serve

pytestmark = pytest.mark.usefixtures("impatient")

ON = (0x90, 60, 100)
OFF = (0x80, 60, 0)
PEDAL_DOWN = (0xB0, 64, 127)
PEDAL_UP = (0xB0, 64, 0)


@pytest.fixture
async def proxy(server: Server) -> AsyncIterator[Proxy]:
    async with open_proxy(server.port, Random(1)) as proxy:
        yield proxy


async def clara(connect: Connect, server: Server) -> Client:
    client = await connect(server)
    await client.ask("user-update", {"name": "Clara"})
    await client.join("Salon")
    return client


async def heard(client: Client, count: int) -> list[tuple[int, int, int]]:
    return [event[1:] for _, event in await client.events(count)]


async def test_listen_resumed_goes_on_as_if_nothing_was(
    server: Server, proxy: Proxy, connect: Connect, tmp_path: Path
) -> None:
    player = await clara(connect, server)
    async with listening(f"ws://127.0.0.1:{proxy.port}") as listener:
        await player.play([note_on(), note_on(62)])
        await listener.wrote("note on   D4")
        proxy.reset()
        await player.ask("chat-message", {"content": "Are you there?"})
        await player.play([note_off(62)])
        await listener.wrote("resumed: ")
        await listener.wrote("> Are you there?")
        await player.play([note_off()])
        await listener.wrote("note off  C4")
        events = await listener.stop(tmp_path / "out.mid")
    assert [event.message for event in events] == [ON, (0x90, 62, 100), (0x80, 62, 0), OFF]
    assert sum("Are you there?" in line for line in listener.lines) == 1
    assert sum("joined: " in line for line in listener.lines) == 1


async def test_play_resumed_restores_what_was_set(server: Server, proxy: Proxy, connect: Connect) -> None:
    listener = await clara(connect, server)
    score = [ScoreEvent(0.0, (0xC0, 5, 0)), ScoreEvent(0.0, PEDAL_DOWN), ScoreEvent(0.0, ON)]
    score += [ScoreEvent(1.5, OFF), ScoreEvent(1.6, (0x90, 62, 100)), ScoreEvent(1.7, (0x80, 62, 0))]
    address = RoomAddress(f"ws://127.0.0.1:{proxy.port}", "Salon")
    playing = asyncio.create_task(play(address, score, 1.0, lambda *_: None))
    assert await heard(listener, 3) == [(0xC0, 5, 0), PEDAL_DOWN, ON]
    proxy.reset()
    assert sorted(await heard(listener, 2)) == [OFF, PEDAL_UP]
    assert (await listener.expect(UserUpdated)).user.reconnecting
    assert not (await listener.expect(UserUpdated)).user.reconnecting
    assert await heard(listener, 5) == [(0xC0, 5, 0), PEDAL_DOWN, OFF, (0x90, 62, 100), (0x80, 62, 0)]
    assert (await within(playing)).skipped == 0


async def test_play_resumed_beside_a_half_open_connection_leaves_nothing_held(
    server: Server, proxy: Proxy, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rhythmd.client.connection.CLOCK_INTERVAL_S", 0.02)
    monkeypatch.setattr("rhythmd.client.connection.SILENCE_S", 0.2)
    listener = await clara(connect, server)
    score = [ScoreEvent(0.0, ON), ScoreEvent(2.0, (0x90, 62, 100)), ScoreEvent(2.1, (0x80, 62, 0))]
    address = RoomAddress(f"ws://127.0.0.1:{proxy.port}", "Salon")
    playing = asyncio.create_task(play(address, score, 1.0, lambda *_: None))
    assert await heard(listener, 1) == [ON]
    proxy.stall()
    assert await heard(listener, 3) == [OFF, (0x90, 62, 100), (0x80, 62, 0)]
    await within(playing)


async def test_play_and_listen_go_on_after_a_restart(serve: Serve, tmp_path: Path) -> None:
    first = await serve()
    score = [ScoreEvent(step * 0.05, (0x90 if step % 2 == 0 else 0x80, 60, 64)) for step in range(1_200)]
    async with listening(first.url) as listener:
        playing = asyncio.create_task(play(RoomAddress(first.url, "Salon", name="Clara"), score, 1.0, lambda *_: None))
        await listener.wrote("note on ", times=3)
        await within(first.stop())
        await serve(f"server.port={first.port}")
        await listener.wrote("resumed: ")
        before = sum("note on " in line for line in listener.lines)
        await listener.wrote("note on ", times=before + 3)
        playing.cancel()
        await listener.wrote("leaves (left)")
        events = await listener.stop(tmp_path / "out.mid")
    assert is_whole(events)
