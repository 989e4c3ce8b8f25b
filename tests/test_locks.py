"""Locks by what they guard."""

import asyncio
import gc

from rhythmd.locks import KeyedLocks


async def test_only_the_same_key_is_waited_for() -> None:
    locks = KeyedLocks()
    order: list[str] = []

    async def second() -> None:
        async with locks.of("a"):
            order.append("second")

    async with locks.of("a"):
        waiting = asyncio.create_task(second())
        async with locks.of("b"):
            order.append("another")
        await asyncio.sleep(0)
        order.append("first")
    await waiting
    assert order == ["another", "first", "second"]


async def test_locks_that_nobody_holds_are_gone() -> None:
    locks = KeyedLocks()
    for number in range(100):
        async with locks.of(number):
            pass
    gc.collect()
    assert len(locks) == 0
