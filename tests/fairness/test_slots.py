"""Places that all networks share: one network that wants all of them keeps no other one out."""

import asyncio
from functools import partial

import pytest

from rhythmd.fairness.slots import Crowded, FairQueue, FairSlots, paying_network
from tests.fairness.payers import new_account, paid_by


def test_networks_take_turns_and_keep_their_own_order() -> None:
    queue: FairQueue[str] = FairQueue(10)
    for network, item in (("a", "a1"), ("a", "a2"), ("a", "a3"), ("b", "b1"), (None, "n1"), ("b", "b2")):
        assert queue.put(network, item) is None
    assert [queue.take() for _ in range(len(queue))] == ["a1", "b1", "n1", "a2", "b2", "a3"]


def test_newest_of_the_network_with_the_most_gives_way() -> None:
    queue: FairQueue[str] = FairQueue(3)
    for number in range(3):
        queue.put("many", f"m{number}")
    assert queue.put("few", "f0") == "m2"
    assert queue.put("many", "m3") == "m3"
    assert queue.put("few", "f1") == "f1", "two of each would be no less than the other one has"
    assert [queue.take() for _ in range(len(queue))] == ["m0", "f0", "m1"]


def test_queue_of_nothing_takes_nothing() -> None:
    queue: FairQueue[str] = FairQueue(0)
    assert queue.put("a", "a1") == "a1"
    assert len(queue) == 0


def test_item_that_is_discarded_is_not_taken() -> None:
    queue: FairQueue[str] = FairQueue(3)
    queue.put("a", "a1")
    queue.put("b", "b1")
    queue.discard("a", "a1")
    queue.discard("a", "a1")
    assert [queue.take() for _ in range(len(queue))] == ["b1"]


async def test_other_network_is_let_in_before_a_crowd_that_waits() -> None:
    slots, crowd, other = FairSlots(1, 4), new_account(), new_account()
    entered: list[str] = []

    async def enter(name: str) -> None:
        async with slots.slot():
            entered.append(name)
            await asyncio.sleep(0)

    tasks = [paid_by(crowd, enter(f"crowd {number}")) for number in range(8)]
    await asyncio.sleep(0)
    tasks.append(paid_by(other, enter("other")))
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert entered == ["crowd 0", "crowd 1", "crowd 2", "other", "crowd 3", "crowd 4"]
    assert [isinstance(outcome, Crowded) for outcome in outcomes] == [False] * 5 + [True] * 3 + [False]
    assert (slots.taken, slots.waiting) == (0, 0)


async def test_who_gives_up_gives_the_slot_to_the_next() -> None:
    slots = FairSlots(1, 4)
    await slots.acquire()
    first, second, third = (asyncio.create_task(slots.acquire()) for _ in range(3))
    await asyncio.sleep(0)
    first.cancel()
    slots.release()
    second.cancel()  # has been called, and does not know it yet
    await third
    assert (slots.taken, slots.waiting) == (1, 0)
    slots.release()
    assert slots.taken == 0
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_work_has_its_slot_until_it_is_done_whatever_becomes_of_its_caller() -> None:
    slots, done = FairSlots(1, 4), asyncio.Event()
    begun: list[str] = []

    async def work(name: str) -> str:
        begun.append(name)
        await done.wait()
        return name

    first, second, third = (asyncio.create_task(slots.run(partial(work, name))) for name in ("one", "two", "three"))
    await asyncio.sleep(0.01)
    first.cancel()  # has begun
    second.cancel()  # waits
    await asyncio.gather(first, second, return_exceptions=True)
    assert (begun, slots.taken) == (["one"], 1)
    done.set()
    assert await third == "three"
    assert begun == ["one", "three"]
    assert (slots.taken, slots.waiting) == (0, 0)


async def test_work_begins_though_its_caller_has_no_turn() -> None:
    """A caller is charged, and may wait for long; its slot is everybody's."""
    slots, begun = FairSlots(1, 4), asyncio.Event()
    await slots.acquire()

    async def work() -> None:
        begun.set()

    caller = slots.run(work)
    caller.send(None)  # it waits, and nobody goes on with it
    await asyncio.sleep(0)
    slots.release()
    await begun.wait()
    caller.close()
    await asyncio.sleep(0)
    assert slots.taken == 0


async def test_failure_of_work_is_its_callers() -> None:
    async def fail() -> None:
        raise ValueError("no")

    slots = FairSlots(1, 4)
    with pytest.raises(ValueError, match="no"):
        await slots.run(fail)
    assert slots.taken == 0


async def test_work_of_the_server_itself_is_of_no_network() -> None:
    seen: list[object] = []

    async def look() -> None:
        seen.append(paying_network())

    payer = new_account()
    await paid_by(payer, look())
    await look()
    assert seen == [payer.network, None]
