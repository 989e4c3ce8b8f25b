"""One load on a server of its own, on its defaults: what became of its music, and whom the server hindered."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Final

import uvloop
from msgspec import Struct

from bench.honest.catalogue import LOADS
from bench.honest.margins import CpuSample, Used, used
from bench.honest.music import Heard
from bench.honest.stage import House, Stage
from bench.metrics import hindered
from bench.options import Cores
from bench.statistics import Summary, summarise
from bench.system import cpu_seconds, pinned
from rhythmd.config import Config, load_config

__all__ = ["Outcome", "go_well"]

_LOOK_S: Final = 1.0


class Outcome(Struct, frozen=True):
    """What came of a load.

    Attributes:
        name: of the load.
        people: who had a socket.
        expected: events that were due at all listeners together.
        arrived: those that came.
        delays: from the moment a message was due until a listener had it.
        lateness: of the load's own sending.
        hindrances: whom the server refused, slowed or closed, by its own count.
        refused: what people were refused, by code or status.
        used: how much of each limit was used at worst, by anybody.
    """

    name: str
    people: int
    expected: int
    arrived: int
    delays: Summary
    lateness: Summary
    hindrances: dict[str, int]
    refused: dict[str, int]
    used: Used = {}


async def _look_at_cpu(stage: Stage, samples: list[CpuSample]) -> None:
    """Look how much of the processor the server uses, once a second. One that is being started anew is left out."""
    while True:
        pid = stage.server.pid
        with suppress(OSError):
            assert pid is not None
            samples.append(CpuSample(pid, monotonic(), cpu_seconds(pid)))
        await asyncio.sleep(_LOOK_S)


async def _act(name: str, stage: Stage, config: Config) -> Outcome:
    samples: list[CpuSample] = []
    watch = asyncio.create_task(_look_at_cpu(stage, samples))
    try:
        await LOADS[name].act(stage)
        stage.hindrances.update(await asyncio.to_thread(hindered, stage.server))
    finally:
        watch.cancel()
        stage.leave()
    refused = Counter(stage.refused)
    for person in stage.people:
        refused.update(person.errors)
    heard = Heard.of_all(stage.heard)
    return Outcome(
        name=name,
        people=len(stage.people),
        expected=heard.expected,
        arrived=heard.arrived,
        delays=summarise(heard.delays),
        lateness=summarise(heard.lateness),
        hindrances=dict(stage.hindrances),
        refused=dict(refused),
        used=used(config, stage.doings, stage.asked, samples),
    )


def go_well(name: str, seconds: float, cores: Cores, settings: Sequence[str] = ()) -> Outcome:
    """Run one load. Raises Refused, RuntimeError, TimeoutError or OSError when it cannot go on."""
    with tempfile.TemporaryDirectory(prefix="honest-") as folder:
        house = House(Path(folder), settings, cores.server)
        try:
            with pinned(cores.load):
                return uvloop.run(_act(name, Stage(house, seconds, Path(folder)), load_config(None, {}, settings)))
        finally:
            house.stop()
