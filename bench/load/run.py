"""A run of the load: connect, join, play, drain."""

import asyncio
import gc
import time
from asyncio import Semaphore, Task, TaskGroup
from collections.abc import Callable
from operator import itemgetter
from time import monotonic
from typing import Final

import numpy as np
from msgspec import Struct
from tqdm import tqdm

from bench.load.client import Client
from bench.load.sender import Sender
from bench.load.spec import Dialect, LoadSpec, RoomLoad
from bench.load.timetable import Timetable, frames_of, timetable_of
from bench.system import cpu_seconds, machine_cpu_seconds
from rhythm_protocol.messages import RoomSettings

__all__ = ["PlayedRoom", "Recording", "play"]

_CONNECTING_AT_ONCE: Final = 64
_LEAD_S: Final = 0.5
_QUIET_S: Final = 1.0
_DRAIN_S: Final = 20.0
_REFRESH_S: Final = 0.25


class PlayedRoom(Struct, frozen=True):
    """A room with its timetable and its members' connections, the players first."""

    load: RoomLoad
    timetable: Timetable
    clients: list[Client]


class CpuTimes(Struct, frozen=True):
    """CPU seconds of this process, of the server (None: not known) and of everything on the machine."""

    load: float
    server: float | None
    machine: float

    def since(self, before: "CpuTimes") -> "CpuTimes":
        server = None if self.server is None or before.server is None else self.server - before.server
        return CpuTimes(self.load - before.load, server, self.machine - before.machine)

    @property
    def others(self) -> float:
        """What neither the load nor the server used."""
        return max(0.0, self.machine - self.load - (self.server or 0.0))


class Recording(Struct, frozen=True):
    """What a run left behind.

    Timetables count from `start` (monotonic clock, s), and so do `due` and `window`, which leaves the warm-up out.
    `sent` are moments of that clock. CPU times are those of the window.
    """

    rooms: list[PlayedRoom]
    start: float
    window: tuple[float, float]
    due: list[float]
    sent: list[float]
    cpu: CpuTimes


async def _enter(spec: LoadSpec, room: RoomLoad, gate: Semaphore, on_entered: Callable[[], object]) -> Client:
    async with gate:
        if spec.dialect is Dialect.RELAY:
            client = await Client.connect(spec.host, spec.port, f"/ws?room={room.name}")
        else:
            client = await Client.connect_rhythmd(spec.host, spec.port)
            # Black MIDI has the largest quota: the run is not to measure how a smaller one is held.
            await client.join(room.name, RoomSettings(max_players=room.members, allow_black_midi=True))
        on_entered()
        return client


async def _fill(spec: LoadSpec) -> list[list[Client]]:
    """Connect every member of every room. Raises an ExceptionGroup of what the server refused."""
    gate = Semaphore(_CONNECTING_AT_ONCE)
    total = sum(room.members for room in spec.rooms)
    with tqdm(total=total, desc=f"{spec.label} joining", unit="client", leave=False, disable=None) as progress:
        async with TaskGroup() as tasks:
            joining: list[list[Task[Client]]] = [
                [tasks.create_task(_enter(spec, room, gate, progress.update)) for _ in range(room.members)]
                for room in spec.rooms
            ]
    return [[task.result() for task in room] for room in joining]


class _Programme(Struct, frozen=True):
    """Every frame of the run with the second it is due and the write that takes it, in order of time."""

    due: list[float]
    writes: list[Callable[[bytes], None]]
    frames: list[bytes]


def _programme(rooms: list[PlayedRoom], server_now: float, rng: np.random.Generator) -> _Programme:
    """`server_now` (s) stands in for the start: a server takes base times that are seconds behind."""
    entries: list[tuple[float, Callable[[bytes], None], bytes]] = []
    for room in rooms:
        writes = [client.transport.write for client in room.clients]
        frames = frames_of(room.timetable, server_now * 1e3, rng)
        players, due = room.timetable.player.tolist(), room.timetable.due.tolist()
        entries += zip(due, (writes[player] for player in players), frames, strict=True)
    entries.sort(key=itemgetter(0))
    return _Programme(*(list(column) for column in zip(*entries, strict=True)))


def _cpu_so_far(spec: LoadSpec) -> CpuTimes:
    server = cpu_seconds(spec.server_pid) if spec.server_pid else None
    return CpuTimes(time.process_time(), server, machine_cpu_seconds())


async def _cpu_between(spec: LoadSpec, start: float, window: tuple[float, float]) -> CpuTimes:
    await asyncio.sleep(start + window[0] - monotonic())
    before = _cpu_so_far(spec)
    await asyncio.sleep(start + window[1] - monotonic())
    return _cpu_so_far(spec).since(before)


async def _show_progress(label: str, start: float, end: float) -> None:
    with tqdm(total=round(end, 1), desc=f"{label} playing", unit="s", leave=False, disable=None) as progress:
        while (elapsed := monotonic() - start) < end:
            progress.update(round(max(0.0, elapsed), 1) - progress.n)
            await asyncio.sleep(_REFRESH_S)


async def _drain(clients: list[Client]) -> None:
    """Wait until nothing has arrived for a second: what comes later than 20 s counts as missing."""
    deadline = monotonic() + _DRAIN_S
    while (now := monotonic()) < deadline:
        last = max((client.reads[-1][0] for client in clients if client.reads), default=0.0)
        if now - last > _QUIET_S:
            return
        await asyncio.sleep(_REFRESH_S)


async def _perform(spec: LoadSpec, rooms: list[PlayedRoom], clock_ahead: float) -> Recording:
    programme = _programme(rooms, monotonic() + clock_ahead, np.random.default_rng(spec.seed))
    sender = Sender(programme.due, programme.writes, programme.frames)
    start = monotonic() + _LEAD_S
    end = max(float(room.timetable.due[-1]) for room in rooms)
    window = (min(spec.warmup, end), end)
    for client in (client for room in rooms for client in room.clients):
        client.reads.clear()
    async with TaskGroup() as tasks:
        tasks.create_task(_show_progress(spec.label, start, end))
        cpu = tasks.create_task(_cpu_between(spec, start, window))
        tasks.create_task(sender.play(start))
    await _drain([client for room in rooms for client in room.clients])
    return Recording(rooms, start, window, programme.due, sender.sent, cpu.result())


def _rooms(spec: LoadSpec, clients: list[list[Client]]) -> list[PlayedRoom]:
    rng = np.random.default_rng(spec.seed)
    seconds = spec.warmup + spec.seconds
    return [
        PlayedRoom(load, timetable_of(load, seconds, rng), members)
        for load, members in zip(spec.rooms, clients, strict=True)
    ]


async def play(spec: LoadSpec) -> Recording:
    """Do the whole run. Raises an ExceptionGroup if a client cannot join."""
    rooms = _rooms(spec, await _fill(spec))
    clients = [client for room in rooms for client in room.clients]
    ahead = await clients[0].server_clock_ahead() if spec.dialect is Dialect.RHYTHMD else 0.0
    gc.collect()
    gc.freeze()
    gc.disable()  # a collection would stop the clock of everything that arrives meanwhile
    try:
        return await _perform(spec, rooms, ahead)
    finally:
        gc.enable()
        for client in clients:
            client.close()
