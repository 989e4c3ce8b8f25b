"""Recordings of a room with a metronome or a sheet: its tempo and metre, and a track for what the server played."""

from collections.abc import AsyncIterator
from math import ceil
from pathlib import Path
from typing import Final

import pytest

from rhythm_protocol.messages import MetronomeState, RecordingInfo, RoomUpdated
from rhythmd.app import Server
from tests.client import Client, Connect, note_off, note_on
from tests.hub.recordings import REPLAYS, download, enter, ready
from tests.hub.sheets import FakeLibrary, Sounding, held_chord, scale
from tests.midifiles import Bar, Track, parse_in_time, rings
from tests.rest.api import open_api
from tests.server import make_config, running_server

WALTZ: Final = {"running": True, "bpm": 150, "beats": 3, "unit": 4}  # a beat lasts 400 ms
MARCH: Final = {"running": True, "bpm": 120, "beats": 2, "unit": 2}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    library = FakeLibrary(scale("scale", notes=12), held_chord("chord"))
    async with running_server(make_config(tmp_path / "data", ("hub.flush_max_ms=0",)), library) as server:
        yield server


async def file_of(server: Server, info: RecordingInfo) -> tuple[list[Bar], list[Track]]:
    async with open_api(server) as api:
        answer = await api.download(info.url)
    assert answer.status == 200
    return parse_in_time(answer.content)


async def start_of(client: Client) -> int:
    """When the metronome that was just started has begun, ms of the server's clock."""
    metronome = (await client.expect(MetronomeState)).metronome
    assert metronome is not None
    return ceil(metronome.start_us / 1_000)


async def end(client: Client) -> RecordingInfo:
    await client.ask("record", {"on": False})
    return await ready(client)


async def test_recording_has_the_metronomes_tempo_and_metre(server: Server, connect: Connect) -> None:
    clara, robert = await enter(connect, server, "Clara", "Robert")
    await clara.ask("metronome", WALTZ)
    start_ms = await start_of(robert)
    await clara.ask("record", {"on": True})
    await robert.play([note_on(60), note_off(60, offset_ms=437)], start_ms + 1_200)
    await robert.clock()
    bars, [track] = await file_of(server, await end(clara))
    assert [(bar.quarter_us, bar.metre) for bar in bars] == [(400_000, "3/4")]
    assert track.times[1] - track.times[0] == 437
    assert track.times[0] % 400 in (0, 1)


async def test_recording_has_a_change_of_the_metronome(server: Server, connect: Connect) -> None:
    (clara,) = await enter(connect, server, "Clara")
    await clara.ask("metronome", WALTZ)
    start_ms = await start_of(clara)
    await clara.ask("record", {"on": True})
    await clara.ask("metronome", MARCH)
    changed_ms = await start_of(clara)
    await clara.play([note_on(60)], start_ms)
    await clara.play([note_off(60), note_on(62, offset_ms=1), note_off(62, offset_ms=1_234)], changed_ms)
    await clara.clock()
    bars, [track] = await file_of(server, await end(clara))
    assert [(bar.quarter_us, bar.metre) for bar in bars][-1] == (250_000, "2/2")
    assert abs(bars[-1].at_ms - track.times[1]) <= 1.5
    assert [at_ms - track.times[1] for at_ms in track.times[1:]] == [0, 1, 1_234]


async def test_replay_has_the_tempo_of_a_metronome_that_was_started_before(server: Server, connect: Connect) -> None:
    (clara,) = await enter(connect, server, "Clara", **REPLAYS)
    await clara.ask("metronome", MARCH)
    start_ms = await start_of(clara)
    await clara.play([note_on(60), note_off(60, offset_ms=100)], start_ms + 1_000)
    await clara.ask("record-last")
    bars, _ = await file_of(server, await ready(clara))
    assert (bars[-1].quarter_us, bars[-1].metre) == (250_000, "2/2")


async def begin(client: Client, sheet_id: str) -> int:
    """Start a sheet; its slot."""
    await client.ask("sheet-play", {"sheet": sheet_id})
    while True:
        sheet = (await client.expect(RoomUpdated)).room.sheet
        if sheet is not None and sheet.id == sheet_id:
            return sheet.slot


async def hear(client: Client, slot: int, count: int) -> Sounding:
    sounding = Sounding(slot)
    await sounding.listen(client, lambda heard: len(heard) >= count)
    return sounding


async def test_sheet_has_a_track_of_its_own(server: Server, connect: Connect) -> None:
    clara, robert = await enter(connect, server, "Clara", "Robert")
    await clara.ask("record", {"on": True})
    slot = await begin(clara, "scale")
    heard = await hear(robert, slot, 24)
    await robert.play([note_on(30), note_off(30, offset_ms=50)])
    await robert.clock()
    info = await end(clara)
    assert info.players == 2
    tracks = {track.name: track for track in (await download(server, info))[1]}
    assert set(tracks) == {"Title of scale", "Robert"}
    first_ms = heard.events[0][0]
    assert tracks["Title of scale"].messages == [message for _, message in heard.events]
    times = tracks["Title of scale"].times
    assert [at_ms - times[0] for at_ms in times] == [at_ms - first_ms for at_ms, _ in heard.events]


async def test_recording_that_begins_in_the_middle_of_a_sheet_has_what_it_holds(
    server: Server, connect: Connect
) -> None:
    (clara,) = await enter(connect, server, "Clara")
    await begin(clara, "chord")
    await clara.ask("record", {"on": True})
    await clara.ask("sheet-stop")
    _, [track] = await download(server, await end(clara))
    assert track.messages[:5] == [(0xC0, 5, 0), (0xB0, 64, 127), (0x90, 48, 90), (0x90, 55, 90), (0x90, 64, 90)]
    assert not rings(track)


async def test_sheets_of_one_title_share_a_track_and_stop_within_it(server: Server, connect: Connect) -> None:
    (clara,) = await enter(connect, server, "Clara")
    await clara.ask("record", {"on": True})
    await begin(clara, "chord")
    await clara.ask("sheet-stop")
    await begin(clara, "chord")
    await clara.ask("sheet-stop")
    _, [track] = await download(server, await end(clara))
    assert sum(status == 0x90 for status, _, _ in track.messages) == 6
    assert not rings(track)
