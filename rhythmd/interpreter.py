"""How the interpreter is kept from stopping the music: its search for garbage, and its lock; and from keeping memory.

All of it is of the whole process. The command tunes it, not the server, which may be one of several in a process.
"""

import asyncio
import ctypes
import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Final, ParamSpec
from weakref import WeakMethod

__all__ = ["Housekeeper", "own_bytes", "tune", "weakly"]

P = ParamSpec("P")

YOUNG: Final = 5_000
"""New containers after which the youngest are looked at: more than one message makes, and it takes a millisecond."""
MIDDLE: Final = 2
"""Searches of the youngest before the middle-aged are looked at. If all of them stay, as when many rooms are made, that
takes nearly a microsecond an object: with 20 of 10,000 everything stopped for 0.2 s.
"""
OLD: Final = 70
"""Searches of the middle-aged before all are looked at: that stops everything for some 0.1 us an object."""
GROWTH: Final = 8 << 20
"""Bytes that the process has more than at its smallest before it looks what it can give back."""
QUIET: Final = 0.1
"""Of a core, which the loop uses at most when it does."""
FEW: Final = 500
"""Clients up to which a search of everything is short enough."""
WORTH: Final = 1 << 20
"""Bytes that are worth the work."""
FIRST_REST_S: Final = 5.0
LONGEST_REST_S: Final = 15.0
M_ARENA_MAX: Final = -8
"""As <malloc.h> numbers it."""
STATM: Final = Path("/proc/self/statm")
PAGE: Final = os.sysconf("SC_PAGE_SIZE")
SWITCH_S: Final = 0.0005
"""For which a thread that works may keep the interpreter's lock when the loop wants it; 5 ms by default."""


def tune() -> None:
    """Call it when all is built: what is there now stays, and is not looked at again.

    What the server makes is freed by counting references. The search is for cycles, which exceptions and libraries
    leave behind here and there.
    """
    sys.setswitchinterval(SWITCH_S)
    _share_arena()
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)


def _share_arena() -> None:
    """Let all threads allocate from one arena, where the C library is glibc (mallopt(3)).

    The end of a thread's own arena is never given back, and what a thread hashes or reads lies there.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(M_ARENA_MAX, 1)


class Housekeeper:
    """Gives memory back to the system when there is time for it.

    What is freed stays with the allocator, in the middle of what is in use: after a burst that is most of what the
    burst took. glibc gives such pages back when it is asked to, which takes some milliseconds in a thread; elsewhere
    nobody is asked. How much that would be is not known before, so after each time in vain it waits longer.

    Args:
        busy: the share of a core that the loop uses.
        clients: how many there are.
    """

    def __init__(self, busy: Callable[[], float], clients: Callable[[], int]) -> None:
        self._busy = busy
        self._clients = clients
        self._least: int | None = None
        self._rest_s = FIRST_REST_S
        self._rests_until = 0.0
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None)

    async def look(self) -> bool:
        """Call it once in a while; whether something was given back."""
        if self._trim is None or self._busy() > QUIET or monotonic() < self._rests_until:
            return False
        before = await asyncio.to_thread(own_bytes)
        self._least = before if self._least is None else min(self._least, before)
        if before - self._least < GROWTH:
            return False
        if self._rest_s == FIRST_REST_S and self._clients() <= FEW:
            gc.collect()
        await asyncio.to_thread(self._trim, 0)
        is_less = before - await asyncio.to_thread(own_bytes) >= WORTH
        self._rest_s = FIRST_REST_S if is_less else min(2 * self._rest_s, LONGEST_REST_S)
        self._rests_until = monotonic() + self._rest_s
        return is_less


def own_bytes() -> int:
    """Resident memory of this process without pages of files; 0 where the system does not tell (proc(5))."""
    if not STATM.exists():
        return 0
    _, resident, of_files, *_ = STATM.read_text().split()
    return (int(resident) - int(of_files)) * PAGE


def weakly(method: Callable[P, None]) -> Callable[P, None]:
    """Calls a bound method for as long as its object is there, and then does nothing.

    An object that gives its own methods to its parts is a circle: only the search for garbage frees it, which stops
    everything for as long as there is much of it.
    """
    weak = WeakMethod(method)

    def call(*args: P.args, **kwargs: P.kwargs) -> None:
        alive = weak()
        if alive is not None:
            alive(*args, **kwargs)

    return call
