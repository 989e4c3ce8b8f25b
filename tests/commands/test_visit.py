"""What a listener prints and records while the network and the server fail."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import msgspec
import pytest

from rhythm_protocol.close import INTERNAL_ERROR, RESTARTING
from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import (
    ChatKind,
    ChatLine,
    Metronome,
    MetronomeState,
    Playout,
    RecordingInfo,
    RecordingReady,
    RecordingState,
    RoomUpdated,
    SheetInRoom,
    SlotState,
    UserJoined,
)
from rhythmd.client.errors import RequestRefused
from rhythmd.midi.state import ChannelMessage
from tests.commands.listening import Listening, listening
from tests.commands.stage import CLARA, JOIN, ROOM, Stage
from tests.deadline import within

pytestmark = pytest.mark.usefixtures("impatient")

ON = (0x90, 60, 100)
OFF = (0x80, 60, 0)
PEDAL_DOWN = (0xB0, 64, 127)


@pytest.fixture
async def listener(stage: Stage) -> AsyncIterator[Listening]:
    async with listening(stage.url) as listener:
        yield listener


async def recorded(listener: Listening, folder: Path) -> list[ChannelMessage]:
    return [event.message for event in await listener.stop(folder / "out.mid")]


async def test_listen_notes_take_the_place_of_what_was_held(stage: Stage, listener: Listening, tmp_path: Path) -> None:
    await stage.play(ON, (0x90, 62, 90))
    await listener.wrote("note on   D4")
    stage.notes = [SlotState(2, [(0x90, 62, 90), (0x90, 64, 80)])]
    await stage.show_notes()
    await listener.wrote("note on   E4")
    await stage.play((0x80, 62, 0), (0x80, 64, 0))
    await listener.wrote("note off  E4")
    assert await recorded(listener, tmp_path) == [
        ON, (0x90, 62, 90), OFF, (0x90, 64, 80), (0x80, 62, 0), (0x80, 64, 0),
    ]  # fmt: skip


async def test_listen_resumed_records_nothing_twice(stage: Stage, listener: Listening, tmp_path: Path) -> None:
    await stage.play(PEDAL_DOWN, ON)
    await listener.wrote("note on   C4")
    stage.notes = [SlotState(2, [PEDAL_DOWN, ON])]
    await stage.drop()
    await listener.wrote("resumed: Robert, Clara")
    await stage.play(OFF)
    await listener.wrote("note off")
    assert await recorded(listener, tmp_path) == [PEDAL_DOWN, ON, OFF, (0xB0, 64, 0)]
    assert len(stage.resumed) == 1


async def test_listen_resumed_ends_what_ended_meanwhile(stage: Stage, listener: Listening, tmp_path: Path) -> None:
    await stage.play(ON)
    await listener.wrote("note on   C4")
    stage.open.clear()
    await stage.drop()
    await listener.wrote("coming back")
    stage.notes = [SlotState(2, [(0x90, 62, 90)])]
    stage.open.set()
    await listener.wrote("note on   D4")
    assert await recorded(listener, tmp_path) == [ON, OFF, (0x90, 62, 90), (0x80, 62, 0)]


async def test_listen_over_session_joins_anew(stage: Stage, listener: Listening, tmp_path: Path) -> None:
    await stage.play(ON)
    await listener.wrote("note on   C4")
    stage.over = True
    await stage.drop()
    await listener.wrote("joined: ", times=2)
    assert stage.count("join-room") == 2
    assert await recorded(listener, tmp_path) == [ON, OFF]


async def test_listen_after_an_error_of_the_server_joins_anew(stage: Stage, listener: Listening) -> None:
    await stage.drop(INTERNAL_ERROR.code)
    await listener.wrote("joined: ", times=2)
    assert not stage.resumed


async def test_listen_refused_for_a_while_tries_again(stage: Stage, listener: Listening) -> None:
    stage.refusals = [ErrorCode.UNAVAILABLE]
    await stage.drop(INTERNAL_ERROR.code)
    await listener.wrote("unavailable")
    await listener.wrote("joined: ", times=2)


async def test_listen_refused_for_good_ends(stage: Stage, listener: Listening) -> None:
    stage.refusals = [ErrorCode.BANNED]
    await stage.drop(INTERNAL_ERROR.code)
    with pytest.raises(RequestRefused, match="banned"):
        await within(listener.task)


async def test_listen_out_of_the_room_after_a_restart_joins_anew(stage: Stage, listener: Listening) -> None:
    stage.recovers = False
    stage.seated = False
    await stage.drop(RESTARTING.code)
    await listener.wrote("joined: ", times=2)


async def test_listen_after_a_restart_shows_each_line_of_chat_once(stage: Stage, listener: Listening) -> None:
    first, second = (ChatLine(id_, 0, ChatKind.TEXT, f"line {id_}", name="Clara") for id_ in (1, 2))
    await stage.send("chat-message", first)
    await listener.wrote("> line 1")
    emil = msgspec.structs.replace(CLARA, id="u3", name="Emil", slot=3)
    stage.join = msgspec.structs.replace(JOIN, members=[*JOIN.members, emil], chat=[first, second])
    stage.recovers = False
    await stage.drop(RESTARTING.code)
    await listener.wrote("resumed: Robert, Clara, Emil")
    await listener.wrote("> line 2")
    assert sum("> line" in line for line in listener.lines) == 2


async def test_listen_missed_messages_bring_it_up_to_date(stage: Stage, listener: Listening) -> None:
    await stage.drop()
    emil = msgspec.structs.replace(CLARA, id="u3", name="Emil", slot=3)
    await stage.send("user-joined", UserJoined(emil))
    await listener.wrote("Emil                  joins")


async def test_listen_prints_in_order_of_time_and_delay(stage: Stage, listener: Listening) -> None:
    await stage.send("playout", Playout(400))
    now_ms = stage.now_ms
    await stage.play((0x90, 64, 1), slot=4, at_ms=now_ms)
    await stage.play((0x90, 62, 1), slot=3, at_ms=now_ms - 100)
    await stage.play((0x90, 60, 1), slot=2, at_ms=now_ms - 200)
    await listener.wrote("E4")
    assert [line.split()[-2] for line in listener.lines if "note on" in line] == ["C4", "D4", "E4"]


async def test_listen_prints_late_notes_at_once(stage: Stage, listener: Listening) -> None:
    await stage.play(ON, at_ms=stage.now_ms - 5_000)
    await listener.wrote("note on   C4")


async def test_listen_reports_how_late_the_notes_come_in(
    stage: Stage, listener: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.play(ON, at_ms=stage.now_ms - 700)
    await stage.was_asked("timing")
    assert 690 <= stage.asked[-1].fields()["late_ms"] < 60_000
    await stage.play(ON, ON)
    await listener.wrote("note on", times=3)
    assert stage.count("timing") == 1
    monkeypatch.setattr("rhythmd.client.visit.TIMING_INTERVAL_MS", 0)
    await stage.play(ON)
    await stage.was_asked("timing", times=2)


async def test_listen_shows_metronome_and_recording(stage: Stage, listener: Listening) -> None:
    await stage.send("metronome", MetronomeState(Metronome(92.5, 3, 8, 0)))
    await stage.send("metronome", MetronomeState(None))
    await stage.send("recording", RecordingState(on=True, by="u2"))
    await stage.send("recording", RecordingState(on=False))
    made = RecordingInfo("x", "Evening", "Salon", 0, 1, 1, 1, "/api/v1/recordings/x")
    await stage.send("recording-ready", RecordingReady(made))
    await listener.wrote("/api/v1/recordings/x")
    assert [line.split(maxsplit=2)[2] for line in listener.lines[1:]] == [
        "metronome 92.5 bpm, 3/8",
        "metronome off",
        "is recorded from here on",
        "is not recorded any more",
        "recording Evening is at /api/v1/recordings/x",
    ]


SHEET: Final = SheetInRoom("s", "Träumerei", "Robert Schumann", 155_000, 65_000, 0.5, 0, 9, "u2")


async def test_listen_shows_what_the_server_plays(stage: Stage, listener: Listening) -> None:
    for sheet in (SHEET, SHEET, None):
        await stage.send("room-updated", RoomUpdated(msgspec.structs.replace(ROOM, sheet=sheet)))
    await listener.wrote("sheet off")
    assert [line.split(maxsplit=2)[2] for line in listener.lines[1:]] == [
        "sheet Träumerei by Robert Schumann, from 1:05 on, speed 0.5",
        "sheet off",
    ]


async def test_listen_names_a_sheet_as_it_names_a_player(stage: Stage) -> None:
    room = msgspec.structs.replace(ROOM, sheet=SHEET)
    stage.join = msgspec.structs.replace(JOIN, room=room, notes=[SlotState(9, [(0x90, 60, 100)])])
    async with listening(stage.url) as listener:
        await listener.wrote("sheet Träumerei by")
        await listener.wrote("Träumerei             channel 1   note on   C4")


async def test_listen_says_at_the_join_what_is_on(stage: Stage) -> None:
    room = msgspec.structs.replace(ROOM, metronome=Metronome(120, 4, 4, 0), recording=True)
    stage.join = msgspec.structs.replace(JOIN, room=room)
    async with listening(stage.url) as listener:
        await listener.wrote("metronome 120 bpm, 4/4")
        await listener.wrote("is recorded")
