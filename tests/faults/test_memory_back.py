"""What a burst took of the system's memory is given back when it is over."""

import asyncio
from pathlib import Path
from typing import Final

from rhythmd.interpreter import GROWTH, Housekeeper
from tests.deadline import POLL_S
from tests.rest.api import UNLIMITED, open_api
from tests.server import ServerProcess, Spawn

PATIENCE_S: Final = 60


def own_bytes(server: ServerProcess) -> int:
    """Its resident memory without pages of files."""
    _, resident, of_files, *_ = Path(f"/proc/{server.pid}/statm").read_text().split()
    return (int(resident) - int(of_files)) * 4096


async def until_at_most(server: ServerProcess, size: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while own_bytes(server) > size:  # noqa: ASYNC110 - what is waited for is no event of this process
            await asyncio.sleep(POLL_S)


async def test_memory_of_a_hashed_password_comes_back(spawn: Spawn) -> None:
    server = await spawn(*UNLIMITED)
    before = own_bytes(server)
    async with open_api(server) as api:
        await api.call("POST", "/auth/register", {"usertag": "clara", "password": "correct horse"})
    assert own_bytes(server) > before + GROWTH
    await until_at_most(server, before + GROWTH)


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
