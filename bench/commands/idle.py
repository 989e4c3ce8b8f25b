"""What a connection costs that only listens: resident memory of the server before and after many of them."""

import argparse
import asyncio
from asyncio import Semaphore, TaskGroup
from typing import Final

import uvloop
from tqdm import tqdm

from bench.load.client import Client
from bench.options import Cores, add_settings, conditions
from bench.report import Report, Table, Target
from bench.servers import RHYTHMD, Running, running
from bench.system import raise_open_files, resident_bytes

__all__ = ["HELP", "add_arguments", "run"]

HELP: Final = "resident memory of each idle connection"
_BOUND_KB: Final = 9.0
_FIRST: Final = 50  # connections that make the server load and allocate what every later one shares
_AT_ONCE: Final = 64
_SETTLE_S: Final = 2.0
_SPARE: Final = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--connections", type=int, default=5_000, help="connections to open (%(default)s)")
    add_settings(parser)


async def _connect(server: Running, count: int) -> list[Client]:
    """Open `count` connections and take each one's welcome, so that its session exists."""
    gate = Semaphore(_AT_ONCE)
    with tqdm(total=count, desc="connecting", unit="client", leave=False, disable=None) as progress:

        async def connect() -> Client:
            async with gate:
                client = await Client.connect_rhythmd(server.host, server.port)
                await client.server_clock_ahead()
                progress.update()
                return client

        async with TaskGroup() as tasks:
            connecting = [tasks.create_task(connect()) for _ in range(count)]
    return [task.result() for task in connecting]


async def _measure(server: Running, pid: int, count: int) -> tuple[int, int, int]:
    """Resident bytes before, with `count` idle connections, and how many of those are still open."""
    clients = await _connect(server, _FIRST)
    await asyncio.sleep(_SETTLE_S)
    before = resident_bytes(pid)
    clients += await _connect(server, count)
    await asyncio.sleep(_SETTLE_S)
    after = resident_bytes(pid)
    still_open = sum(not client.lost for client in clients) - _FIRST
    for client in clients:
        client.close()
    return before, after, still_open


def run(arguments: argparse.Namespace) -> Report:
    count = arguments.connections
    raise_open_files()
    settings = [f"limits.connections={count + _FIRST + _SPARE}", *arguments.settings]
    with running(RHYTHMD, settings) as server:
        assert server.pid is not None
        before, after, still_open = uvloop.run(_measure(server, server.pid, count))
    each_kb = (after - before) / count / 1e3
    sizes = [f"{before / 1e6:.1f} MB", f"{after / 1e6:.1f} MB", f"{each_kb:.2f} KB"]
    return Report(
        command="idle",
        title=f"Memory of {count:,} idle connections: {each_kb:.2f} KB each",
        conditions=conditions(Cores(None, None)),
        tables=[Table("Resident memory", ["before", f"with {count:,} more", "each"], [sizes])],
        targets=[
            Target("an idle connection", f"at most {_BOUND_KB:g} KB", f"{each_kb:.2f} KB", each_kb <= _BOUND_KB),
            Target("connections still open", f"{count:,}", f"{still_open:,}", still_open == count),
        ],
        remarks=[
            "Resident memory is VmRSS of the server's process, in KB of 1,000 bytes. Each connection has finished its "
            f"handshake and has its session and welcome. {_FIRST} connections came before the first reading.",
        ],
    )
