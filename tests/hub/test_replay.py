"""The last minutes of a room, kept afterwards."""

import asyncio

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import RecordingReady
from rhythmd.app import Server
from tests.client import Connect, note_off, note_on
from tests.hub.recordings import REPLAYS, download, enter, ready
from tests.server import Serve


async def test_record_last_keeps_what_was_played(server: Server, connect: Connect) -> None:
    clara, robert = await enter(connect, server, "Clara", "Robert", **REPLAYS)
    await clara.play([note_on(60), note_off(60, 400)])
    await clara.clock()
    await robert.ask("record-last", {"name": "That"})
    info = await ready(clara)
    assert info == await ready(robert)
    title, [track] = await download(server, info)
    assert title == "That"
    assert track.events == [(0, (0x90, 60, 100)), (400, (0x80, 60, 0))]


async def test_record_last_is_refused_where_it_is_not_allowed(server: Server, connect: Connect) -> None:
    clara, robert = await enter(connect, server, "Clara", "Robert")
    for client in (clara, robert):
        assert (await client.refused("record-last")).code == ErrorCode.REPLAY_NOT_ALLOWED


async def test_record_last_has_only_what_was_played_while_it_was_allowed(server: Server, connect: Connect) -> None:
    [clara] = await enter(connect, server, "Clara")
    for key, allowed in ((50, True), (51, False), (52, True)):
        await clara.ask("room-update", {"settings": {"allow_replay": allowed}})
        await clara.play([note_on(key), note_off(key)])
        await clara.clock()
    await clara.ask("record-last")
    _, [track] = await download(server, await ready(clara))
    assert {message[1] for message in track.messages} == {52}


async def test_record_last_goes_back_so_many_minutes(serve: Serve, connect: Connect) -> None:
    server = await serve("recording.replay_minutes=0.1")  # 6 s
    [clara] = await enter(connect, server, "Clara", **REPLAYS)
    base = clara.welcome.server_time // 1_000 - 8_000
    await clara.play([note_on(50), note_off(50, 10), note_on(51, offset_ms=20)], base)
    await clara.play([note_on(52), note_off(52, 10)])
    await clara.clock()
    await clara.ask("record-last")
    _, [track] = await download(server, await ready(clara))
    assert [message[:2] for message in track.messages] == [(0x90, 51), (0x90, 52), (0x80, 52), (0x80, 51)]


async def test_record_last_is_not_for_who_left_before(serve: Serve, connect: Connect) -> None:
    server = await serve("recording.replay_minutes=0.001")  # 60 ms
    clara, robert = await enter(connect, server, "Clara", "Robert", **REPLAYS)
    await clara.play([note_on()])
    await clara.clock()
    await robert.ask("leave-room")
    await asyncio.sleep(0.1)
    await robert.join("Other")
    await clara.ask("record-last")
    await ready(clara)
    assert not [message for message in await robert.received() if isinstance(message, RecordingReady)]
