"""The lateness of notes, as a listener measures it for `timing`. Pure: every time comes in as an argument."""

from collections import deque
from math import ceil
from typing import Final

__all__ = ["LatenessMeter"]

_WINDOW_MS: Final = 10_000
_SAMPLES: Final = 1_000  # a listener to black MIDI keeps the latest ones
_PERCENTILE: Final = 95
_LATEST_MS: Final = 60_000


class LatenessMeter:
    """The lateness of the notes of the last ten seconds: server's clock when a note came in, less the note's time."""

    __slots__ = ("_samples",)

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque(maxlen=_SAMPLES)

    def add(self, late_ms: float, now_ms: float) -> None:
        """A note came in at `now_ms` of any clock that only goes forward, `late_ms` after its time."""
        self._samples.append((now_ms, late_ms))

    def report(self, now_ms: float) -> int | None:
        """`late_ms` of a `timing`: the 95th percentile, 0 to 60,000; None when no note came lately."""
        while self._samples and self._samples[0][0] <= now_ms - _WINDOW_MS:
            self._samples.popleft()
        if not self._samples:
            return None
        ranked = sorted(late_ms for _, late_ms in self._samples)
        rank = ceil(len(ranked) * _PERCENTILE / 100)
        return min(_LATEST_MS, max(0, ceil(ranked[rank - 1])))
