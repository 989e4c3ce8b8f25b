"""The delay with which a room plays: what members report, how it follows, and who hears of it."""

import contextlib
import itertools
import time
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhythm_protocol.control import SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON
from rhythm_protocol.messages import Error, JoinAck, Playout, RoomUpdated
from rhythmd.app import Server
from rhythmd.hub.ports import Encoding
from rhythmd.hub.rooms.timing import FIRST_MS, INTERVAL_S, REPORT_MS, STAY_MS, MeasuredDelay
from tests.client import Answer, Connect
from tests.deadline import DEADLINE_S, POLL_S
from tests.hub.manual import FakePeer, ManualHub

INTERVAL_MS: Final = round(INTERVAL_S * 1000)


def measured(reports: Sequence[int]) -> MeasuredDelay:
    """The delay of a room whose members have just reported."""
    delay = MeasuredDelay()
    for slot, late_ms in enumerate(reports, start=1):
        delay.report(slot, late_ms, 0)
    delay.update(0)
    return delay


def test_update_without_reports_stays_at_the_first() -> None:
    delay = MeasuredDelay()
    delay.update(0)
    assert delay.delay_ms == FIRST_MS == 50


@pytest.mark.parametrize(("late_ms", "expected"), [(51, 60), (60, 60), (61, 70), (999, 1_000), (60_000, 1_000)])
def test_update_rises_at_once_to_the_next_step(late_ms: int, expected: int) -> None:
    assert measured([late_ms]).delay_ms == expected


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        ([100, 900], 900),
        ([100] * 18 + [900], 900),
        ([100] * 19 + [900], 100),
        ([100] * 95 + [900] * 5, 100),
        ([100] * 94 + [900] * 6, 900),
        ([100] * 4_749 + [300] + [900] * 250, 300),
    ],
)
def test_update_takes_the_nearest_rank_of_95_in_100(reports: list[int], expected: int) -> None:
    assert measured(reports).delay_ms == expected


def test_report_takes_the_place_of_the_last_one() -> None:
    delay = measured([80])
    delay.report(2, 700, 0)
    delay.report(2, 120, 0)
    delay.update(0)
    assert delay.delay_ms == 120


def test_report_counts_until_its_time_is_over() -> None:
    delay = measured([300])
    delay.report(2, 400, 1)
    delay.update(REPORT_MS)
    assert delay.delay_ms == 400
    delay.report(3, 20, REPORT_MS + STAY_MS)
    delay.update(REPORT_MS + STAY_MS)
    assert delay.delay_ms == 360


def test_update_after_all_reports_are_over_stays() -> None:
    delay = measured([300])
    delay.update(10 * REPORT_MS)
    assert delay.delay_ms == 300


def test_forgotten_report_does_not_count() -> None:
    delay = measured([80])
    delay.report(2, 700, 0)
    delay.forget(2)
    delay.forget(3)
    delay.update(0)
    assert delay.delay_ms == 80


def test_update_falls_in_small_steps_once_nobody_needed_more_for_a_while() -> None:
    delay = measured([1_000])
    seen = [delay.delay_ms]
    for now_ms in range(INTERVAL_MS, 5 * 60_000, INTERVAL_MS):
        delay.report(1, 30, now_ms)
        delay.update(now_ms)
        assert now_ms >= STAY_MS or delay.delay_ms == 1_000
        seen.append(delay.delay_ms)
    assert seen[-1] == 30
    assert all(before - max(10, before // 10) <= after <= before for before, after in itertools.pairwise(seen))


def test_update_does_not_fall_below_what_is_needed() -> None:
    delay = measured([100])
    delay.report(1, 95, STAY_MS)
    delay.update(STAY_MS)
    assert delay.delay_ms == 100
    delay.report(1, 85, 2 * STAY_MS)
    delay.update(2 * STAY_MS)
    assert delay.delay_ms == 90


def test_one_who_reports_this_and_that_does_not_shake_the_room() -> None:
    delay, changes = measured([0, 100]), 0
    minutes = 10
    for turn, now_ms in enumerate(range(INTERVAL_MS, minutes * 60_000, INTERVAL_MS)):
        before = delay.delay_ms
        delay.report(1, 60_000 if turn % 2 else 0, now_ms)
        delay.report(2, 100, now_ms)
        delay.update(now_ms)
        changes += delay.delay_ms != before
    assert changes <= 1 + minutes * 60_000 // STAY_MS


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 60_000), st.integers(0, REPORT_MS)), max_size=200))
def test_update_stays_in_bounds_and_falls_by_a_step_at_most(reports: list[tuple[int, int, int]]) -> None:
    delay, now_ms = MeasuredDelay(), 0
    for slot, late_ms, passed_ms in reports:
        now_ms += passed_ms
        before = delay.delay_ms
        delay.report(slot, late_ms, now_ms)
        delay.update(now_ms)
        assert 10 <= delay.delay_ms <= 1_000
        assert delay.delay_ms % 10 == 0
        assert delay.delay_ms >= before - max(10, before // 10)


@pytest.fixture
def manual() -> Iterator[ManualHub]:
    manual = ManualHub("hub.yield_after=64", "rooms.max_players=1000")
    yield manual
    manual.close()


def enter(manual: ManualHub, count: int, **settings: object) -> list[FakePeer]:
    """`count` members of one room, of the two encodings in turn, who have heard of one another."""
    peers = [manual.connect(Encoding(number % 2)) for number in range(count)]
    for peer in peers:
        join(peer, **settings)
    manual.settle()
    for peer in peers:
        peer.take()
    return peers


def join(peer: FakePeer, **settings: object) -> JoinAck:
    request = {"room": "Salon", "create": True, "settings": {"max_players": 1_000, **settings}}
    peer.say("join-room", request, id_=1)
    (ack,) = (message for message in peer.take() if isinstance(message, Answer))
    return msgspec.convert(ack.data, JoinAck)


def delays(peer: FakePeer) -> list[int]:
    """The delays that `peer` was told since the last look."""
    return [message.delay_ms for message in peer.take() if isinstance(message, Playout)]


def test_timing_sets_the_delay_for_all_and_for_newcomers(manual: ManualHub) -> None:
    peers = enter(manual, 3)
    version = manual.hub.registry.version
    peers[0].say("timing", {"late_ms": 113})
    assert [delays(peer) for peer in peers] == [[120]] * 3
    assert manual.hub.registry.version > version
    assert join(manual.connect()).room.playout_ms == 120


def test_timing_that_changes_nothing_is_not_told(manual: ManualHub) -> None:
    peers = enter(manual, 2)
    peers[0].say("timing", {"late_ms": FIRST_MS})
    assert [delays(peer) for peer in peers] == [[], []]


def test_timing_of_a_crowd_is_one_message_to_each(manual: ManualHub) -> None:
    peers = enter(manual, 300)
    for number, peer in enumerate(peers):
        peer.say("timing", {"late_ms": 100 + number})
    manual.settle()
    assert [delays(peer) for peer in peers] == [[100]] * 300


def test_timing_outside_of_a_room_or_out_of_bounds_is_refused(manual: ManualHub) -> None:
    peer = manual.connect()
    for late_ms in (100, -1, 60_001):
        peer.say("timing", {"late_ms": late_ms})
    errors = [(error.code, error.field) for error in peer.take() if isinstance(error, Error)]
    assert errors == [("not-in-room", None), ("invalid-field", "late_ms"), ("invalid-field", "late_ms")]


def test_timing_over_the_rate_is_refused() -> None:
    slow = ("limits.messages_per_s=0.001", "limits.messages_burst=5")
    with contextlib.closing(ManualHub("rooms.max_players=1000", *slow)) as manual:
        (peer,) = enter(manual, 1)
        for _ in range(5):
            peer.say("timing", {"late_ms": 100})
        assert [message.code for message in peer.take() if isinstance(message, Error)] == ["rate-limited"]


def test_fixed_delay_holds_whatever_is_reported(manual: ManualHub) -> None:
    owner, guest = enter(manual, 2, playout_ms=333)
    guest.say("timing", {"late_ms": 800})
    assert delays(owner) == []
    assert join(manual.connect()).room.playout_ms == 333


def test_room_update_fixes_the_delay_and_gives_it_free_again(manual: ManualHub) -> None:
    owner, guest = enter(manual, 2)
    for fixed_ms, in_force in ((15, 15), (None, 200)):
        owner.say("room-update", {"settings": {"playout_ms": fixed_ms}})
        change, update = guest.take()
        assert change == Playout(in_force)
        assert isinstance(update, RoomUpdated)
        assert (update.room.settings.playout_ms, update.room.playout_ms) == (fixed_ms, in_force)
        guest.say("timing", {"late_ms": 200})
        assert guest.take() == []


@pytest.mark.parametrize("playout_ms", [9, 1_001, 50.5, "50"])
def test_room_update_to_a_delay_out_of_bounds_is_refused(manual: ManualHub, playout_ms: object) -> None:
    (owner,) = enter(manual, 1)
    owner.say("room-update", {"settings": {"playout_ms": playout_ms}})
    (error,) = owner.take()
    assert isinstance(error, Error)
    assert (error.code, error.field) == ("invalid-field", "settings.playout_ms")


def test_timing_soon_after_another_counts_later_unless_its_member_left(manual: ManualHub) -> None:
    first, second, third = enter(manual, 3)
    for peer, late_ms in ((first, 60), (second, 300), (third, 900)):
        peer.say("timing", {"late_ms": late_ms})
    third.say("leave-room", {})
    assert delays(first) == [60]
    deadline = time.monotonic() + DEADLINE_S
    while not (told := delays(first)) and time.monotonic() < deadline:
        manual.tick()
        time.sleep(POLL_S)
    assert told == [300]


async def test_timing_over_a_socket_is_heard_in_both_subprotocols(server: Server, connect: Connect) -> None:
    clients = [await connect(server, kind) for kind in (SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON)]
    for client in clients:
        assert (await client.join("Salon")).room.playout_ms == FIRST_MS
    await clients[0].ask("timing", {"late_ms": 60})
    assert [(await client.expect(Playout)).delay_ms for client in clients] == [60, 60]
