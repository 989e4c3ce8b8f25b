"""One load on a server of its own, on its defaults: what became of its music, and whom the server hindered."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import uvloop
from msgspec import Struct

from bench.honest.catalogue import LOADS
from bench.honest.music import Heard
from bench.honest.stage import House, Stage
from bench.metrics import hindered
from bench.options import Cores
from bench.statistics import Summary, summarise
from bench.system import pinned

__all__ = ["Outcome", "go_well"]


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
    """

    name: str
    people: int
    expected: int
    arrived: int
    delays: Summary
    lateness: Summary
    hindrances: dict[str, int]
    refused: dict[str, int]


async def _act(name: str, stage: Stage) -> Outcome:
    try:
        await LOADS[name].act(stage)
        stage.hindrances.update(await asyncio.to_thread(hindered, stage.server))
    finally:
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
    )


def go_well(name: str, seconds: float, cores: Cores, settings: Sequence[str] = ()) -> Outcome:
    """Run one load. Raises Refused, RuntimeError, TimeoutError or OSError when it cannot go on."""
    with tempfile.TemporaryDirectory(prefix="honest-") as folder:
        house = House(Path(folder), settings, cores.server)
        try:
            with pinned(cores.load):
                return uvloop.run(_act(name, Stage(house, seconds, Path(folder))))
        finally:
            house.stop()
