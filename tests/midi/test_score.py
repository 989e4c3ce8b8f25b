"""A score begun in its middle: the instrument is as if all before had been played."""

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhythm_protocol.midi import MidiEvent, pack_events
from rhythmd.midi import score as module
from rhythmd.midi.score import AT_FIRST, Score, way_to
from rhythmd.midi.state import ChannelMessage, NoteState, is_of_a_key
from tests.hub.synthesizer import Synthesizer
from tests.protocol.generated import midi_events

OF_A_KEY = ("key", "key pressure", "place")
Settings = dict[tuple[str, int, int], int]

messages = midi_events().map(lambda event: event[1:])


@st.composite
def events(draw: st.DrawFn) -> list[tuple[int, ChannelMessage]]:
    times = sorted(draw(st.lists(st.integers(0, 100), max_size=60)))
    return [(at_ms, draw(messages)) for at_ms in times]


@pytest.fixture(scope="module", autouse=True)
def near_checkpoints() -> Iterator[None]:
    """So few messages from one checkpoint to the next that short scores have some."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "STEP", 7)
        yield


def settings_of(played: Sequence[ChannelMessage]) -> Settings:
    """Where these bring a fresh instrument, but for the keys and for what is as it was at first."""
    synthesizer = Synthesizer()
    synthesizer.play(played)
    return {
        (what, channel, number): value
        for (what, channel, number), value in synthesizer.state.items()
        if what not in OF_A_KEY and not (what == "controller" and value == AT_FIRST.get(number, 0))
    }


def state_after(played: Sequence[ChannelMessage]) -> NoteState:
    state = NoteState()
    state.apply(pack_events([MidiEvent(0, *message) for message in played]), 0)
    return state


@given(events(), st.integers(0, 60))
def test_settings_before_are_those_of_all_that_came_before(all_: list[tuple[int, ChannelMessage]], at: int) -> None:
    settings = Score.of(all_).settings_before(min(at, len(all_)))
    assert settings_of(settings) == settings_of([message for _, message in all_[:at]])
    assert not any(map(is_of_a_key, settings))


@given(st.lists(messages, max_size=40), st.lists(messages, max_size=40))
def test_way_leads_from_any_place_to_any_other(here: list[ChannelMessage], there: list[ChannelMessage]) -> None:
    state = state_after(here)
    release = state.release()
    settings = [message for message in state_after(there).snapshot() if not is_of_a_key(message)]
    assert settings_of([*here, *release, *way_to(settings, state)]) == settings_of(settings)


@given(events(), st.floats(-1, 101))
def test_places_are_found_by_time(all_: list[tuple[int, ChannelMessage]], position_ms: float) -> None:
    score = Score.of(all_)
    assert score.index_at(position_ms) == sum(at_ms < position_ms for at_ms, _ in all_)
    assert score.index_after(position_ms) == sum(at_ms <= position_ms for at_ms, _ in all_)


@given(st.lists(messages, max_size=40), messages)
def test_what_ends_something_is_known(played: list[ChannelMessage], last: ChannelMessage) -> None:
    """A message that stops a key, a pedal or a bend is one that may not be left out."""
    before, after = Synthesizer(), Synthesizer()
    before.play(played)
    after.play([*played, last])
    ended = {what for what in _ringing(before) if what not in _ringing(after)}
    if ended:
        assert state_after(played).ends(last)


def _ringing(synthesizer: Synthesizer) -> set[tuple[str, int, int]]:
    """Keys that are down, bends, and pedals from the middle on, where a switch closes."""
    return {
        (what, channel, number)
        for (what, channel, number), value in synthesizer.state.items()
        if what in ("key", "bend") or (what == "controller" and number in (64, 66, 67, 69) and value >= 64)
    }
