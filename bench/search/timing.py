"""How long searches take: one at a time, or several at once."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from time import perf_counter

import numpy as np
from msgspec import Struct

from bench.search.asking import Ask
from bench.search.ways import SearchWay
from bench.statistics import Summary, summarise

__all__ = ["Sample", "latency", "time_asks"]


class Sample(Struct, frozen=True):
    """One answer: the kind of query, whether it was a first page, and how long it took."""

    kind: str
    is_first: bool
    seconds: float


async def _ask(way: SearchWay, asks: Iterator[Ask], samples: list[Sample]) -> None:
    """A player who asks for a first page, turns to the next one if there is one, and asks for something else."""
    for ask in asks:
        began = perf_counter()
        page = await way.page(ask.query, None)
        samples.append(Sample(ask.kind, True, perf_counter() - began))
        if page.next is not None:
            began = perf_counter()
            await way.page(ask.query, page.next)
            samples.append(Sample(ask.kind, False, perf_counter() - began))


async def time_asks(way: SearchWay, asks: Sequence[Ask], callers: int) -> list[Sample]:
    """Answer all of these; `callers` share them, each with one at a time."""
    samples: list[Sample] = []
    left = iter(asks)
    await asyncio.gather(*(_ask(way, left, samples) for _ in range(callers)))
    return samples


def latency(samples: Iterable[Sample]) -> Summary:
    """Their distribution."""
    return summarise(np.array([sample.seconds for sample in samples]))
