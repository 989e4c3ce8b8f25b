"""The faults: what the network does all the time, and what it does to one connection at a moment."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from bench.faults.link import CLEAR, Conditions, wan
from bench.faults.musician import Musician
from bench.faults.proxy import Direction, Proxy

__all__ = ["FAULTS", "Fault"]

Act = Callable[[Proxy, Musician, Random], Awaitable[None]]

_STALL_S: Final = (0.5, 1.5)
_FLOODED_S: Final = 6.0  # longer than what the server buffers for one listener lasts


async def nothing(_proxy: Proxy, _musician: Musician, _random: Random) -> None:
    """The conditions are the fault."""


async def stall(proxy: Proxy, _musician: Musician, random: Random) -> None:
    """Nobody reads for a while, in either direction."""
    proxy.stall()
    await asyncio.sleep(random.uniform(*_STALL_S))
    proxy.go_on()


async def long_stall(proxy: Proxy, _musician: Musician, _random: Random) -> None:
    """Until more has come for the client than the server keeps."""
    proxy.stall()
    await asyncio.sleep(_FLOODED_S)
    proxy.go_on()


async def reset(proxy: Proxy, _musician: Musician, _random: Random) -> None:
    """RST to both sides, whatever was on its way."""
    proxy.reset()


async def half_close(proxy: Proxy, _musician: Musician, random: Random) -> None:
    """One side sees the end of the stream; the other one goes on."""
    proxy.half_close(random.choice(list(Direction)))


async def vanish(proxy: Proxy, musician: Musician, _random: Random) -> None:
    """The client loses a connection that the server takes for open."""
    proxy.stall()
    musician.session.give_up()


async def anything(proxy: Proxy, musician: Musician, random: Random) -> None:
    """Any of the others."""
    await random.choice((stall, reset, half_close, vanish))(proxy, musician, random)


@dataclass(frozen=True)
class Fault:
    """A fault. `up` and `down` apply to all connections all the time; `act` befalls some of them in each round.

    With `flood` a player plays black MIDI all the while.
    """

    act: Act = nothing
    up: Conditions = CLEAR
    down: Conditions = CLEAR
    flood: bool = False


def _both(conditions: Conditions, act: Act = nothing) -> Fault:
    return Fault(act, conditions, conditions)


FAULTS: Final[dict[str, Fault]] = {
    "none": Fault(),
    "delay and jitter": _both(Conditions(delay_s=0.05, jitter_s=0.1)),
    "pieces of 1 to 7 bytes": _both(Conditions(piece=7)),
    "byte by byte": _both(Conditions(piece=1)),
    "throttle": Fault(down=Conditions(rate=6_000)),
    "1 Mbit/s, 200 ms, 2 %": _both(wan(1_000_000, 0.2, 0.02)),
    "stall": Fault(stall),
    "reset": Fault(reset),
    "reset among pieces": _both(Conditions(delay_s=0.02, piece=7), reset),
    "half-close": Fault(half_close),
    "half-open": Fault(vanish),
    "anything, far away": _both(Conditions(delay_s=0.05, jitter_s=0.05, loss=0.02, resend_s=0.3, piece=50), anything),
    "stall in black MIDI": Fault(long_stall, flood=True),
}
