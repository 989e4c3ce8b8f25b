"""The table of delivery: each row is walked, and what the docstring says is held against what happens."""

import re
from collections.abc import Iterator
from itertools import product
from typing import Final

import pytest

from rhythm_protocol.close import SLOW
from rhythm_protocol.messages import Playout
from rhythmd.hub.ports import Encoding
from rhythmd.hub.sending import delivery as module
from rhythmd.hub.sending.delivery import TRANSITIONS, Event, State
from rhythmd.hub.sending.outbound import ControlMessage, Music
from tests.hub.manual import FakePeer, ManualHub
from tests.hub.stage import BLOCK, LOGGED, WRITE_LIMIT, Socket, Stage, Treatment, message, pointers, size, snapshot

MISSING: Final = sorted(set(product(State, Event)) - set(TRANSITIONS), key=str)


# What the docstring says


def rows(*header: str) -> list[list[str]]:
    """The cells of the docstring's table with this header, without their quotes."""
    lines = iter((module.__doc__ or "").splitlines())
    for line in lines:
        if cells(line) == list(header):
            next(lines)
            break
    table: list[list[str]] = []
    for line in lines:
        if not line.startswith("|"):
            break
        table.append(cells(line))
    return table


def cells(line: str) -> list[str]:
    return [cell.strip().replace("`", "") for cell in line.strip("|").split("|")]


STATES: Final = {
    State[name]: Treatment(control, music)
    for name, _, control, music in rows("state", "what it is", "control messages", "music")
}


def sources(cell: str) -> list[State]:
    """The states that a cell names: one, or "any but" one."""
    exception = re.fullmatch(r"any but (\w+)", cell)
    if exception is None:
        return [State[cell]]
    return [state for state in State if state is not State[exception[1]]]


def test_docstring_lists_every_state_once() -> None:
    assert list(STATES) == list(State)
    assert len(rows("state", "what it is", "control messages", "music")) == len(State)


def test_docstring_lists_every_transition_once_with_its_reason() -> None:
    table = rows("from", "event", "to", "why")
    listed = [((state, Event[event]), State[to]) for before, event, to, _ in table for state in sources(before)]
    assert sorted(listed, key=str) == sorted(TRANSITIONS.items(), key=str)
    assert all(why for *_, why in table)


# What happens


def connection(stage: Stage) -> tuple[object, ...]:
    """All that an event may change."""
    delivery = stage.delivery
    return delivery.state, delivery.socket, delivery.encoding, delivery.backlog, delivery.is_slow, stage.overflows


@pytest.fixture
def manual() -> Iterator[ManualHub]:
    manual = ManualHub()
    yield manual
    manual.close()


@pytest.fixture
def stage(manual: ManualHub) -> Stage:
    return Stage(manual)


@pytest.mark.parametrize("state", State)
def test_state_treats_messages_as_the_docstring_says(stage: Stage, state: State) -> None:
    stage.reach(state)
    assert stage.treatment() == STATES[state]


@pytest.mark.parametrize(("before", "event"), sorted(TRANSITIONS, key=str))
def test_transition_leads_where_its_row_says(stage: Stage, before: State, event: Event) -> None:
    stage.reach(before)
    stage.cause(event)
    after = TRANSITIONS[before, event]
    assert stage.delivery.state is after
    assert stage.delivery.is_slow is (after in (State.THROTTLED, State.RESUMING_THROTTLED))
    assert (stage.delivery.socket is None) is (after is State.AWAY)
    assert (stage.delivery.backlog is not None) is (STATES[after].music == "backlog")
    assert stage.overflows == (State.OVERRUN in (before, after))
    assert stage.treatment() == STATES[after]


@pytest.mark.parametrize(("state", "event"), MISSING)
def test_event_without_a_row_changes_nothing(stage: Stage, state: State, event: Event) -> None:
    stage.reach(state)
    before = connection(stage)
    stage.cause(event)
    assert connection(stage) == before
    assert stage.treatment() == STATES[state]


# The rows' reasons


def test_client_that_catches_up_gets_its_backlog_once_and_in_order(stage: Stage) -> None:
    stage.reach(State.THROTTLED)
    stage.fanout.play(stage.others[0], BLOCK)
    stage.fanout.finish()
    stage.begin_slices()
    stage.delivery.drain()
    stage.fanout.play(stage.others[0], BLOCK)
    assert stage.socket.written == []
    stage.manual.settle()
    assert stage.delivery.state is State.LIVE
    assert stage.delivery.backlog is None
    assert b"".join(stage.socket.written) == 2 * Music([BLOCK]).frame(Encoding.BINARY)


def test_client_with_a_stale_backlog_gets_a_snapshot_for_it(stage: Stage) -> None:
    stage.reach(State.THROTTLED)
    stage.fanout.finish()
    while stage.delivery.hears:
        stage.fanout.play(stage.others[0], BLOCK)
        stage.fanout.finish()
    stage.manual.settle()
    stage.delivery.drain()
    stage.manual.settle()
    assert stage.delivery.state is State.LIVE
    assert stage.socket.written == [snapshot().frame(Encoding.BINARY)]


def test_backlog_outlives_another_pause_and_not_the_room(stage: Stage) -> None:
    stage.reach(State.CATCHING_UP)
    backlog = stage.delivery.backlog
    assert backlog is not None
    stage.delivery.pause()
    assert stage.delivery.backlog is backlog
    stage.fanout.discard(stage.delivery)
    assert not stage.delivery.hears
    stage.delivery.drain()
    assert stage.delivery.state is State.LIVE


def test_message_that_overtakes_music_makes_the_backlog_stale_and_cursors_do_not(stage: Stage) -> None:
    stage.reach(State.THROTTLED)
    stage.fanout.broadcast(pointers())
    stage.fanout.finish()
    assert stage.delivery.hears
    stage.fanout.broadcast(message())
    stage.fanout.finish()
    assert not stage.delivery.hears


@pytest.mark.parametrize("is_slow", [False, True])
def test_resumed_socket_gets_what_was_missed_then_a_snapshot_then_music(stage: Stage, is_slow: bool) -> None:
    stage.connect()
    stage.say()
    stage.delivery.lose()
    stage.say()
    stage.resume(is_slow=is_slow)
    stage.say()
    stage.fanout.play(stage.others[0], BLOCK)
    stage.manual.settle()
    assert stage.socket.written == []
    assert stage.delivery.to_confirm() is None
    assert stage.delivery.bring_up_to_date(1) is not None
    assert stage.delivery.to_confirm() == 3
    control, notes = [message().frame(Encoding.BINARY)] * 2, [snapshot().frame(Encoding.BINARY)]
    if is_slow:
        stage.fanout.play(stage.others[0], BLOCK)
        stage.manual.settle()
        assert (stage.delivery.state, stage.socket.written) == (State.THROTTLED, control)
        stage.delivery.drain()
    stage.manual.settle()
    assert (stage.delivery.state, stage.socket.written) == (State.LIVE, control + notes)
    stage.fanout.play(stage.others[0], BLOCK)
    stage.manual.settle()
    assert stage.socket.written == [*control, *notes, Music([BLOCK]).frame(Encoding.BINARY)]


def test_resumed_socket_has_an_encoding_of_its_own(stage: Stage) -> None:
    stage.connect()
    stage.delivery.lose()
    stage.say()
    text = Socket(Encoding.TEXT)
    stage.delivery.resume(text, is_slow=False)
    assert stage.delivery.missed(0, WRITE_LIMIT) == 1
    assert stage.delivery.bring_up_to_date(0) is not None
    stage.manual.settle()
    assert text.written == [message().frame(Encoding.TEXT), snapshot().frame(Encoding.TEXT)]


def test_resume_with_a_log_that_has_gaps_writes_nothing(stage: Stage) -> None:
    stage.connect()
    stage.delivery.lose()
    for _ in range(LOGGED + 1):
        stage.say()
    stage.resume()
    assert stage.delivery.missed(0, 100_000) is None
    assert stage.delivery.bring_up_to_date(0) is None
    assert (stage.delivery.state, stage.socket.written) == (State.RESUMING, [])


def test_resume_of_more_than_may_be_written_in_one_go_is_known_before(stage: Stage) -> None:
    stage.connect()
    stage.delivery.lose()
    each = stage.say()
    stage.say()
    stage.resume()
    assert [stage.delivery.missed(0, most) for most in (2 * each, 2 * each - 1)] == [2, None]


def test_missed_messages_over_the_bound_end_the_socket_and_no_message_is_written_behind_them(stage: Stage) -> None:
    stage.connect()
    stage.delivery.lose()
    for _ in range(4):
        each = stage.say()
    stage.resume()
    stage.socket.is_stalled, stage.socket.waiting = True, WRITE_LIMIT - 2 * each
    assert stage.delivery.bring_up_to_date(0) is not None
    assert (stage.delivery.state, stage.overflows, len(stage.socket.written)) == (State.OVERRUN, 1, 2)
    stage.socket.waiting = 0
    for event in (Event.DRAINED, Event.PAUSED, Event.UPDATED, Event.ADMITTED):
        stage.cause(event)
        stage.say()
    assert len(stage.socket.written) == 2
    stage.delivery.lose()
    stage.resume()
    assert stage.delivery.missed(2, WRITE_LIMIT) == 6


def test_overflow_is_told_once_a_connection(stage: Stage) -> None:
    stage.reach(State.THROTTLED)
    each = stage.say()
    for waiting, overflows in ((WRITE_LIMIT - each, 0), (WRITE_LIMIT - each + 1, 1), (WRITE_LIMIT, 1)):
        stage.socket.waiting = waiting
        stage.say()
        assert stage.overflows == overflows
    stage.delivery.lose()
    stage.resume(is_slow=True)
    stage.overflow()
    assert (stage.delivery.state, stage.overflows) == (State.OVERRUN, 2)


@pytest.mark.parametrize("state", State)
def test_cursors_are_shed_when_anything_waits(stage: Stage, state: State) -> None:
    stage.reach(state)
    for waiting in (1, 0):
        stage.socket.waiting = waiting
        before, count = len(stage.socket.written), stage.delivery.log.count
        stage.delivery.send(pointers())
        is_written = state is State.LIVE and not waiting
        assert stage.socket.written[before:] == [pointers().frame(Encoding.BINARY)] * is_written
        assert (stage.delivery.log.count, stage.delivery.state) == (count, state)


def test_what_says_how_things_are_now_is_not_counted(stage: Stage) -> None:
    stage.reach(State.LIVE)
    stage.delivery.send(snapshot())
    assert (len(stage.socket.written), stage.delivery.log.count) == (1, 0)


def test_control_messages_are_not_shed(stage: Stage) -> None:
    stage.reach(State.THROTTLED)
    for waiting in (1, WRITE_LIMIT // 2):
        stage.socket.waiting = waiting
        stage.delivery.send(ControlMessage("playout", Playout(60)))
    assert len(stage.socket.written) == 2


@pytest.mark.parametrize("state", State)
def test_client_that_leaves_the_room_has_no_music_to_wait_for(stage: Stage, state: State) -> None:
    stage.reach(state)
    stage.fanout.discard(stage.delivery)
    assert stage.delivery.backlog is None
    assert stage.delivery.state is (State.LIVE if state is State.CATCHING_UP else state)


def test_client_in_no_room_has_nothing_to_catch_up_with(stage: Stage) -> None:
    stage.fanout.discard(stage.delivery)
    stage.connect()
    stage.delivery.pause()
    assert stage.delivery.backlog is None
    stage.delivery.drain()
    assert stage.delivery.state is State.LIVE
    stage.delivery.lose()
    stage.resume()
    assert stage.delivery.bring_up_to_date(0) is not None
    assert (stage.delivery.state, stage.socket.written) == (State.LIVE, [])


def test_slow_client_that_comes_into_a_room_has_a_backlog_from_there(stage: Stage) -> None:
    stage.fanout.discard(stage.delivery)
    stage.reach(State.THROTTLED)
    stage.fanout.play(stage.others[0], BLOCK)
    stage.fanout.add(stage.delivery)
    stage.fanout.finish()
    assert size(stage.delivery.backlog) == 0
    assert stage.music() == "backlog"


# How long it may be slow


def test_slow_time_is_counted_from_the_first_pause_until_it_is_over(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(module, "monotonic", lambda: now)
    stage.connect()
    stage.say()
    stage.delivery.lose()
    stage.resume(is_slow=True)
    now += 2
    stage.delivery.pause()
    stage.fanout.finish()
    assert stage.delivery.bring_up_to_date(1) is not None  # slow before it, and slow after it
    now += 3
    assert (stage.delivery.state, stage.delivery.slow_s()) == (State.THROTTLED, 5.0)
    stage.delivery.drain()
    now += 1
    assert stage.delivery.slow_s() == 0.0
    stage.delivery.pause()
    now += 1
    assert stage.delivery.slow_s() == 1.0
    stage.delivery.lose()
    assert stage.delivery.slow_s() == 0.0


def joined(manual: ManualHub) -> FakePeer:
    peer = manual.connect()
    peer.say("join-room", {"room": "Salon", "create": True})
    return peer


def test_client_that_stays_slow_is_closed_after_its_time(manual: ManualHub, monkeypatch: pytest.MonkeyPatch) -> None:
    slow, quick, late = joined(manual), joined(manual), joined(manual)
    now = 100.0
    monkeypatch.setattr(module, "monotonic", lambda: now)
    slow.is_stalled = late.is_stalled = True
    quick.say("chat-message", {"content": "good evening"})
    for passed_s, closed in ((10.0, None), (10.5, SLOW)):  # `hub.slow_close_s` is 10
        now = 100.0 + passed_s
        late.read_on()
        late.is_stalled = True
        quick.say("chat-message", {"content": "are you there?"})
        manual.hub.start()
        assert (slow.closed, quick.closed, late.closed) == (closed, None, None)
    assert slow.delivery.state is State.AWAY
