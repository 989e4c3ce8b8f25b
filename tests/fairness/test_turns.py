"""Accounts and turns: who goes on at once, who waits, and in which order; with times that the test chooses."""

import asyncio
from collections.abc import Iterator
from time import monotonic

import pytest

from rhythmd.config import LimitsConfig
from rhythmd.fairness.account import UNCHARGED, Account, NetworkAccount, Prices
from rhythmd.fairness.metering import metered
from rhythmd.fairness.turns import ROUND_S, Turns
from rhythmd.telemetry import Stats
from tests.conftest import ErrorLog
from tests.fairness.payers import new_account, new_turns, paid_by

NOW = 1_000.0
LIMITS = LimitsConfig(frames_per_s=100, bytes_per_s=1_000_000, input_burst_s=2.0, client_share=5, network_share=25)


def account(network: NetworkAccount | None = None) -> Account:
    return Account(Prices(LIMITS), network or NetworkAccount())


def test_one_who_spends_little_goes_on() -> None:
    one = account()
    for tick in range(1_000):
        now = NOW + tick / 10
        assert one.may_go_on(now)
        one.frames = 1
        one.charge(now, now + 0.0005, 100)


def test_one_that_was_costly_is_looked_at_and_charged_as_what_it_is() -> None:
    """It is one frame, however it is counted."""
    one, other = account(), account()
    for payer in (one, other):
        payer.frames = 1
    one.was_costly()
    one.was_costly()
    assert one.frames >= UNCHARGED
    for payer in (one, other):
        payer.charge_time_of_frames(NOW)
        assert payer.frames == 1
        payer.charge(NOW, NOW + 0.001, 100)
    assert one.network.paid_at == other.network.paid_at
    assert one.input_wait_s(NOW - 100) == pytest.approx(other.input_wait_s(NOW - 100))
    one.was_costly()
    one.charge_input(NOW, 0)
    assert one.input_wait_s(NOW - 100) == pytest.approx(other.input_wait_s(NOW - 100))


def test_one_long_message_has_to_be_paid_off() -> None:
    one = account()
    one.charge(NOW, NOW + 0.05, 100)
    assert one.reason(NOW + 0.05) == "client"
    assert not one.may_go_on(NOW + 0.5)
    assert one.may_go_on(NOW + 1.0)


@pytest.mark.parametrize(("size", "waits"), [(100, False), (10_000, False), (4_000_000, True)])
def test_long_answer_is_paid_by_its_client_and_network(size: int, *, waits: bool) -> None:
    network = NetworkAccount()
    client, other = new_account(network), new_account(network)
    client.charge_answer(10.0, size)
    assert client.may_go_on(10.0) is not waits
    assert other.may_go_on(10.0) is not waits
    assert new_account().may_go_on(10.0)


def test_connections_of_a_network_pay_for_each_other_and_for_nobody_else() -> None:
    network = NetworkAccount()
    for _ in range(10):
        account(network).charge(NOW, NOW + 0.004, 0)
    assert account(network).reason(NOW) == "network"
    assert not account(network).may_go_on(NOW)
    assert account().may_go_on(NOW)


def test_share_of_networks_that_wait_is_shared_among_them() -> None:
    prices, alone, one_of_five = Prices(LIMITS), NetworkAccount(), NetworkAccount()
    Account(prices, alone).charge_work(NOW, NOW + 0.01)
    prices.share_among(4)
    Account(prices, one_of_five).charge_work(NOW, NOW + 0.01)
    assert one_of_five.paid_at - NOW == pytest.approx(5 * (alone.paid_at - NOW))


def test_frames_over_the_rate_wait_for_as_long_as_they_cost() -> None:
    one = account()
    one.frames = 200
    one.charge_input(NOW, 0)
    assert one.input_wait_s(NOW) == 0
    one.frames = 100
    one.charge_input(NOW, 0)
    assert one.input_wait_s(NOW) == pytest.approx(1.0)
    assert one.reason(NOW) == "input"
    assert one.input_wait_s(NOW + 1.0) == pytest.approx(0)


def test_flood_is_forgotten_when_it_is_paid_off() -> None:
    one = account()
    one.frames = 300
    one.charge_input(NOW, 0)
    one.flooding_since = NOW
    assert one.is_flooding(NOW + 11)
    one.frames = 1
    one.charge_input(NOW + 11, 0)
    assert not one.is_flooding(NOW + 11)


def test_network_that_floods_again_and_again_is_kept_out_for_a_while() -> None:
    network = NetworkAccount()
    for _ in range(4):
        network.flooded(NOW, 60, 5)
    assert network.kept_out_s(NOW, 60, 5) == 0
    network.flooded(NOW, 60, 5)
    assert network.kept_out_s(NOW, 60, 5) == 12
    assert network.kept_out_s(NOW + 12, 60, 5) == 0


class Worker:
    """Has so many turns to do; writes each down."""

    def __init__(self, name: str, turns: int, network: NetworkAccount, done: list[str]) -> None:
        self.account = account(network)
        self._name = name
        self._left = turns
        self._done = done

    def take_turn(self) -> bool:
        self._done.append(self._name)
        self._left -= 1
        if self._left < 0:
            raise RuntimeError(self._name)
        return self._left > 0

    def abort(self) -> None:
        self._done.append(f"{self._name} is given up")


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def test_networks_take_turns_however_many_connections_they_have(loop: asyncio.AbstractEventLoop) -> None:
    turns, done = Turns(loop, LIMITS, Stats()), list[str]()
    crowd, single = NetworkAccount(), NetworkAccount()
    for number in range(3):
        turns.wait(Worker(f"crowd {number}", 2, crowd, done))
    turns.wait(Worker("single", 2, single, done))
    while len(done) < 8:
        loop.call_soon(loop.stop)
        loop.run_forever()
    assert done == ["crowd 0", "single", "crowd 1", "single", "crowd 2", "crowd 0", "crowd 1", "crowd 2"]


class Teller(Worker):
    """Each of its turns writes to many."""

    def take_turn(self) -> bool:
        self.account.charge_sends(monotonic(), 1_000)
        return super().take_turn()


def test_round_ends_earlier_for_what_is_still_to_be_sent(loop: asyncio.AbstractEventLoop) -> None:
    turns, done = Turns(loop, LIMITS, Stats()), list[str]()
    for number in range(5):
        turns.wait(Teller(f"teller {number}", 1, NetworkAccount(), done))
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert done == ["teller 0"]


def test_wait_is_counted_if_it_can_be_felt(loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    now, stats, done = NOW, Stats(), list[str]()
    monkeypatch.setattr("rhythmd.fairness.turns.monotonic", lambda: now)
    turns, network = Turns(loop, LIMITS, stats), NetworkAccount()
    network.paid_at = NOW + 1.0
    for wait_s in (0.04, 0.06):
        turns.wait(Worker("one", 1, network, done))
        now += wait_s
        loop.call_soon(loop.stop)
        loop.run_forever()
    assert done == ["one", "one"]
    assert stats.slowed["network"] == 1


def test_turn_that_fails_ends_no_other(loop: asyncio.AbstractEventLoop, errors_logged: ErrorLog) -> None:
    turns, done, network = Turns(loop, LIMITS, Stats()), list[str](), NetworkAccount()
    for name, number in (("broken", 0), ("whole", 2)):
        turns.wait(Worker(name, number, network, done))
    while len(done) < 4:
        loop.call_soon(loop.stop)
        loop.run_forever()
    assert done == ["broken", "broken is given up", "whole", "whole"]
    assert len(errors_logged.texts()) == 1
    errors_logged.records.clear()


def test_task_that_is_called_off_does_not_stop_the_turns(loop: asyncio.AbstractEventLoop) -> None:
    turns = Turns(loop, LIMITS, Stats())

    async def run() -> None:
        over = account()
        over.charge(monotonic(), monotonic() + 60, 0)
        first, second = (asyncio.ensure_future(turns.turn(over)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await second
        assert first.cancelled()

    loop.run_until_complete(run())


def test_fewer_tasks_are_called_at_a_time_while_they_are_long(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, called, took_s = NOW, list[int](), 0.0
    monkeypatch.setattr("rhythmd.fairness.turns.monotonic", lambda: now)
    turns, over = Turns(loop, LIMITS, Stats()), account()
    over.charge(NOW, NOW + 600, 0)

    async def work() -> None:
        nonlocal now
        await turns.turn(over)
        called[-1] += 1
        now += took_s

    def rounds(tasks: int) -> list[int]:
        called.clear()
        waiting = [loop.create_task(work()) for _ in range(tasks)]
        while not all(task.done() for task in waiting):
            called.append(0)
            loop.call_soon(loop.stop)
            loop.run_forever()
        return [number for number in called if number]

    assert rounds(14) == [1, 2, 3, 4, 4]
    took_s = 2 * ROUND_S
    assert rounds(6) == [4, 1, 1]
    took_s = 0.0
    assert rounds(3) == [1, 2]


class CountingMeter:
    account = None

    def __init__(self) -> None:
        self.pieces = 0
        self.is_running = False

    def start(self) -> None:
        assert not self.is_running
        self.is_running = True

    def stop(self) -> None:
        self.is_running = False
        self.pieces += 1


async def test_meter_runs_while_the_work_does() -> None:
    meter = CountingMeter()

    async def work() -> int:
        assert meter.is_running
        await asyncio.sleep(0)
        assert meter.is_running
        await asyncio.sleep(0)
        return 7

    assert await metered(work(), meter, new_turns()) == 7
    assert (meter.pieces, meter.is_running) == (3, False)


async def test_metered_work_can_be_cancelled_and_cleans_up() -> None:
    meter, cleaned = CountingMeter(), list[bool]()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            cleaned.append(meter.is_running)

    async def run() -> None:
        await metered(work(), meter, new_turns())

    task = asyncio.create_task(run())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cleaned == [True]
    assert not meter.is_running


async def test_work_over_its_share_waits_for_a_turn_before_each_piece() -> None:
    """Answers that come at once do not let a crowd's work go on at once."""
    crowd, pieces, turns = NetworkAccount(), list[str](), new_turns()

    async def work(name: str) -> None:
        for _ in range(3):
            pieces.append(name)
            await asyncio.sleep(0)

    over = new_account(crowd)
    over.charge_work(monotonic(), monotonic() + 60)
    tasks = [paid_by(over, work("crowd"), turns) for _ in range(50)]
    tasks.append(paid_by(new_account(), work("single"), turns))
    await tasks[-1]
    assert len(pieces) < 30
    await asyncio.gather(*tasks)
    assert pieces.count("crowd") == 150
