"""What it costs that the server itself plays in many rooms at once, and whether its notes come in time."""

import argparse
import asyncio
from asyncio import TaskGroup
from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Final, NamedTuple

import numpy as np
import uvloop
from numpy.typing import NDArray

from bench.library import DENSE, PIECE
from bench.load.client import Client
from bench.load.frames import whole_frames
from bench.options import Cores, add_duration, add_settings, conditions
from bench.report import Report, Table, Target
from bench.servers import LIBRARY, Running, running
from bench.system import cpu_seconds
from rhythm_protocol.binary import OP_MIDI, decode_midi_blocks
from rhythm_protocol.clock import unwrap_ms
from rhythm_protocol.messages import RoomSettings
from rhythm_protocol.websocket import BINARY
from rhythmd.client.codec import encode_binary

__all__ = ["HELP", "add_arguments", "run"]

HELP: Final = "the server plays sheets in ten rooms at once: its CPU, and how far ahead of their time notes come"
_SPARE: Final = 100
_MOST_CORE: Final = 0.1
_WORST: Final = 0.01
_SILENCE: Final = ""

_PHASES: Final = {
    _SILENCE: "nothing is played",
    PIECE: "a concertino in each room",
    DENSE: "1,000 events a second in each",
}


class _Found(NamedTuple):
    """What one phase measured.

    Attributes:
        core: the server's CPU, as a share of one core.
        leads_ms: how long before its time each event was there; deliveries of the window.
    """

    core: float
    window_s: float
    leads_ms: NDArray[np.float64]

    @property
    def worst_ms(self) -> float:
        """What all but one event in a hundred keep."""
        return float(np.quantile(self.leads_ms, _WORST)) if self.leads_ms.size else float("-inf")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rooms", type=int, default=10, help="rooms with a sheet (%(default)s)")
    parser.add_argument("--members", type=int, default=8, help="members of each, all of whom listen (%(default)s)")
    add_duration(parser, seconds=10.0)
    add_settings(parser)


async def _fill(server: Running, name: str, members: int) -> tuple[list[Client], float]:
    """A room's members, the first its owner, and by how much the server's clock is ahead of ours, in seconds."""
    clients = [await Client.connect_rhythmd(server.host, server.port) for _ in range(members)]
    ahead = max([await client.server_clock_ahead() for client in clients])  # of the welcome that came fastest
    for client in clients:
        await client.join(name, RoomSettings(max_players=members))
    return clients, ahead


async def _play(server: Running, pid: int, sheet: str, arguments: argparse.Namespace) -> _Found:
    names = [f"bench-{sheet}-{number}" for number in range(arguments.rooms)]
    async with TaskGroup() as tasks:
        filling = [tasks.create_task(_fill(server, name, arguments.members)) for name in names]
    rooms = [task.result() for task in filling]
    if sheet != _SILENCE:
        for (owner, *_), _ in rooms:
            owner.send(encode_binary("sheet-play", {"sheet": sheet}, 2))
    await asyncio.sleep(arguments.warmup)
    began, cpu = monotonic(), cpu_seconds(pid)
    await asyncio.sleep(arguments.seconds)
    ended, cpu = monotonic(), cpu_seconds(pid) - cpu
    leads = [lead for clients, ahead in rooms for client in clients for lead in _leads_ms(client, ahead, began, ended)]
    for clients, _ in rooms:
        for client in clients:
            client.close()
    return _Found(cpu / (ended - began), ended - began, np.array(leads))


def _leads_ms(client: Client, ahead: float, began: float, ended: float) -> Iterator[float]:
    """How long before its time each event of the window came."""
    for at, data in client.reads:
        if not began <= at < ended:
            continue
        now_ms = (at + ahead) * 1e3
        for opcode, start, stop in whole_frames(data):
            if opcode != BINARY or data[start] != OP_MIDI:
                continue
            for block in decode_midi_blocks(data[start:stop]):
                base_ms = unwrap_ms(block.base_ms, int(now_ms))
                yield from (base_ms + event.offset_ms - now_ms for event in block.events)


async def _measure(server: Running, pid: int, arguments: argparse.Namespace) -> dict[str, _Found]:
    return {sheet: await _play(server, pid, sheet, arguments) for sheet in _PHASES}


def _row(name: str, found: _Found) -> list[str]:
    deliveries = found.leads_ms.size / found.window_s
    row = [name, f"{found.core:.1%}", f"{deliveries:,.0f}"]
    if not found.leads_ms.size:
        return [*row, "", "", ""]
    p50 = float(np.quantile(found.leads_ms, 0.5))
    return [*row, f"{found.core / deliveries * 1e6:.1f}", f"{p50:.1f}", f"{found.worst_ms:.1f}"]


def _targets(found: dict[str, _Found], rooms: int) -> Sequence[Target]:
    piece, silence = found[PIECE], found[_SILENCE]
    cost = piece.core - silence.core
    worst = min(found[PIECE].worst_ms, found[DENSE].worst_ms)
    bound = f"under {_MOST_CORE:.0%} of a core"
    return [
        Target(f"a piece in {rooms} rooms: CPU", bound, f"{cost:.1%}", cost < _MOST_CORE),
        Target("99 events in 100", "there before their time", f"{worst:.1f} ms before", worst > 0),
    ]


def run(arguments: argparse.Namespace) -> Report:
    cores = Cores.of(arguments)
    connections = arguments.rooms * arguments.members + _SPARE
    with running(LIBRARY, [f"limits.connections={connections}", *arguments.settings], cores.server) as server:
        assert server.pid is not None
        found = uvloop.run(_measure(server, server.pid, arguments))
    columns = ["", "server CPU", "deliveries/s", "us each", "ahead p50, ms", "ahead p1, ms"]
    return Report(
        command="performance",
        title=f"The server plays in {arguments.rooms} rooms of {arguments.members} listeners at once",
        conditions=conditions(cores, seconds=arguments.seconds),
        tables=[Table("Sheets", columns, [_row(name, found[sheet]) for sheet, name in _PHASES.items()])],
        targets=[*_targets(found, arguments.rooms)],
        remarks=[
            "CPU is the server's user and system time over the window, as a share of one core. A delivery is one event "
            "at one listener. The concertino has 29 events a second.",
            "Ahead is how long before its time, on the server's clock, an event was at a listener; one in a hundred "
            "had less than p1. A listener sounds it at its time plus the room's playout delay.",
        ],
    )
