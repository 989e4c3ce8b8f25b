"""Recording over real sockets: who may, who hears of it, what is in the file, and where it ends by itself."""

import signal
import threading
from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import Error, RecordingReady, RecordingState, UserUpdated
from rhythm_protocol.midi import MidiEvent
from rhythmd.app import BLOBS_FOLDER, Server
from rhythmd.hub.recording import archive
from rhythmd.hub.recording.recorder import MAKING_PER_ROOM
from rhythmd.hub.recording.transcript import Transcript, transcribe
from rhythmd.rows import Role
from tests.client import Connect, note_off, note_on
from tests.conftest import ErrorLog
from tests.deadline import until
from tests.hub.people import Register
from tests.hub.recordings import REPLAYS, download, enter, ready
from tests.midifiles import parse
from tests.rest.api import UNLIMITED, open_api
from tests.server import Serve, running_process
from tests.sqlite import locked


async def test_record_keeps_what_was_played_by_each_player(server: Server, connect: Connect) -> None:
    clara, robert = await enter(connect, server, "Clara", "Robert")
    await clara.ask("record", {"on": True, "name": " Evening "})
    base = clara.welcome.server_time // 1_000
    melody = [event for n in range(20) for event in (note_on(60 + n, 40 + n, 90 * n), note_off(60 + n, 90 * n + 80))]
    bass = [note_on(36), note_off(36, 700), MidiEvent(710, 0xB0, 64, 127), MidiEvent(720, 0xB0, 64, 0)]
    for start in range(0, len(melody), 4):
        await clara.play(melody[start : start + 4], base)
    await robert.play(bass, base + 5)
    await clara.clock()
    await robert.clock()
    await clara.ask("record", {"on": False})
    info = await ready(clara)
    assert (info.name, info.room, info.players) == ("Evening", "Salon", 2)
    title, tracks = await download(server, info)
    assert title == "Evening"
    assert [track.name for track in tracks] == ["Clara", "Robert"]
    assert tracks[0].events == [(event.offset_ms, event[1:]) for event in melody]
    assert tracks[1].events == [(event.offset_ms + 5, event[1:]) for event in bass]
    assert info.duration_ms == melody[-1].offset_ms


async def test_record_is_seen_by_everybody(server: Server, connect: Connect) -> None:
    clara, robert = await enter(connect, server, "Clara", "Robert")
    await clara.ask("record", {"on": True})
    by = clara.welcome.user.id
    for client in (clara, robert):
        assert await client.expect(RecordingState) == RecordingState(on=True, by=by)
    await clara.play([note_on()])
    late = await connect(server)
    assert (await late.join("Salon")).room.recording
    async with open_api(server) as api:
        [listed] = [room for room in (await api.call("GET", "/rooms/active")).body["rooms"] if room["name"] == "Salon"]
        assert listed["recording"]
    await clara.ask("record", {"on": False})
    for client in (clara, robert, late):
        assert await client.expect(RecordingState) == RecordingState(on=False)
        assert (await ready(client)).name == "Salon"


async def test_record_in_both_subprotocols(server: Server, connect: Connect, subprotocol: str) -> None:
    clara = await connect(server, subprotocol)
    await clara.join("Salon")
    await clara.ask("record", {"on": True})
    await clara.play([note_on(), note_off(offset_ms=10)])
    await clara.ask("record", {"on": False})
    _, [track] = await download(server, await ready(clara))
    assert track.events == [(0, (0x90, 60, 100)), (10, (0x80, 60, 0))]


async def test_record_is_for_the_owner_and_for_moderators(server: Server, connect: Connect, register: Register) -> None:
    clara, robert = await enter(connect, server, "Clara", "Robert")
    assert (await robert.refused("record", {"on": True})).code == ErrorCode.NOT_OWNER
    await clara.ask("record", {"on": True})
    await clara.play([note_on()])
    assert (await robert.refused("record", {"on": False})).code == ErrorCode.NOT_OWNER
    warden = await register(server, "warden")
    await warden.become(Role.MODERATOR)
    moderator = await warden.open()
    await moderator.join("Salon")
    await moderator.ask("record", {"on": False})
    assert (await ready(moderator)).players == 1


async def test_record_outside_of_a_room_is_refused(server: Server, connect: Connect) -> None:
    client = await connect(server)
    assert (await client.refused("record", {"on": True})).code == ErrorCode.NOT_IN_ROOM
    assert (await client.refused("record-last")).code == ErrorCode.NOT_IN_ROOM


async def test_record_of_silence_is_not_kept(serve: Serve, connect: Connect) -> None:
    """The one who asked is told, and it takes no place; pedals alone are silence, too."""
    server = await serve("recording.per_room=1")
    clara, robert = await enter(connect, server, "Clara", "Robert", **REPLAYS)
    for events in ([], [MidiEvent(0, 0xB0, 64, 127), note_off(60, 5)]):
        await clara.ask("record", {"on": True})
        if events:
            await clara.play(events)
        else:
            assert (await robert.refused("record-last")).code == ErrorCode.NOTHING_RECORDED
        await clara.ask("record", {"on": False})
        assert (await clara.expect(Error)).code == ErrorCode.NOTHING_RECORDED
    await robert.ask("record-last")
    assert (await robert.expect(Error)).code == ErrorCode.NOTHING_RECORDED
    await clara.ask("record", {"on": True})
    await clara.play([note_on()])
    await clara.ask("record", {"on": False})
    assert (await ready(clara)).players == 1
    assert not [message for message in await robert.received() if isinstance(message, Error)]


async def test_record_of_what_is_held_all_the_time_is_not_kept(server: Server, connect: Connect) -> None:
    [clara] = await enter(connect, server, "Clara")
    await clara.play([note_on()])
    await clara.ask("record", {"on": True})
    await clara.ask("record", {"on": False})
    assert (await clara.expect(Error)).code == ErrorCode.NOTHING_RECORDED


async def test_record_begins_only_while_few_are_made(
    server: Server, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However they came about: else each would wait for its turn with all that its room held."""
    [clara] = await enter(connect, server, "Clara")
    go_on = threading.Event()

    def transcribe_late(*take: Any) -> Transcript:
        go_on.wait(10)
        return transcribe(*take)

    monkeypatch.setattr(archive, "transcribe", transcribe_late)
    try:
        for _ in range(MAKING_PER_ROOM):
            await clara.ask("record", {"on": True})
            await clara.play([note_on(), note_off(60, 5)])
            await clara.ask("record", {"on": False})
        assert (await clara.refused("record", {"on": True})).code == ErrorCode.RECORDING_LIMIT
    finally:
        go_on.set()
    for _ in range(MAKING_PER_ROOM):
        await ready(clara)
    await clara.ask("record", {"on": True})


async def test_record_twice_at_once_is_refused(server: Server, connect: Connect) -> None:
    [clara] = await enter(connect, server, "Clara")
    await clara.ask("record", {"on": True})
    await clara.play([note_on()])
    assert (await clara.refused("record", {"on": True})).code == ErrorCode.RECORDING_LIMIT
    await clara.ask("record", {"on": False})
    await clara.ask("record", {"on": False})
    await ready(clara)
    await clara.ask("record", {"on": True})


async def test_record_reaches_only_who_was_present(server: Server, connect: Connect) -> None:
    clara, robert = await enter(connect, server, "Clara", "Robert")
    await clara.ask("record", {"on": True})
    await clara.play([note_on()])
    await robert.ask("leave-room")
    await clara.ask("record", {"on": False})
    late = await connect(server)
    await late.join("Salon")
    await ready(clara)
    for client in (robert, late):
        assert not [message for message in await client.received() if isinstance(message, RecordingReady)]


async def test_record_goes_on_when_its_owner_leaves(server: Server, connect: Connect) -> None:
    clara, robert = await enter(connect, server, "Clara", "Robert")
    await clara.ask("record", {"on": True})
    await clara.play([note_on(60)])
    await clara.ask("leave-room")
    await robert.play([note_on(62), note_off(62, 5)])
    await robert.clock()
    await robert.ask("record", {"on": False})
    info = await ready(robert)
    assert (await ready(clara)).id == info.id  # whoever asked for it hears of it anywhere
    _, tracks = await download(server, info)
    assert {track.name: [message[0] for message in track.messages] for track in tracks} == {
        "Clara": [0x90, 0x80], "Robert": [0x90, 0x80],
    }  # fmt: skip


async def test_record_ends_with_the_room(serve: Serve, register: Register) -> None:
    server = await serve(*UNLIMITED)
    person = await register(server, "clara")
    clara = await person.open()
    await clara.join("Salon")
    await clara.ask("record", {"on": True})
    await clara.play([note_on()])
    await clara.clock()
    await clara.close()
    async with open_api(server) as api:
        listed: list[dict[str, object]] = []
        while not listed:
            listed = (await api.call("GET", "/recordings", token=person.token)).body["recordings"]
    assert (listed[0]["name"], listed[0]["players"]) == ("Salon", 1)


async def test_record_of_who_was_away_for_a_moment(server: Server, connect: Connect) -> None:
    """The release at the loss is on the track, and the news that it is ready waits for them."""
    clara, robert = await enter(connect, server, "Clara", "Robert")
    await clara.ask("record", {"on": True})
    await robert.play([note_on(60)])
    await robert.clock()
    robert.abort()
    while not (await clara.expect(UserUpdated)).user.reconnecting:
        pass  # its name
    await clara.ask("record", {"on": False})
    info = await ready(clara)
    back = await connect(server)
    ack = await back.ask("resume", {"session": robert.welcome.session, "received": 0})
    assert ack["recovered"]
    assert await ready(back) == info
    _, [track] = await download(server, info)
    assert [message[:2] for message in track.messages] == [(0x90, 60), (0x80, 60)]


@pytest.mark.parametrize("bound", ["recording.max_minutes=0.02", "recording.max_bytes=2048"])
async def test_record_ends_at_its_bounds(serve: Serve, connect: Connect, bound: str) -> None:
    server = await serve(bound)
    [clara] = await enter(connect, server, "Clara")
    await clara.ask("record", {"on": True})
    for _ in range(10):
        await clara.play([note_on(60), note_off(60, 1)] * 30)
    info = await ready(clara)
    assert info.players == 1
    assert [state.on for state in (await clara.expect(RecordingState), await clara.expect(RecordingState))] == [
        True, False,
    ]  # fmt: skip
    await clara.ask("record", {"on": True})


async def test_record_ends_when_all_tapes_together_are_too_big(serve: Serve, connect: Connect) -> None:
    server = await serve("recording.memory_bytes=4096")
    [clara] = await enter(connect, server, "Clara", **REPLAYS)
    await clara.ask("record", {"on": True})
    for _ in range(10):
        await clara.play([note_on(60), note_off(60, 1)] * 50)
    assert (await ready(clara)).players == 1


@pytest.mark.parametrize("bound", ["per_user", "per_room", "limit"])
async def test_record_one_too_many_is_refused(serve: Serve, connect: Connect, bound: str) -> None:
    server = await serve(f"recording.{bound}=2")
    [clara] = await enter(connect, server, "Clara", **REPLAYS)
    await clara.ask("record", {"on": True})
    await clara.play([note_on()])
    await clara.ask("record-last")
    for type_, data in (("record-last", {}), ("record-last", {"name": "x"})):
        assert (await clara.refused(type_, data)).code == ErrorCode.RECORDING_LIMIT
    await clara.ask("record", {"on": False})
    for _ in range(2):
        await ready(clara)
    assert (await clara.refused("record", {"on": True})).code == ErrorCode.RECORDING_LIMIT


async def test_record_is_kept_though_the_store_was_away_for_a_moment(
    serve: Serve, connect: Connect, database: Path, errors_logged: ErrorLog
) -> None:
    server = await serve("store.timeout_s=1")
    [clara] = await enter(connect, server, "Clara")
    await clara.ask("record", {"on": True})
    await clara.play([note_on(), note_off()])
    with locked(database):
        await clara.ask("record", {"on": False})
        await until(lambda: errors_logged.records, "the store is away")
    assert (await ready(clara)).players == 1
    errors_logged.records.clear()


async def test_record_into_a_folder_that_cannot_be_written_is_told(
    serve: Serve, connect: Connect, tmp_path: Path, errors_logged: ErrorLog
) -> None:
    """The owner gets an error, the room plays on, and what is recorded later is kept."""
    server = await serve("recording.limit=1")
    obstacle = tmp_path / "data" / BLOBS_FOLDER
    rmtree(obstacle)  # with what tells whether it can be written
    obstacle.write_text("in the way")
    clara, robert = await enter(connect, server, "Clara", "Robert")
    await clara.ask("record", {"on": True})
    await clara.play([note_on()])
    await clara.ask("record", {"on": False})
    assert (await clara.expect(Error)).code == ErrorCode.UNAVAILABLE
    await robert.play([note_on()])
    assert await clara.events(1) == [(robert.slot, note_on())]
    assert not [message for message in await robert.received() if isinstance(message, Error)]
    errors_logged.records.clear()
    obstacle.unlink()
    await clara.ask("record", {"on": True})
    await clara.play([note_on()])
    await clara.ask("record", {"on": False})
    await ready(clara)


async def test_stop_keeps_what_is_being_recorded(tmp_path: Path, connect: Connect) -> None:
    async with running_process(tmp_path) as server:
        client = await connect(server)
        await client.join("Salon")
        await client.ask("record", {"on": True})
        await client.play([note_on(60, offset_ms=n) for n in range(50)])
        await client.clock()
        server.signal(signal.SIGTERM)
        info = await ready(client)
        assert (await client.closed()).code == 1012
        assert await server.wait() == 0
    async with running_process(tmp_path) as server, open_api(server) as api:
        answer = await api.download(info.url)
        assert answer.status == 200
        _, [track] = parse(answer.content)
        assert [message[0] for message in track.messages] == [*[0x90] * 50, 0x80]
