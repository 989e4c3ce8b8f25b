"""What a burst took of the system's memory is given back when it is over."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from typing import Final

from rhythmd.interpreter import GROWTH, Housekeeper

HASHING: Final = """
import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from argon2 import PasswordHasher

from rhythmd.interpreter import Housekeeper, own_bytes, tune

HASHES, THREADS = 3, 2


async def main():
    tune()
    keeper = Housekeeper(lambda: 0.0, lambda: 0)
    await keeper.look()
    before, together = own_bytes(), Barrier(THREADS)
    hasher = PasswordHasher(time_cost=1, memory_cost=16_384, parallelism=1)

    def work(_):
        for _ in range(HASHES):
            together.wait()
            hasher.hash("correct horse")

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))
        await keeper.look()
        print(own_bytes() - before)


asyncio.run(main())
"""
"""A process of its own: what is asked of the allocator holds for all of it."""


async def test_memory_of_hashed_passwords_comes_back_though_the_threads_stay() -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", HASHING, stdout=PIPE)
    output, _ = await process.communicate()
    assert int(output) < GROWTH


async def test_memory_is_given_back_once_and_not_in_the_middle_of_music() -> None:
    busy = 0.0
    keeper = Housekeeper(lambda: busy, lambda: 0)
    assert not await keeper.look()  # it learns how small the process is
    burst = [bytes(2_000) for _ in range(3 * GROWTH // 2_000)]
    pins = burst[::50]  # in every few pages something is left
    del burst
    busy = 1.0
    assert not await keeper.look()
    busy = 0.0
    assert await keeper.look()
    assert not await keeper.look()
    del pins
