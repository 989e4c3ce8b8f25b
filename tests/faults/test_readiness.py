"""A server whose disk takes nothing more: players hear on, and the balancer sends no new ones."""

import asyncio
import resource

import aiohttp

from tests.client import Connect, note_on
from tests.deadline import within
from tests.raw import open_raw
from tests.server import ServerProcess, Spawn

POLL_S = 0.1


async def until_ready_says(server: ServerProcess, status: int, word: str) -> None:
    async def says() -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                async with session.get(f"{server.url}/health/ready") as answer:
                    if (answer.status, (await answer.json())["status"]) == (status, word):
                        return
                await asyncio.sleep(POLL_S)

    await within(says())


def let_files_grow(server: ServerProcess, *, may: bool) -> None:
    """A limit of the kernel's stands for a full disk: what would make a file longer, or write to it, fails."""
    _, hard = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (hard if may else 0, hard))


async def test_ready_is_not_said_while_nothing_can_be_written(spawn: Spawn, connect: Connect) -> None:
    server = await spawn()
    first, second = await connect(server), await connect(server)
    for client in (first, second):
        await client.join("lobby")
    await until_ready_says(server, 200, "ready")
    let_files_grow(server, may=False)
    await until_ready_says(server, 503, "store-not-writable")
    await first.play([note_on()])
    assert await second.events(1) == [(first.slot, note_on())]
    async with open_raw(server.port) as raw:
        raw.write(b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await raw.response()).status == 200
    let_files_grow(server, may=True)
    await until_ready_says(server, 200, "ready")
