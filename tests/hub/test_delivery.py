"""The table of delivery: every row of it, what is written in each state, and its page of theory."""

import re
from collections.abc import Callable
from time import monotonic

import pytest

from rhythm_protocol.binary import CursorAt
from rhythm_protocol.messages import ChatCleared, Notes
from rhythmd.hub.ports import Encoding
from rhythmd.hub.sending import delivery as module
from rhythmd.hub.sending.delivery import TRANSITIONS, ControlLog, Delivery, Event, State
from rhythmd.hub.sending.outbound import ControlMessage, CursorPositions

WRITE_LIMIT = 100
MUSIC_LIMIT = 50
MUSIC = b"music"


class Pipe:
    """A socket that takes all that is written, and says that so much of it waits."""

    encoding = Encoding.TEXT

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.waiting = 0

    def write(self, frame: bytes) -> None:
        self.written.append(frame)

    def waiting_bytes(self) -> int:
        return self.waiting


class Room:
    """An audience that lets nobody hear on by itself: as one that is in the middle of writing."""

    def delivery_changed(self, delivery: Delivery) -> None:
        pass


class Client:
    """A delivery in a room, and what can happen to it."""

    def __init__(self) -> None:
        self.overflows = 0
        self.pipe = Pipe()
        self.delivery = Delivery(ControlLog(10, 10_000), WRITE_LIMIT, MUSIC_LIMIT, self._overflow)
        self.delivery.enter(Room())

    def _overflow(self) -> None:
        self.overflows += 1

    def happen(self, event: Event) -> None:
        """Let `event` happen as the hub does."""
        delivery = self.delivery
        acts: dict[Event, Callable[[], object]] = {
            Event.CONNECTED: lambda: delivery.connect(self.pipe),
            Event.RESUMED: lambda: delivery.resume(self.pipe, is_slow=False),
            Event.UPDATED: lambda: delivery.bring_up_to_date(delivery.log.count),
            Event.PAUSED: delivery.pause,
            Event.DRAINED: delivery.drain,
            Event.ADMITTED: delivery.admit,
            Event.OVERFLOWED: self._fill,
            Event.LOST: delivery.lose,
        }
        acts[event]()

    def _fill(self) -> None:
        """Write one message more than may wait."""
        self.pipe.waiting = WRITE_LIMIT
        if self.delivery.state in (State.RESUMING, State.RESUMING_THROTTLED):
            self.say()  # it is logged, and too much when it is brought
            self.delivery.bring_up_to_date(self.delivery.log.count - 1)
        else:
            self.say()
        self.pipe.waiting = 0

    def say(self) -> None:
        self.delivery.send(ControlMessage("chat-cleared", ChatCleared()))

    @property
    def state(self) -> State:
        return self.delivery.state

    @property
    def is_told(self) -> bool:
        """Whether a control message is written now."""
        before = len(self.pipe.written)
        self.say()
        return len(self.pipe.written) > before


WAYS: dict[State, tuple[Event, ...]] = {
    State.AWAY: (),
    State.LIVE: (Event.CONNECTED,),
    State.THROTTLED: (Event.CONNECTED, Event.PAUSED),
    State.CATCHING_UP: (Event.CONNECTED, Event.PAUSED, Event.DRAINED),
    State.OVERRUN: (Event.CONNECTED, Event.PAUSED, Event.OVERFLOWED),
    State.RESUMING: (Event.RESUMED,),
    State.RESUMING_THROTTLED: (Event.RESUMED, Event.PAUSED),
}

# The hub lets these happen in these states only: a socket that is there is not connected again, a client that was not
# told what it missed is brought up to date, a frame is bounded only while the client is slow.
IMPOSSIBLE = {
    *((state, Event.CONNECTED) for state in State if state is not State.AWAY),
    *((state, Event.RESUMED) for state in State if state is not State.AWAY),
    *((state, Event.UPDATED) for state in State if state not in (State.RESUMING, State.RESUMING_THROTTLED)),
    *((state, Event.ADMITTED) for state in State if state is not State.CATCHING_UP),
}


def client_in(state: State) -> Client:
    client = Client()
    for event in WAYS[state]:
        client.happen(event)
    assert client.state is state
    return client


@pytest.mark.parametrize("state", State, ids=lambda state: state.name)
@pytest.mark.parametrize("event", Event, ids=lambda event: event.name)
def test_event_leads_where_the_table_says(state: State, event: Event) -> None:
    if (state, event) in IMPOSSIBLE:
        assert (state, event) not in TRANSITIONS
        return
    client = client_in(state)
    client.happen(event)
    assert client.state is TRANSITIONS.get((state, event), state)
    assert client.overflows == (1 if state is State.OVERRUN or client.state is State.OVERRUN else 0)
    assert (client.delivery.socket is None) is (client.state is State.AWAY)


@pytest.mark.parametrize("state", State, ids=lambda state: state.name)
def test_state_writes_what_its_row_of_the_page_says(state: State) -> None:
    _, control, music = page()[state.name]
    client = client_in(state)
    count = client.delivery.log.count
    assert client.is_told is control.startswith("written")
    assert client.delivery.log.count == count + 1, "what is said is logged in every state"
    assert client.delivery.hears is (music in ("written", "backlog"))
    assert (client.delivery.backlog is not None and not client.delivery.backlog.is_stale) is (music == "backlog")


def page() -> dict[str, tuple[str, str, str]]:
    """The states as the module's docstring has them: what each is, its control messages and its music."""
    rows = re.findall(r"^\| `([A-Z_]+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", module.__doc__ or "", re.MULTILINE)
    return {name: (what, control, music) for name, what, control, music in rows if not control.startswith("`")}


def test_page_has_every_state() -> None:
    assert set(page()) == {state.name for state in State}


def test_page_has_every_row_of_the_table_with_its_reason() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| `([A-Z_]+)` \| `([A-Z_]+)` \| (.+) \|$", module.__doc__ or "", re.MULTILINE)
    told = {(State[before], Event[event]): State[after] for before, event, after, reason in rows if reason}
    assert told == {row: after for row, after in TRANSITIONS.items() if row[1] is not Event.LOST}
    assert {row[0] for row in TRANSITIONS if row[1] is Event.LOST} == set(State) - {State.AWAY}
    assert "| any but `AWAY` | `LOST` | `AWAY` |" in (module.__doc__ or "")


def test_client_that_came_back_gets_what_it_missed_once_and_needs_a_snapshot() -> None:
    client = client_in(State.LIVE)
    client.happen(Event.LOST)
    client.say()
    client.pipe = Pipe()
    client.happen(Event.RESUMED)
    client.say()
    assert client.pipe.written == []
    assert client.delivery.bring_up_to_date(0)
    assert len(client.pipe.written) == 2
    assert client.state is State.CATCHING_UP
    assert client.delivery.backlog is not None
    assert client.delivery.backlog.is_stale


def test_client_whose_missed_messages_are_not_all_there_is_not_brought_up_to_date() -> None:
    client = client_in(State.RESUMING)
    for _ in range(11):
        client.say()
    assert not client.delivery.bring_up_to_date(0)
    assert client.state is State.RESUMING


def test_socket_that_was_slow_before_it_took_over_stays_slow() -> None:
    client = Client()
    client.delivery.resume(client.pipe, is_slow=True)
    states = [client.state]
    client.happen(Event.UPDATED)
    assert [*states, client.state] == [State.RESUMING_THROTTLED, State.THROTTLED]


def test_time_that_a_client_is_slow_ends_when_it_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_in(State.THROTTLED)
    now = monotonic()
    monkeypatch.setattr(module, "monotonic", lambda: now + 60)
    assert client.delivery.slow_s() >= 60
    client.happen(Event.DRAINED)
    assert client.delivery.slow_s() == 0


def test_backlog_outlives_another_pause_and_not_the_room() -> None:
    client = client_in(State.CATCHING_UP)
    backlog = client.delivery.backlog
    assert backlog is not None
    backlog.append(MUSIC)
    client.happen(Event.PAUSED)
    assert client.delivery.backlog is backlog
    client.delivery.leave()
    assert not client.delivery.hears
    client.happen(Event.DRAINED)
    assert client.state is State.LIVE


@pytest.mark.parametrize(("waiting", "written"), [(0, 1), (1, 0)])
def test_cursors_are_shed_when_anything_waits(waiting: int, written: int) -> None:
    client = client_in(State.LIVE)
    client.pipe.waiting = waiting
    client.delivery.send(CursorPositions([CursorAt(1, 2, 3)]))
    assert len(client.pipe.written) == written
    assert client.delivery.log.count == 0


def test_what_says_how_things_are_now_is_not_counted() -> None:
    client = client_in(State.LIVE)
    client.delivery.send(ControlMessage("notes", Notes([])))
    assert (len(client.pipe.written), client.delivery.log.count) == (1, 0)
