"""The parts of the page that have no eyes and ears: what is held, what is late, which beat falls when."""

from itertools import pairwise
from random import Random
from typing import Any, Final

import pytest
from playwright.async_api import Page

from rhythm_protocol.midi import CONTROL_CHANGE, NOTE_OFF, NOTE_ON, PITCH_BEND
from rhythmd.midi.state import ChannelMessage, NoteState
from tests.hub.synthesizer import PEDALS, Synthesizer
from tests.server import ServerProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROUNDS: Final = 300
SLOTS: Final = (1, 2, 3)
ON: Final = [NOTE_ON, 60, 100]
OFF: Final = [NOTE_OFF, 60, 0]

Music = dict[int, list[ChannelMessage]]
"""What each slot played."""

REPLACE: Final = """async (rounds) => {
    const { HeldNotes } = await import("/static/held.js");
    return rounds.map(([played, notes]) => {
        const held = new HeldNotes();
        played.forEach(([slot, message]) => held.apply(slot, message));
        return held.replace(notes);
    });
}"""
WITHOUT_PASSED: Final = """async ([events, nowMs]) => {
    const { withoutPassed } = await import("/static/playout.js");
    const rows = events.map(([slot, message, dueMs]) => ({ slot, message, dueMs }));
    return withoutPassed(rows, nowMs).map(({ slot, message, dueMs }) => [slot, message, dueMs]);
}"""
BEATS: Final = """async ([metronome, windows]) => {
    const { beatsBetween } = await import("/static/metronome.js");
    return windows.map(([from, to]) => beatsBetween(metronome, from, to).map(({ timeUs, place }) => [timeUs, place]));
}"""
SHEET: Final = """async ([sheetSlot, blocks]) => {
    const { Playout } = await import("/static/playout.js");
    const played = [];
    const playout = new Playout({ until: (ms) => ms }, (slot, message) => played.push([slot, message]));
    playout.follow(sheetSlot);
    playout.receive(blocks);
    const lateness = playout.lateness();
    playout.follow(null);
    return { lateness, played };
}"""
AUDIO_CLOCK: Final = """async ([stepMs, times]) => {
    const { AudioClock } = await import("/static/audioclock.js");
    const context = { currentTime: 0 };
    const clock = new AudioClock(context);
    clearInterval(clock.timer);
    for (const time of times) {
        context.currentTime = 7 + (Math.floor(time / stepMs) * stepMs) / 1000;
        clock.read(time);
    }
    return clock.offset;
}"""


async def run(page: Page, server: ServerProcess, script: str, argument: object) -> Any:
    await page.goto(server.url)
    return await page.evaluate(script, argument)


def random_message(random: Random) -> ChannelMessage:
    channel = random.randrange(2)
    kinds: list[ChannelMessage] = [
        (NOTE_ON | channel, random.randrange(60, 64), random.choice([0, 64, 100])),
        (NOTE_OFF | channel, random.randrange(60, 64), 0),
        (CONTROL_CHANGE | channel, random.choice([7, 64, 66, 121, 123, 124, 126, 127]), random.choice([0, 127])),
        (PITCH_BEND | channel, 0, random.choice([0x30, 0x40])),
    ]
    return random.choice(kinds)


def random_music(random: Random) -> Music:
    return {slot: [random_message(random) for _ in range(random.randrange(20))] for slot in SLOTS}


def snapshot(music: Music) -> list[dict[str, object]]:
    """What the server says that they hold."""
    states = []
    for slot, messages in music.items():
        notes = NoteState()
        notes.apply(b"".join(bytes((0, 0, *message)) for message in messages), 0)
        states.append({"slot": slot, "state": notes.snapshot()})
    return [state for state in states if state["state"]]


def ringing(messages: list[ChannelMessage]) -> dict[tuple[str, int, int], int]:
    """Keys, pedals and bends after `messages`; of a key only that it is down, for it is not struck again."""
    synthesizer = Synthesizer()
    synthesizer.play(messages)
    return {
        where: 1 if where[0] == "key" else value
        for where, value in synthesizer.state.items()
        if where[0] in ("key", "bend") or (where[0], where[2]) in PEDALS
    }


async def test_snapshot_leads_from_any_state_to_any_other(page: Page, server: ServerProcess) -> None:
    random = Random(4)
    rounds = [(random_music(random), random_music(random)) for _ in range(ROUNDS)]
    arguments = [
        [[(slot, message) for slot in SLOTS for message in before[slot]], snapshot(after)] for before, after in rounds
    ]
    for (before, after), changes in zip(rounds, await run(page, server, REPLACE, arguments), strict=True):
        for slot in SLOTS:
            played = [*before[slot], *(tuple(message) for changed, message in changes if changed == slot)]
            assert ringing(played) == ringing(after[slot])


async def test_snapshot_leaves_what_is_in_both_alone(page: Page, server: ServerProcess) -> None:
    played = [[1, ON], [1, [CONTROL_CHANGE, 64, 127]], [2, ON]]
    notes = [{"slot": 1, "state": [[CONTROL_CHANGE, 64, 127], ON]}, {"slot": 3, "state": [ON]}]
    assert await run(page, server, REPLACE, [[played, notes]]) == [[[2, OFF], [3, ON]]]


@pytest.mark.parametrize(
    ("events", "heard"),
    [
        ([(1, ON, 10), (1, OFF, 20)], [(1, OFF, 20)]),
        ([(1, ON, 10), (1, OFF, 200)], [(1, ON, 10), (1, OFF, 200)]),
        ([(1, OFF, 10), (1, ON, 20)], [(1, OFF, 10), (1, ON, 20)]),
        ([(1, ON, 10), (2, OFF, 20)], [(1, ON, 10), (2, OFF, 20)]),
        ([(1, ON, 10), (1, OFF, 20), (1, ON, 30)], [(1, OFF, 20), (1, ON, 30)]),
        ([(1, ON, 10), (1, [NOTE_ON, 60, 0], 20)], [(1, [NOTE_ON, 60, 0], 20)]),
    ],
    ids=["passed", "still to end", "struck anew", "of another", "the last of two", "ended by velocity 0"],
)
async def test_note_that_has_passed_is_skipped(
    page: Page, server: ServerProcess, events: list[object], heard: list[tuple[object, ...]]
) -> None:
    assert await run(page, server, WITHOUT_PASSED, [events, 100]) == [list(event) for event in heard]


async def test_beats_fall_on_their_times_each_once(page: Page, server: ServerProcess) -> None:
    metronome = {"bpm": 90.5, "beats": 3, "unit": 4, "start_us": 5_000_000}
    edges = [0, 4_900_000, 5_000_000, 5_662_983, 7_000_000, 7_000_001, 20_000_000]
    windows = list(pairwise(edges))
    beats = [beat for found in await run(page, server, BEATS, [metronome, windows]) for beat in found]
    assert [place for _, place in beats] == [number % 3 for number in range(len(beats))]
    assert [time for time, _ in beats] == pytest.approx([5_000_000 + n * 60_000_000 / 90.5 for n in range(len(beats))])
    assert beats[-1][0] < edges[-1] <= beats[-1][0] + 60_000_000 / 90.5


async def test_audio_clock_sees_through_its_steps(page: Page, server: ServerProcess) -> None:
    random = Random(5)
    times = sorted(random.uniform(0, 10_000) for _ in range(1_000))
    offset = await run(page, server, AUDIO_CLOCK, [20, times])
    assert offset == pytest.approx(7, abs=0.002)


async def test_lateness_of_a_sheet_does_not_count(page: Page, server: ServerProcess) -> None:
    """Its notes come ahead of their time; what it still holds when it is over is released."""
    sheet = {"slot": 9, "baseMs": 80, "events": [[0, *ON]]}
    found = await run(page, server, SHEET, [9, [sheet]])
    assert found["lateness"] is None
    assert found["played"] == [[9, ON], [9, OFF]]
    late = {"slot": 2, "baseMs": -40, "events": [[0, *ON]]}
    assert (await run(page, server, SHEET, [9, [late, *[sheet] * 99]]))["lateness"] >= 40
