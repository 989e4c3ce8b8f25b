"""Listening to a room of a real server."""

from pathlib import Path

import pytest

from rhythm_protocol.messages import RoomSettings
from rhythmd.app import Server
from rhythmd.client.errors import RequestRefused
from rhythmd.client.listen import Until
from tests.client import Client, Connect, note_off, note_on
from tests.commands.listening import FOREVER, Listening, listening
from tests.deadline import within
from tests.server import Serve


async def player(connect: Connect, server: Server, name: str = "Clara") -> Client:
    client = await connect(server)
    await client.ask("user-update", {"name": name})
    await client.join("Salon")
    return client


async def server_ms(client: Client) -> int:
    return (await client.clock()).sent_us // 1_000


async def test_listen_records_by_the_events_own_times(server: Server, connect: Connect, tmp_path: Path) -> None:
    async with listening(server.url) as listener:
        clara = await player(connect, server)
        now_ms = await server_ms(clara)
        await clara.play([note_on()], now_ms)
        await clara.play([note_off(offset_ms=700)], now_ms + 800)
        await listener.wrote("note off")
        events = await listener.stop(tmp_path / "out.mid")
    assert [event.message for event in events] == [(0x90, 60, 100), (0x80, 60, 0)]
    assert [event.due_s for event in events] == pytest.approx([0.0, 1.5])


async def test_listen_records_what_sounds_at_the_join(server: Server, connect: Connect, tmp_path: Path) -> None:
    clara = await player(connect, server)
    await clara.play([note_on()])
    await clara.clock()
    async with listening(server.url) as listener:
        await clara.play([note_off()])
        await listener.wrote("note off")
        events = await listener.stop(tmp_path / "out.mid")
    assert [event.message for event in events] == [(0x90, 60, 100), (0x80, 60, 0)]


async def test_listen_records_late_events_behind_what_sounded(server: Server, connect: Connect, tmp_path: Path) -> None:
    clara = await player(connect, server)
    await clara.play([note_on()])
    before_ms = await server_ms(clara)
    async with listening(server.url) as listener:
        await clara.play([note_off()], before_ms - 5_000)
        await listener.wrote("note off")
        events = await listener.stop(tmp_path / "out.mid")
    assert [event.message for event in events] == [(0x90, 60, 100), (0x80, 60, 0)]


async def test_listen_ends_in_the_recording_what_is_held(server: Server, connect: Connect, tmp_path: Path) -> None:
    async with listening(server.url) as listener:
        clara = await player(connect, server)
        await clara.play([note_on()])
        await listener.wrote("note on ")
        events = await listener.stop(tmp_path / "out.mid")
    assert [event.message for event in events] == [(0x90, 60, 100), (0x80, 60, 0)]


async def test_listen_writes_who_comes_plays_talks_and_goes(server: Server, connect: Connect) -> None:
    async with listening(server.url) as listener:
        clara = await player(connect, server)
        await clara.play([note_on(61, 99)])
        await clara.ask("chat-message", {"content": "Good evening"})
        await clara.ask("leave-room")
        await listener.wrote("leaves (left)")
        clara_lines = [line.split(maxsplit=2)[2] for line in listener.lines if "Clara" in line.split()[1]]
    assert clara_lines == [
        "joins",
        "channel 1   note on   C#4  99",
        "> Good evening",
        "channel 1   note off  C#4",
        "leaves (left)",
    ]


async def test_listen_until_quiet_ends_after_the_last_note(server: Server, connect: Connect) -> None:
    async with listening(server.url, Until(quiet_s=0.2)) as listener:
        clara = await player(connect, server)
        assert not listener.task.done()
        await clara.play([note_on()])
        await within(listener.task)
        assert listener.recording.notes == 1


async def test_listen_seconds_ends_a_silent_room(server: Server) -> None:
    async with listening(server.url, Until(seconds=0.5)) as listener:
        await within(listener.task)


async def test_listen_refused_join_ends_it(server: Server, connect: Connect) -> None:
    await (await connect(server)).join("Salon", settings=RoomSettings(max_players=1))
    with pytest.raises(RequestRefused, match="room-full"):
        await within(Listening(server.url, FOREVER).task)


async def test_listen_comes_back_after_a_restart(serve: Serve, connect: Connect, tmp_path: Path) -> None:
    first = await serve()
    async with listening(first.url) as listener:
        clara = await player(connect, first)
        await clara.play([note_on()])
        await listener.wrote("note on ")
        await within(first.stop())
        second = await serve(f"server.port={first.port}")
        await listener.wrote("restarting (1012)")
        clara = await player(connect, second)
        await clara.play([note_on(62)])
        await listener.wrote("D4")
        events = await listener.stop(tmp_path / "out.mid")
    assert [event.message for event in events] == [(0x90, 60, 100), (0x80, 60, 0), (0x90, 62, 100), (0x80, 62, 0)]
    assert events[2].due_s >= 1.0
