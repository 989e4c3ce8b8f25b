"""Playing a score into a room of a real server."""

import asyncio
from itertools import pairwise

import msgspec
import pytest

from rhythm_protocol.binary import MidiBlock
from rhythm_protocol.close import RESTARTING
from rhythm_protocol.messages import UserJoined, UserLeft
from rhythm_protocol.midi import MidiEvent
from rhythmd.app import Server
from rhythmd.client.errors import ConnectionEnded, PlayedTooMuch, RemovedFromRoom, RequestRefused, SessionLost
from rhythmd.client.play import Batch, batches, play
from rhythmd.client.room import RoomAddress
from rhythmd.client.score import ScoreEvent
from tests.client import Client, Connect
from tests.commands.stage import LIMITS, Stage
from tests.deadline import until, within
from tests.server import Serve

ON = (0x90, 60, 100)
OFF = (0x80, 60, 0)
PEDAL_DOWN = (0xB0, 64, 127)
LONG_NOTE = [ScoreEvent(0.0, PEDAL_DOWN), ScoreEvent(0.0, ON), ScoreEvent(600.0, OFF)]


def no_progress(position_s: float, notes: int) -> None:
    pass


def due_times(blocks: list[MidiBlock]) -> list[tuple[int, tuple[int, int, int]]]:
    """Each event with its time in ms since the first one."""
    first_ms = blocks[0].base_ms + blocks[0].events[0].offset_ms
    return [
        (block.base_ms + event.offset_ms - first_ms, (event.status, event.data1, event.data2))
        for block in blocks
        for event in block.events
    ]


async def heard(client: Client, events: int) -> list[MidiBlock]:
    """The blocks with the next `events` events."""
    blocks: list[MidiBlock] = []
    while sum(len(block.events) for block in blocks) < events:
        blocks += await client.blocks()
    return blocks


def test_batches_put_a_chord_into_one_message() -> None:
    score = [ScoreEvent(1.0, ON), ScoreEvent(1.0031, OFF), ScoreEvent(1.0036, ON)]
    assert list(batches(score)) == [
        Batch(1_000, [MidiEvent(0, *ON), MidiEvent(3, *OFF)]),
        Batch(1_004, [MidiEvent(0, *ON)]),
    ]


def test_batches_hold_a_blocks_events_at_most() -> None:
    sizes = [len(batch.events) for batch in batches([ScoreEvent(0.0, ON)] * 600)]
    assert sizes == [255, 255, 90]


def test_batches_speed_shortens_the_times() -> None:
    score = [ScoreEvent(0.0, ON), ScoreEvent(10.0, OFF)]
    assert [batch.due_ms for batch in batches(score, speed=4)] == [0, 2_500]


async def test_play_sends_every_event_at_its_time(server: Server, connect: Connect) -> None:
    listener = await connect(server)
    await listener.join("Salon")
    score = [ScoreEvent(step * 0.017, (0x90 if step % 2 == 0 else 0x80, 40 + step // 2, 64)) for step in range(40)]
    progress: list[tuple[float, int]] = []
    played = await within(play(RoomAddress(server.url, "Salon"), score, 1.0, lambda *step: progress.append(step)))
    assert played.notes == 20
    assert not played.refusals
    assert due_times(await heard(listener, 40)) == [(step * 17, event.message) for step, event in enumerate(score)]
    assert all(before < after for before, after in pairwise(progress))
    assert progress[-1][0] == pytest.approx(score[-1].due_s)
    assert progress[-1][1] == 20


async def test_play_stamps_on_the_servers_clock(server: Server, connect: Connect) -> None:
    listener = await connect(server)
    await listener.join("Salon")
    await within(play(RoomAddress(server.url, "Salon"), [ScoreEvent(0.0, ON)], 1.0, no_progress))
    [block] = await heard(listener, 1)
    now_ms = (await listener.clock()).sent_us // 1_000
    assert 0 <= now_ms - block.base_ms < 5_000


async def test_play_takes_name_and_says_bot(server: Server, connect: Connect) -> None:
    listener = await connect(server)
    await listener.join("Salon")
    address = RoomAddress(server.url, "Salon", name="Clara", bot=True)
    await within(play(address, [ScoreEvent(0.0, ON)], 1.0, no_progress))
    user = (await listener.expect(UserJoined)).user
    assert (user.name, user.bot) == ("Clara", True)


async def test_play_cancelled_releases_and_leaves(server: Server, connect: Connect) -> None:
    listener = await connect(server)
    await listener.join("Salon")
    playing = asyncio.create_task(play(RoomAddress(server.url, "Salon"), LONG_NOTE, 1.0, no_progress))
    await heard(listener, 2)
    playing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(playing)
    released = [message for _, message in due_times(await heard(listener, 2))]
    assert released == [OFF, (0xB0, 64, 0)]
    assert (await listener.expect(UserLeft)).reason == "left"


async def test_play_over_quota_counts_the_refusals(serve: Serve) -> None:
    server = await serve("quota.owner_allowance=5", "quota.owner_maximum=5")
    score = [ScoreEvent(0.0, ON)] * 20
    played = await within(play(RoomAddress(server.url, "Salon"), score, 1.0, no_progress))
    assert played.notes == 20
    assert played.refusals == {"quota-exceeded": 1}


async def test_play_of_a_flood_says_what_to_do(serve: Serve) -> None:
    server = await serve("quota.other_events=1000")
    bends = [ScoreEvent(0.0, (0xE0, 0, step & 0x7F)) for step in range(9_000)]
    with pytest.raises(PlayedTooMuch, match=r"flooding \(4002\); too many events came at once, play it slower") as end:
        await within(play(RoomAddress(server.url, "Salon"), [*bends, ScoreEvent(9.0, ON)], 1.0, no_progress))
    assert end.value.exit_status == 5


async def test_play_sends_no_message_that_is_larger_than_the_server_takes(serve: Serve, connect: Connect) -> None:
    server = await serve("limits.message_bytes=1024")
    listener = await connect(server)
    await listener.join("Salon")
    await within(play(RoomAddress(server.url, "Salon"), [ScoreEvent(0.0, OFF)] * 600, 1.0, no_progress))
    assert sum(len(block.events) for block in await heard(listener, 600)) == 600


async def test_play_kicked_says_so(server: Server, connect: Connect) -> None:
    owner = await connect(server)
    await owner.join("Salon")
    address = RoomAddress(server.url, "Salon", name="Clara")
    playing = asyncio.create_task(play(address, LONG_NOTE, 1.0, no_progress))
    await heard(owner, 2)
    await owner.ask("kick", {"user": "Clara", "reason": "too long"})
    with pytest.raises(RemovedFromRoom, match="kicked from the room: too long"):
        await within(playing)


async def test_play_refused_join_names_the_code(server: Server, connect: Connect) -> None:
    await (await connect(server)).join("Salon", password="secret")
    with pytest.raises(RequestRefused, match="join-room") as refused:
        await within(play(RoomAddress(server.url, "Salon", password="guess"), LONG_NOTE, 1.0, no_progress))
    assert refused.value.code == "wrong-password"


async def test_play_stopped_server_ends_it_when_the_time_is_over(stage: Stage, impatient: None) -> None:
    stage.limits = msgspec.structs.replace(LIMITS, resume_s=0.1)
    steps: list[float] = []
    address = RoomAddress(stage.url, "Salon")
    playing = asyncio.create_task(play(address, LONG_NOTE, 1.0, lambda position_s, _: steps.append(position_s)))
    await until(lambda: steps, "the first note is sent")
    stage.leave()
    await stage.drop(RESTARTING.code)
    with pytest.raises(ConnectionEnded, match=r"restarting \(1012\).*try again in 1 to 10 s") as end:
        await within(playing)
    assert end.value.rule is RESTARTING


class Playing:
    """Plays a note every 20 ms, with settings before, into the room of `stage`."""

    def __init__(self, stage: Stage) -> None:
        self.notes = [
            ScoreEvent(step * 0.02, (0x90 if step % 2 == 0 else 0x80, 30 + step // 2, 64)) for step in range(100)
        ]
        settings = [ScoreEvent(0.0, (0xC0, 5, 0)), ScoreEvent(0.0, PEDAL_DOWN)]
        self.position_s = 0.0
        address = RoomAddress(stage.url, "Salon")
        self.task = asyncio.create_task(play(address, [*settings, *self.notes], 1.0, self._at))

    def _at(self, position_s: float, _: int) -> None:
        self.position_s = position_s

    async def reaches(self, position_s: float) -> None:
        await until(lambda: self.position_s >= position_s, f"the piece is at {position_s} s")


async def test_play_goes_on_at_the_right_place_after_a_resume(stage: Stage, impatient: None) -> None:
    playing = Playing(stage)
    await playing.reaches(0.3)
    stage.open.clear()
    await stage.drop()
    await playing.reaches(0.8)
    before = len(stage.messages)
    stage.open.set()
    played = await within(playing.task)
    settings, notes = stage.messages[before : before + 2], stage.messages[before + 2 :]
    assert settings == [(0xC0, 5, 0), PEDAL_DOWN]
    assert notes == [event.message for event in playing.notes[-len(notes) :]]
    assert len(notes) <= 60
    assert played.notes + played.skipped == 50
    assert played.skipped >= 10
    starts = {
        batch.base_ms - 20 * at
        for at, batch in zip(range(100 - len(notes), 100), stage.played[-len(notes) :], strict=True)
    }
    assert starts == {stage.played[0].base_ms}


async def test_play_counts_on_another_clock_after_a_restart(stage: Stage, impatient: None) -> None:
    stage.recovers = False
    playing = Playing(stage)
    await playing.reaches(0.3)
    stage.ahead_us = 60_000_000
    await stage.drop(RESTARTING.code)
    await within(playing.task)
    assert 59_000 < stage.played[-1].base_ms - stage.played[0].base_ms - 1_980 < 61_000


async def test_play_out_of_the_room_after_a_restart_ends_it(stage: Stage, impatient: None) -> None:
    playing = Playing(stage)
    await playing.reaches(0.3)
    stage.recovers = stage.seated = False
    await stage.drop(RESTARTING.code)
    with pytest.raises(SessionLost, match="the place in the room is lost"):
        await within(playing.task)


async def test_play_cancelled_while_away_ends(stage: Stage, impatient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rhythmd.client.play.FAREWELL_S", 0.05)
    playing = Playing(stage)
    await playing.reaches(0.1)
    stage.open.clear()
    await stage.drop()
    await playing.reaches(0.5)
    playing.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(playing.task)
    stage.open.set()
