"""The sheets that the server plays have somebody who pays for them, and no number of them holds up the loop."""

from collections.abc import Iterator
from time import monotonic, sleep
from typing import Final

import pytest

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import Error
from rhythmd.config import LimitsConfig
from rhythmd.fairness.account import Account, NetworkAccount, Prices
from rhythmd.hub.rooms import performance
from rhythmd.hub.rooms.performance import TICK_S
from tests.client import Music
from tests.hub.manual import FakePeer, ManualHub
from tests.hub.sheets import FakeLibrary, scale

SHEET: Final = scale("scale", notes=2_000, step_ms=5)
PATIENCE_S: Final = 10.0


class Spent(Account):
    """Is over its share, whatever it pays."""

    __slots__ = ()

    def may_go_on(self, now: float) -> bool:
        return False


@pytest.fixture
def manual(request: pytest.FixtureRequest) -> Iterator[ManualHub]:
    hub = ManualHub("hub.flush_max_ms=0", *getattr(request, "param", ()), sheets=FakeLibrary(SHEET))
    yield hub
    hub.close()


def account(kind: type[Account] = Account) -> Account:
    return kind(Prices(LimitsConfig()), NetworkAccount())


def enter(manual: ManualHub, room: str, payer: Account | None = None) -> FakePeer:
    """A client in a room of their own, or in one that is there."""
    peer = manual.connect()
    if payer is not None:
        peer.account = payer
    peer.say("join-room", {"room": room, "create": True})
    return peer


def conduct(manual: ManualHub, room: str, payer: Account | None = None) -> FakePeer:
    """A client who lets the sheet be played in a room of their own."""
    peer = enter(manual, room, payer)
    peer.say("sheet-play", {"sheet": SHEET.sheet_id}, 1)
    peer.take()
    return peer


def refusals(manual: ManualHub, peer: FakePeer) -> list[str]:
    """How the server refuses to play the sheet in this client's room."""
    peer.take()
    peer.say("sheet-play", {"sheet": SHEET.sheet_id})
    manual.settle()
    return [message.code for message in peer.take() if isinstance(message, Error)]


def hear(manual: ManualHub, peer: FakePeer) -> None:
    """Let the server go on until this client hears more of the sheet."""
    peer.take()
    end = monotonic() + PATIENCE_S
    while not any(isinstance(message, Music) for message in peer.heard):
        assert monotonic() < end, "nothing is played"
        sleep(TICK_S / 10)
        manual.tick()


@pytest.mark.parametrize("manual", [("limits.performances=1",)], indirect=True)
def test_too_many_performances_are_refused(manual: ManualHub) -> None:
    first, second = conduct(manual, "Salon"), enter(manual, "Attic")
    assert ErrorCode.PERFORMANCE_LIMIT in refusals(manual, second)
    assert refusals(manual, first) == []  # in the place of the one that it has
    first.say("sheet-stop", {}, 2)
    assert refusals(manual, second) == []


def test_whoever_starts_a_sheet_pays_for_it_and_then_whoever_moves_it(manual: ManualHub) -> None:
    first, second = account(), account()
    clara = conduct(manual, "Salon", first)
    robert = enter(manual, "Salon", second)
    before, of_other = first.network.paid_at, second.network.paid_at
    hear(manual, robert)
    assert first.network.paid_at > before
    assert second.network.paid_at == of_other
    clara.say("transfer-owner", {"user": robert.session.player.id}, 2)
    robert.say("sheet-seek", {"position_ms": 1_000}, 3)
    before, first.network.paid_at = second.network.paid_at, 0.0
    hear(manual, robert)
    assert second.network.paid_at > before
    assert first.network.paid_at == 0.0


def test_sheet_of_somebody_over_their_share_goes_on_in_turns(manual: ManualHub) -> None:
    spent, other = conduct(manual, "Salon", account(Spent)), conduct(manual, "Attic")
    for _ in range(3):
        hear(manual, spent)
        hear(manual, other)


def test_others_have_their_turn_between_two_sheets(manual: ManualHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(performance, "ROUND_S", 0.0)
    peers = [conduct(manual, f"Attic {number}") for number in range(4)]
    performances = [peer.session.require_place().room.performance for peer in peers]
    for peer in peers:
        hear(manual, peer)
    sent, at_once, end = [played.sent for played in performances], list[int](), monotonic() + PATIENCE_S
    while sum(at_once) < 8 and monotonic() < end:
        sleep(TICK_S / 10)
        manual.tick()
        now = [played.sent for played in performances]
        at_once.append(sum(a != b for a, b in zip(sent, now, strict=True)))
        sent = now
    assert max(at_once) == 1
