"""The threads that all networks share: one that has much to be done keeps no other one waiting."""

import asyncio
import threading

import pytest

from rhythmd.fairness.threads import FairThreads
from tests.deadline import until
from tests.fairness.payers import new_account, paid_by


async def test_work_of_another_network_does_not_wait_for_all_of_a_crowd() -> None:
    threads, gate, done = FairThreads(), threading.Event(), list[str]()
    asyncio.get_running_loop().set_default_executor(threads)

    def work(name: str) -> None:
        gate.wait(20)
        done.append(name)

    crowd = new_account()
    tasks = [paid_by(crowd, asyncio.to_thread(work, "crowd")) for _ in range(100)]
    await asyncio.sleep(0)
    tasks.append(paid_by(new_account(), asyncio.to_thread(work, "other")))
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*tasks)
    assert done.index("other") <= threads._max_workers + 1


async def test_work_that_fails_or_is_called_off_leaves_the_thread_to_others() -> None:
    threads, gate = FairThreads(), threading.Event()
    asyncio.get_running_loop().set_default_executor(threads)

    def fail() -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        await asyncio.to_thread(fail)
    many = [asyncio.create_task(asyncio.to_thread(gate.wait, 20)) for _ in range(100)]
    await asyncio.sleep(0)
    for task in many[50:]:
        task.cancel()
    gate.set()
    await until(lambda: all(task.done() for task in many), "all are done or called off")
    assert await asyncio.to_thread(lambda: 7) == 7
