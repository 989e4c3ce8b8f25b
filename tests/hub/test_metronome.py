"""The metronome: when its beats fall, who may change it, and whether all clients count the same."""

import time
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Final, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhythm_protocol.clock import ClockEstimate, ClockEstimator, ClockExchange
from rhythm_protocol.control import SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON
from rhythm_protocol.messages import Error, JoinAck, Metronome, MetronomeState, MetronomeUpdate
from rhythmd.clock import server_us
from rhythmd.hub.ports import Encoding
from rhythmd.hub.rooms.timing import updated
from tests.client import Answer, Client, Connect
from tests.hub.manual import FakePeer, ManualHub
from tests.server import Spawn

MINUTE_US: Final = 60_000_000
WALTZ: Final = Metronome(bpm=150.0, beats=3, unit=4, start_us=1_000_000)  # a beat lasts 400 ms
BEATS: Final = (0, 1, 2, 3, 17, 600)
EXCHANGES: Final = 7  # so few that the estimate is that of the best one, and its error at most half a round trip

bpms = st.floats(20, 400)
times = st.integers(0, 10**13)


def test_start_has_common_time_and_the_given_moment() -> None:
    assert updated(None, MetronomeUpdate(True), 5) == Metronome(bpm=120.0, beats=4, unit=4, start_us=5)
    assert updated(None, MetronomeUpdate(True, 90.5, 6, 8), 5) == Metronome(bpm=90.5, beats=6, unit=8, start_us=5)


def test_stop_leaves_nothing() -> None:
    assert updated(WALTZ, MetronomeUpdate(False), 5) is None
    assert updated(None, MetronomeUpdate(False, 90.0), 5) is None


@pytest.mark.parametrize(
    "update", [MetronomeUpdate(True), MetronomeUpdate(True, 150.0), MetronomeUpdate(True, beats=3)]
)
def test_update_that_changes_nothing_leaves_it_running(update: MetronomeUpdate) -> None:
    assert updated(WALTZ, update, 9_000_000) == WALTZ


@pytest.mark.parametrize(
    ("earliest_us", "start_us"),
    [(0, 1_000_000), (1_000_000, 1_000_000), (1_000_001, 1_400_000), (1_399_999, 1_400_000), (3_000_000, 3_000_000)],
)
def test_change_starts_anew_on_the_next_beat(earliest_us: int, start_us: int) -> None:
    assert updated(WALTZ, MetronomeUpdate(True, 60.0), earliest_us) == Metronome(60.0, 3, 4, start_us)
    assert updated(WALTZ, MetronomeUpdate(True, beats=2, unit=2), earliest_us) == Metronome(150.0, 2, 2, start_us)


@given(bpms, bpms, times, times)
def test_change_falls_on_a_beat_and_not_before_the_given_moment(
    bpm: float, new_bpm: float, start_us: int, later_us: int
) -> None:
    current = Metronome(bpm, 4, 4, start_us)
    changed = updated(current, MetronomeUpdate(True, new_bpm, 5), start_us + later_us)
    assert changed is not None
    beat_us = MINUTE_US / bpm
    waited_us = changed.start_us - (start_us + later_us)
    assert -1 <= waited_us <= beat_us + 1
    number = round((changed.start_us - start_us) / beat_us)
    assert abs(start_us + number * beat_us - changed.start_us) <= 1


@pytest.fixture
def manual() -> Iterator[ManualHub]:
    manual = ManualHub()
    yield manual
    manual.close()


def join(peer: FakePeer) -> JoinAck:
    """Join the room of the test; what it is like."""
    peer.say("join-room", {"room": "Salon", "create": True}, id_=1)
    (ack,) = (message for message in peer.take() if isinstance(message, Answer))
    return msgspec.convert(ack.data, JoinAck)


@pytest.fixture
def duo(manual: ManualHub) -> tuple[FakePeer, FakePeer]:
    """The owner of a room, and a guest."""
    owner, guest = (manual.connect(encoding) for encoding in Encoding)
    for peer in (owner, guest):
        join(peer)
    owner.take()
    return owner, guest


def heard(peer: FakePeer) -> Metronome | None:
    """The metronome in the one message that `peer` has got."""
    (state,) = peer.take()
    assert isinstance(state, MetronomeState)
    return state.metronome


def refusals(peer: FakePeer) -> list[tuple[str, str | None]]:
    return [(error.code, error.field) for error in peer.take() if isinstance(error, Error)]


def test_metronome_starts_in_time_for_everybody(manual: ManualHub, duo: tuple[FakePeer, FakePeer]) -> None:
    owner, guest = duo
    before_us = server_us()
    owner.say("metronome", {"running": True, "bpm": 96, "beats": 3})
    metronome = heard(guest)
    assert metronome is not None
    assert metronome == heard(owner) == join(manual.connect()).room.metronome
    assert metronome == Metronome(96.0, 3, 4, metronome.start_us)
    assert before_us + 500_000 <= metronome.start_us <= server_us() + 500_000


def test_metronome_of_a_slow_room_starts_when_the_slow_have_heard_of_it(duo: tuple[FakePeer, FakePeer]) -> None:
    owner, guest = duo
    owner.say("room-update", {"settings": {"playout_ms": 900}})
    guest.take()
    before_us = server_us()
    owner.say("metronome", {"running": True})
    metronome = heard(guest)
    assert metronome is not None
    assert metronome.start_us >= before_us + 900_000


def test_metronome_keeps_what_an_update_leaves_out(duo: tuple[FakePeer, FakePeer]) -> None:
    owner, guest = duo
    owner.say("metronome", {"running": True, "bpm": 96, "beats": 3, "unit": 8})
    first = heard(guest)
    owner.say("metronome", {"running": True, "bpm": 100})
    second = heard(guest)
    assert first is not None
    assert second is not None
    assert (second.bpm, second.beats, second.unit) == (100.0, 3, 8)
    assert second.start_us >= first.start_us


def test_metronome_tells_of_changes_only(manual: ManualHub, duo: tuple[FakePeer, FakePeer]) -> None:
    owner, guest = duo
    owner.say("metronome", {"running": False})
    assert guest.take() == []
    version = manual.hub.registry.version
    owner.say("metronome", {"running": True})
    assert heard(guest) is not None
    assert manual.hub.registry.version > version
    owner.say("metronome", {"running": True, "bpm": 120})
    assert guest.take() == []
    owner.say("metronome", {"running": False})
    assert heard(guest) is None
    assert join(manual.connect()).room.metronome is None


def test_metronome_goes_on_without_the_owner_who_started_it(manual: ManualHub, duo: tuple[FakePeer, FakePeer]) -> None:
    owner, guest = duo
    owner.say("metronome", {"running": True})
    metronome = heard(guest)
    owner.say("leave-room", {})
    assert join(manual.connect()).room.metronome == metronome is not None


def test_metronome_is_for_owner_and_moderators(duo: tuple[FakePeer, FakePeer]) -> None:
    owner, guest = duo
    guest.say("metronome", {"running": True})
    assert refusals(guest) == [("not-owner", None)]
    assert owner.take() == []
    guest.session.player.roles = frozenset({"moderator"})
    guest.say("metronome", {"running": True})
    assert heard(owner) is not None


def test_metronome_outside_of_a_room_is_refused(manual: ManualHub) -> None:
    peer = manual.connect()
    peer.say("metronome", {"running": True})
    assert refusals(peer) == [("not-in-room", None)]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("running", None), ("running", 1), ("bpm", 19.9), ("bpm", 400.1), ("bpm", float("nan")), ("bpm", "120"),
        ("beats", 0), ("beats", 33), ("beats", 3.5), ("unit", 3), ("unit", 64), ("unit", None),
    ],
)  # fmt: skip
def test_metronome_with_a_bad_field_names_it(duo: tuple[FakePeer, FakePeer], field: str, value: object) -> None:
    owner, guest = duo
    owner.say("metronome", {"running": True, field: value})
    assert refusals(owner) == [("invalid-field", field)]
    assert guest.take() == []


class Listener(NamedTuple):
    """What a client knows of the server's clock, with a clock of its own that is `ahead_us` of the common one."""

    estimate: ClockEstimate
    ahead_us: int

    def beats_us(self, metronome: Metronome) -> list[float]:
        """When it hears `BEATS`, on the clock that is common to all."""
        beat_us = MINUTE_US / metronome.bpm
        return [self.estimate.local_us(metronome.start_us + number * beat_us) - self.ahead_us for number in BEATS]


async def learn_clock(client: Client, ahead_us: int) -> Listener:
    """Exchange clocks as a client that knows nothing but its own."""
    estimator = ClockEstimator()
    for number in range(EXCHANGES):
        sent_us = time.monotonic_ns() // 1_000 + ahead_us
        reply = await client.clock(number)
        arrived_us = time.monotonic_ns() // 1_000 + ahead_us
        estimate = estimator.add(ClockExchange(sent_us, reply.received_us, reply.sent_us, arrived_us))
    return Listener(estimate, ahead_us)


def disagreement_us(beats: Sequence[Sequence[float]]) -> float:
    """How far apart in the median the clients hear one beat."""
    moments = ([client[number] for client in beats] for number in range(len(BEATS)))
    return median([max(moment) - min(moment) for moment in moments])


async def test_clients_of_one_room_hear_the_same_beats(spawn: Spawn, connect: Connect) -> None:
    server = await spawn()
    clients = [await connect(server, kind) for kind in (SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON, SUBPROTOCOL_BINARY)]
    owner, guest, late = clients
    for client in (owner, guest):
        await client.join("Salon")
    await owner.ask("metronome", {"running": True, "bpm": 133.3})
    metronomes = [
        (await owner.expect(MetronomeState)).metronome,
        (await guest.expect(MetronomeState)).metronome,
        (await late.join("Salon")).room.metronome,
    ]
    listeners = [
        await learn_clock(client, ahead) for client, ahead in zip(clients, (0, 77_000_001, -9_999), strict=True)
    ]
    beats = [
        listener.beats_us(metronome)
        for listener, metronome in zip(listeners, metronomes, strict=True)
        if metronome is not None
    ]
    assert len(beats) == len(clients)
    errors_us = sorted(listener.estimate.round_trip_us / 2 for listener in listeners)
    assert disagreement_us(beats) <= errors_us[-1] + errors_us[-2] + len(clients)  # times are whole microseconds
