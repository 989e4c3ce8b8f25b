"""Sends every frame when it is due, by a kernel timer: event loops' timers round to milliseconds."""

import asyncio
import ctypes
import os
from asyncio import AbstractEventLoop
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Final

__all__ = ["AlarmClock", "Sender"]

_CLOCK_MONOTONIC: Final = 1
_TFD_TIMER_ABSTIME: Final = 1
_AT_ONCE: Final = 64  # a load that fell behind must go on reading, or it would measure itself
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class AlarmClock:
    """Calls `ring` at set moments of the monotonic clock, to some 50 us (timerfd_create(2))."""

    def __init__(self, loop: AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._fd = _LIBC.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._loop = loop
        self._ring = ring
        self._spec = _Itimerspec()
        loop.add_reader(self._fd, self._on_expiry)

    def set(self, moment: float) -> None:
        """Ring at `moment` (s); at once if that is past. Replaces what was set before."""
        nanoseconds = max(1, int(moment * 1e9))
        self._spec.value.seconds, self._spec.value.nanoseconds = divmod(nanoseconds, 1_000_000_000)
        _LIBC.timerfd_settime(self._fd, _TFD_TIMER_ABSTIME, ctypes.byref(self._spec), None)

    def close(self) -> None:
        self._loop.remove_reader(self._fd)
        os.close(self._fd)

    def _on_expiry(self) -> None:
        os.read(self._fd, 8)
        self._ring()


class Sender:
    """Plays a list of frames: `writes[i]` takes `frames[i]` at second `due[i]` (ascending).

    `sent` gets the moment of each write (monotonic clock, s). A late one is not skipped and does not move those after
    it.
    """

    def __init__(
        self, due: Sequence[float], writes: Sequence[Callable[[bytes], None]], frames: Sequence[bytes]
    ) -> None:
        self.sent: list[float] = []
        self._due = due
        self._writes = writes
        self._frames = frames
        self._start = 0.0
        loop = asyncio.get_running_loop()
        self._finished: asyncio.Future[None] = loop.create_future()
        self._clock = AlarmClock(loop, self._send_what_is_due)

    async def play(self, start: float) -> None:
        """Send everything, counted from `start` (monotonic clock, s); returns after the last frame."""
        self._start = start
        try:
            self._send_what_is_due()
            await self._finished
        finally:
            self._clock.close()

    def _send_what_is_due(self) -> None:
        at, sent = len(self.sent), self.sent
        now = monotonic()
        stop = min(at + _AT_ONCE, len(self._due))
        while at < stop and self._start + self._due[at] <= now:
            self._writes[at](self._frames[at])
            now = monotonic()
            sent.append(now)
            at += 1
        if at < len(self._due):
            self._clock.set(self._start + self._due[at])
        elif not self._finished.done():
            self._finished.set_result(None)
