"""Following what players play."""

import pytest

from rhythm_protocol.binary import MidiBlock
from rhythm_protocol.clock import ClockExchange
from rhythm_protocol.messages import SlotState
from rhythm_protocol.midi import MidiEvent
from rhythmd.client.clock import ServerClock, local_us
from rhythmd.client.music import Heard, RoomMusic
from rhythmd.midi.state import ChannelMessage

ON = (0x90, 60, 100)
OFF = (0x80, 60, 0)


class Ear:
    """Hears by a server's clock that is a minute ahead of this computer's."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.clock = ServerClock()
        now_us = local_us()
        self.clock.add(ClockExchange(now_us, now_us + 60_000_000, now_us + 60_000_000, now_us))
        self.music = RoomMusic(self.heard.append, self.clock)

    def play(self, slot: int, at_ms: int, *messages: ChannelMessage) -> None:
        """At `at_ms` of this computer's clock."""
        events = tuple(MidiEvent(0, *message) for message in messages)
        self.music.play([MidiBlock(slot, self.music.server_ms(at_ms) & 0xFFFFFFFF, events)])

    @property
    def messages(self) -> list[tuple[int, ChannelMessage]]:
        return [(event.slot, event.message) for event in self.heard]

    @property
    def times(self) -> list[int]:
        return [event.at_ms for event in self.heard]


@pytest.fixture
def ear() -> Ear:
    return Ear()


def now_ms() -> int:
    return local_us() // 1_000


def test_play_tells_each_event_at_its_time(ear: Ear) -> None:
    at_ms = now_ms()
    ear.play(2, at_ms, ON)
    ear.play(3, at_ms - 50, ON, OFF)
    assert ear.messages == [(2, ON), (3, ON), (3, OFF)]
    assert ear.times == [at_ms, at_ms - 50, at_ms - 50]


def test_play_makes_each_event_due_after_the_delay(ear: Ear) -> None:
    at_ms = now_ms()
    ear.music.delay_ms = 80
    ear.play(2, at_ms, ON)
    assert ear.heard == [Heard(2, at_ms, at_ms + 80, ON)]


def test_play_after_a_shorter_delay_keeps_the_order_of_a_player(ear: Ear) -> None:
    at_ms = now_ms()
    ear.music.delay_ms = 1_000
    ear.play(2, at_ms, ON)
    ear.music.delay_ms = 50
    ear.play(2, at_ms + 100, OFF)
    ear.play(3, at_ms + 100, ON)
    assert [event.due_ms - at_ms for event in ear.heard] == [1_000, 1_000, 150]


def test_play_keeps_the_order_of_a_player_whatever_the_times(ear: Ear) -> None:
    at_ms = now_ms()
    ear.play(2, at_ms, ON)
    ear.play(2, at_ms - 10, OFF)
    assert ear.messages == [(2, ON), (2, OFF)]
    assert ear.times == [at_ms, at_ms]


def test_replace_releases_what_is_over_and_starts_what_is_new(ear: Ear) -> None:
    ear.play(2, now_ms(), ON, (0xB0, 64, 127))
    ear.play(3, now_ms(), (0x90, 40, 1))
    ear.heard.clear()
    ear.music.replace([SlotState(2, [(0xB0, 64, 127), (0x90, 62, 9)]), SlotState(4, [ON])])
    assert sorted(ear.messages) == [(2, OFF), (2, (0x90, 62, 9)), (3, (0x80, 40, 0)), (4, ON)]


def test_replace_by_the_same_tells_nothing(ear: Ear) -> None:
    ear.play(2, now_ms(), ON)
    ear.heard.clear()
    ear.music.replace([SlotState(2, [ON])])
    assert ear.heard == []


def test_replace_ends_what_is_over_when_it_was_heard_last(ear: Ear) -> None:
    at_ms = now_ms() - 5_000
    ear.play(2, at_ms, ON)
    ear.music.replace([SlotState(2, [(0x90, 62, 9)])], at_ms + 1_000)
    assert ear.messages == [(2, ON), (2, OFF), (2, (0x90, 62, 9))]
    assert ear.times[:2] == [at_ms, at_ms + 1_000]
    assert ear.times[2] >= at_ms + 5_000


def test_forget_leaves_nothing_to_release(ear: Ear) -> None:
    ear.play(2, now_ms(), ON)
    ear.heard.clear()
    ear.music.forget(2)
    ear.music.replace([])
    assert ear.heard == []


def test_follow_another_clock_keeps_this_computers_times(ear: Ear) -> None:
    now_us = local_us()
    restarted = ServerClock()
    restarted.add(ClockExchange(now_us, now_us - 5_000_000, now_us - 5_000_000, now_us))
    ear.music.follow(restarted)
    at_ms = now_ms()
    ear.play(2, at_ms, ON)
    assert ear.times == [at_ms]
    assert ear.music.server_ms(at_ms) == pytest.approx(at_ms - 5_000, abs=2)


def test_report_lateness_is_that_of_the_note_ons(ear: Ear) -> None:
    assert ear.music.report_lateness() is None
    ear.play(2, now_ms() - 300, ON)
    ear.play(2, now_ms() - 9_000, OFF)
    late_ms = ear.music.report_lateness()
    assert late_ms is not None
    assert 290 <= late_ms < 9_000


def test_lateness_of_a_sheet_does_not_count(ear: Ear) -> None:
    """It comes ahead of its time, so that among many of its notes those of a late player would not be seen."""
    ear.music.sheet_slot = 9
    ear.play(9, now_ms() + 80, ON)
    assert ear.music.report_lateness() is None
    ear.play(2, now_ms() - 70, ON)
    ear.play(9, now_ms() + 80, *[ON] * 100)
    late_ms = ear.music.report_lateness()
    assert late_ms is not None
    assert late_ms >= 68  # three roundings to whole milliseconds lie between
