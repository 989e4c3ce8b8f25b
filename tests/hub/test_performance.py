"""How the server plays a sheet: when what goes out, how much of it, and where it goes on. The times are the test's."""

from collections.abc import Callable, Iterator
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhythm_protocol.binary import decode_midi_blocks
from rhythmd.hub.ports import Performance
from rhythmd.hub.rooms.performance import AHEAD_MS, RoomPerformance
from rhythmd.midi.parameters import PARAMETER_CONTROLLERS
from rhythmd.midi.state import ChannelMessage
from tests.hub.manual import ManualHub
from tests.hub.sheets import FOREVER_MS, held_chord, medley, scale, sheet
from tests.hub.synthesizer import Synthesizer

NOW: Final = 1_000_000
TICK_MS: Final = 50
CLARA: Final = "clara"
PEDAL: Final = 64

Event = tuple[int, ChannelMessage]


class Stage:
    """A room in which everything is on tape, and a clock that the test sets.

    Attributes:
        now_ms: what it shows.
        performance: of the room.
    """

    def __init__(self, *settings: str) -> None:
        self.manual = ManualHub(*settings)
        self.now_ms = NOW
        room = self.manual.hub.registry.lobby()
        self.performance: RoomPerformance = room.performance
        self._tape = room.deck.record("somebody")

    def start(self, played: Performance, position_ms: int = 0, speed: float = 1.0) -> None:
        self.performance.start(played, CLARA, position_ms, speed, self.now_ms)

    def seek(self, position_ms: int, speed: float | None = None) -> None:
        self.performance.seek(position_ms, speed, self.now_ms)

    def stop(self) -> None:
        self.performance.stop(self.now_ms)

    def tick(self, ms: int = TICK_MS) -> None:
        self.now_ms += ms
        self.performance.advance(self.now_ms)

    def finish(self) -> None:
        """Let it end."""
        while self.performance.state is not None:
            self.tick()

    def take(self) -> list[Event]:
        """What went out since the last call: (ms of the clock, message)."""
        blocks = decode_midi_blocks(b"\x01" + bytes(self._tape.blocks)) if self._tape.blocks else []
        self._tape.blocks.clear()
        return [(block.base_ms + event.offset_ms, event[1:]) for block in blocks for event in block.events]


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.manual.close()


def on_stage(act: Callable[[Stage], None], *settings: str) -> None:
    """Let `act` happen on a stage of its own."""
    made = Stage(*settings)
    try:
        act(made)
    finally:
        made.manual.close()


def rings(events: list[Event]) -> bool:
    synthesizer = Synthesizer()
    synthesizer.play(message for _, message in events)
    return synthesizer.rings


def keys(events: list[Event]) -> list[int]:
    """The keys that are pressed."""
    return [data1 for _, (status, data1, data2) in events if status & 0xF0 == 0x90 and data2]


# When


def test_every_event_goes_out_at_least_half_of_the_look_ahead_before_it_is_due(stage: Stage) -> None:
    stage.start(scale("scale", notes=100))
    while stage.performance.state is not None:
        events = [event for event in stage.take() if event[0]]
        assert all(AHEAD_MS - TICK_MS <= at_ms - stage.now_ms <= AHEAD_MS for at_ms, _ in events)
        stage.tick()


def test_late_tick_sends_what_is_due_with_its_true_times(stage: Stage) -> None:
    stage.start(scale("scale", notes=100))
    stage.take()
    stage.tick(1_500)
    times = [at_ms for at_ms, (status, _, _) in stage.take() if status == 0x90]
    assert times == [NOW + AHEAD_MS + 20 * number for number in range(1, 76)]


def test_server_that_stood_still_goes_on_where_the_sheet_would_be(stage: Stage) -> None:
    """What was due meanwhile is left out: it would be one burst."""
    stage.start(scale("scale", notes=1_000), speed=2.0)
    stage.tick()
    before = stage.take()
    stage.tick(5_000)
    state = stage.performance.state
    assert state is not None
    assert state.position_ms == 9_900  # 4,950 ms after the start, which is twice as fast
    assert state.start_us == (stage.now_ms + AHEAD_MS) * 1_000
    during = stage.take()
    assert len(during) < 30
    stage.finish()
    assert not rings([*before, *during, *stage.take()])


def test_sheet_ends_when_its_last_silence_is_over(stage: Stage) -> None:
    stage.start(sheet("short", [(0, (0x90, 60, 1)), (40, (0x80, 60, 0))], 1_000))
    for _ in range(1_050 // TICK_MS):
        stage.tick()
        assert stage.performance.state is not None
    stage.tick()
    assert stage.performance.state is None


def test_wrap_of_the_wire_clock_is_no_gap() -> None:
    def act(stage: Stage) -> None:
        stage.now_ms = 2**32 - 150
        stage.start(scale("scale", notes=20))
        stage.finish()
        pressed = [at_ms & 0xFFFFFFFF for at_ms, (status, _, _) in stage.take() if status == 0x90]
        assert pressed == [2**32 - 50 + 20 * number & 0xFFFFFFFF for number in range(20)]

    on_stage(act)


# How much


def test_sheet_that_is_too_dense_is_thinned(stage: Stage) -> None:
    """A thousand events a second at most, releases of what sounds not among those that are left out."""
    dense = sheet("dense", [(number // 10, (0x90, number % 128, 90)) for number in range(20_000)], FOREVER_MS)
    stage.start(dense)
    for _ in range(60):
        stage.tick()
    events = stage.take()
    for second in range(NOW // 1_000, NOW // 1_000 + 4):
        assert sum(at_ms // 1_000 == second for at_ms, _ in events) <= 1_000
    stage.stop()
    assert not rings([*events, *stage.take()])


@given(st.sampled_from("abcdefgh"), st.integers(1, 40))
def test_thinning_leaves_nothing_on_that_the_sheet_ends(name: str, most: int) -> None:
    """What rings in the middle and in the end of a thinned sheet rings in the whole one, too."""
    played = medley(name, longest_ms=20)

    def act(stage: Stage) -> None:
        stage.start(played)
        whole, thinned = Synthesizer(), Synthesizer()
        number = 0
        for _ in range(played.score.duration_ms // TICK_MS):
            stage.tick()
            thinned.play(message for _, message in stage.take())
            due = played.score.index_after(stage.now_ms - NOW)
            part = played.score.messages[number * 3 : due * 3]
            whole.play((part[at], part[at + 1], part[at + 2]) for at in range(0, len(part), 3))
            number = due
            assert held(thinned) <= held(whole)

    on_stage(act, f"limits.performance_events_per_s={most}")


def held(synthesizer: Synthesizer) -> set[tuple[str, int, int]]:
    """Keys that are down, bends, and pedals from the middle on."""
    return {
        (what, channel, number)
        for (what, channel, number), value in synthesizer.state.items()
        if what in ("key", "bend") or (what == "controller" and number in (64, 66, 67, 69) and value >= PEDAL)
    }


ALL_SETTINGS: Final = [
    (0, (0xB0 | channel, number, 1))
    for channel in range(16)
    for number in range(120)
    if number not in PARAMETER_CONTROLLERS
]


def test_what_a_seek_sets_is_never_thinned(stage: Stage) -> None:
    stage.start(sheet("settings", [*ALL_SETTINGS, (1, (0x90, 60, 1))], FOREVER_MS), 1)
    tuned = {message for _, message in stage.take()}
    assert {message for _, message in ALL_SETTINGS} <= tuned
    assert (0x90, 60, 1) in tuned, "what it sets takes no place of the sheet's"


def test_of_many_seeks_only_the_last_one_sets_anything(stage: Stage) -> None:
    stage.start(sheet("settings", [*ALL_SETTINGS, (1, (0x90, 60, 1)), (5, (0xB0, 7, 9))], FOREVER_MS), 1)
    stage.take()
    for _ in range(20):
        stage.seek(1)
        stage.seek(6)
    state = stage.performance.state
    assert state is not None
    assert (state.position_ms, state.start_us) == (6, (NOW + 2 * AHEAD_MS) * 1_000)
    assert len(stage.take()) == 1 + 4 * 16, "the key and the pedals that were held"
    stage.tick()
    stage.tick()
    events = stage.take()
    assert len(events) == len(ALL_SETTINGS)
    assert all(at_ms == NOW + 2 * AHEAD_MS for at_ms, _ in events)
    assert (0xB0, 7, 9) in [message for _, message in events]


# Where


def test_seek_leads_the_instrument_to_where_it_would_be(stage: Stage) -> None:
    events: list[Event] = [
        (0, (0xC0, 5, 0)), (0, (0xB0, 7, 30)), (0, (0xB0, PEDAL, 127)), (10, (0x90, 60, 90)),
        (500, (0xB0, PEDAL, 0)), (500, (0xC0, 9, 0)), (500, (0xB0, 11, 70)), (900, (0x90, 62, 90)),
    ]  # fmt: skip
    stage.start(sheet("piece", events, FOREVER_MS))
    stage.tick(AHEAD_MS)
    stage.take()
    stage.seek(600)
    release, tune = stage.take()[:2], stage.take()
    assert [message for _, message in release] == [(0x80, 60, 0), (0xB0, PEDAL, 0)]
    assert tune == []
    stage.tick(AHEAD_MS)
    stage.seek(600)
    assert [message for _, message in stage.take()] == [(0xC0, 9, 0), (0xB0, 7, 30), (0xB0, 11, 70), (0xB0, PEDAL, 0)]
    stage.tick(AHEAD_MS)
    stage.seek(0)
    back = [message for _, message in stage.take()]
    assert back[:4] == [(0xC0, 0, 0), (0xB0, 7, 100), (0xB0, 11, 127), (0xB0, PEDAL, 0)], "as it was at first"
    assert back[4:] == [message for _, message in events[:3]]


def test_release_is_not_due_before_what_it_releases(stage: Stage) -> None:
    stage.start(held_chord("chord"))
    stage.stop()
    times = [at_ms for at_ms, _ in stage.take()]
    assert times == [NOW + AHEAD_MS] * len(times)
    assert len(times) == 9


acts = st.one_of(
    st.tuples(st.just("tick"), st.integers(1, 2_500)),
    st.tuples(st.just("seek"), st.integers(0, 6_000)),
    st.tuples(st.just("start"), st.integers(0, 6_000)),
    st.tuples(st.just("stop"), st.just(0)),
)


@given(st.lists(acts, max_size=20), st.sampled_from([0.25, 1.0, 4.0]), st.integers(5, 1_000))
def test_nothing_goes_on_sounding_whatever_is_done_in_which_order(
    done: list[tuple[str, int]], speed: float, most: int
) -> None:
    def act(stage: Stage) -> None:
        events: list[Event] = []
        for what, number in [*done, ("stop", 0)]:
            if what == "tick":
                stage.tick(number)
            elif what == "seek":
                stage.seek(number, speed)
            elif what == "start":
                stage.start(medley(str(number % 3)), number, speed)
            else:
                stage.stop()
            taken = stage.take()
            events += taken
            if stage.performance.state is None:
                assert not rings(events)
                events.clear()
        times = [at_ms for at_ms, _ in events]
        assert times == sorted(times)

    on_stage(act, f"limits.performance_events_per_s={most}")
