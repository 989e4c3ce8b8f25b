"""When the ticks of a Standard MIDI File are (RP-001, "Header Chunks", "Set Tempo")."""

from collections.abc import Iterable
from typing import Final, NamedTuple

__all__ = ["SMPTE", "TEMPO_US", "Clock", "Timed"]

SMPTE: Final = 0x8000
"""What a division has that is of film's time."""

TEMPO_US: Final = 500_000
"""Of a quarter, before a file says another one."""

SECOND_US: Final = 1_000_000
DROP_FRAME: Final = 29  # means 30,000 frames in 1,001 seconds


class Timed(NamedTuple):
    """A channel message: when it is due, from the beginning of the piece, and status << 16 | data 1 << 8 | data 2."""

    ms: int
    seconds: float
    message: int


class Clock:
    """When the ticks of a file are, for ticks that only grow. Times are exact until they are rounded: none drifts.

    Args:
        division: as a header has it: ticks of a quarter, or of a frame of film.
        tempos: tick << 24 | microseconds of a quarter each.
    """

    def __init__(self, division: int, tempos: Iterable[int]) -> None:
        if division & SMPTE:
            frames = 0x100 - (division >> 8)
            rate, seconds = (30_000, 1_001) if frames == DROP_FRAME else (frames, 1)
            self._ticks, self._tempo = rate * (division & 0xFF), seconds * SECOND_US
            self._tempos: list[int] = []
        else:
            self._ticks, self._tempo = division, TEMPO_US
            # Taken from the end, so of several tempos at one tick the last one in the file counts.
            self._tempos = sorted(tempos, key=_tick)[::-1]
        self._since_tick = 0
        self._since = 0  # microseconds times ticks of a quarter

    def least_ticks(self, ms: int) -> int:
        """So many ticks are never longer than `ms`, whatever the tempo from here on."""
        slowest = max((self._tempo, *(tempo & 0xFFFFFF for tempo in self._tempos)))
        return ms * 1_000 * self._ticks // slowest

    def ms(self, tick: int) -> int:
        """Milliseconds from the beginning to `tick`."""
        return (self._at(tick) + 500 * self._ticks) // (1_000 * self._ticks)

    def tick(self, ms: int) -> int:
        """The last tick that is not later than `ms`."""
        limit = ms * 1_000 * self._ticks
        while self._tempos and self._since + ((self._tempos[-1] >> 24) - self._since_tick) * self._tempo <= limit:
            self._at(self._tempos[-1] >> 24)
        return self._since_tick + (limit - self._since) // self._tempo

    def timed(self, event: int) -> Timed:
        """An event of a part with its time."""
        at = self._at(event >> 24)
        ms = (at + 500 * self._ticks) // (1_000 * self._ticks)
        return Timed(ms, at / (SECOND_US * self._ticks), event & 0xFFFFFF)

    def _at(self, tick: int) -> int:
        while self._tempos and self._tempos[-1] >> 24 <= tick:
            tempo = self._tempos.pop()
            self._since += ((tempo >> 24) - self._since_tick) * self._tempo
            self._since_tick, self._tempo = tempo >> 24, tempo & 0xFFFFFF
        return self._since + (tick - self._since_tick) * self._tempo


def _tick(event: int) -> int:
    return event >> 24
