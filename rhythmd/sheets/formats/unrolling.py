"""The order in which a score's bars are played: repeats, endings, and jumps (D.C., D.S., coda, fine).

A jump is taken once. After it repeats are not played again, unless they say so, and the last ending is taken. This is
how musicians read it.
"""

from itertools import accumulate
from typing import Final

from rhythmd.sheets.formats.bounds import RefusedFile
from rhythmd.sheets.formats.score import Bar

__all__ = ["MAX_BARS", "play_order"]

MAX_BARS: Final = 100_000
"""Bars that are played, with repeats: two days of slow common time."""

_MAX_STEPS: Final = 10 * MAX_BARS  # with those that are passed over


def play_order(bars: list[Bar], sections: list[tuple[int, int]]) -> list[int]:
    """The index of each bar that is played, in order.

    Args:
        bars: of the score.
        sections: first bar, and bar after the last, of what is played one after the other; empty for all.

    Raises:
        RefusedFile: there are more than `MAX_BARS`.
    """
    order: list[int] = []
    for start, end in sections or [(0, len(bars))]:
        order += (start + index for index in _Unrolling(bars[start:end]).run())
        if len(order) > MAX_BARS:
            raise _too_many()
    return order


def _too_many() -> RefusedFile:
    return RefusedFile(f"its repeats make more than {MAX_BARS:,} bars")


class _Unrolling:
    """A walk through the bars. What it asks of other bars is found beforehand, so that each step is short."""

    def __init__(self, bars: list[Bar]) -> None:
        self._bars = bars
        self._last_pass = _last_passes(bars)
        self._segno_before = [*accumulate((at if bar.segno else 0 for at, bar in enumerate(bars)), max)]
        self._coda_after = _codas_after(bars)
        self._repeat_after = _repeats_after(bars)
        self._repeats_again = [*accumulate((int(bar.repeats_after_jump) for bar in bars), initial=0)]
        self._order: list[int] = []
        self._section = 0
        self._pass = 1
        self._has_jumped = False
        self._jumps_taken: set[int] = set()

    def run(self) -> list[int]:
        index, steps = 0, 0
        while 0 <= index < len(self._bars):
            index = self._visit(index)
            steps += 1
            if len(self._order) > MAX_BARS or steps > _MAX_STEPS:
                raise _too_many()
        return self._order

    def _visit(self, index: int) -> int:
        """Play the bar `index`, unless it is not of this pass; the index of the next one, or -1 at the end."""
        bar = self._bars[index]
        is_after_endings = index > 0 and bool(self._bars[index - 1].endings) and not bar.endings
        if index != self._section and (is_after_endings or bar.repeat_start):
            self._begin_section(index)
        if bar.endings and not self._is_taken(index):
            return index + 1
        self._order.append(index)
        if self._has_jumped and bar.fine:
            return -1
        if self._has_jumped and bar.to_coda:
            return self._begin_section(self._coda_after[index])
        if self._repeats(index):
            self._pass += 1
            return self._section
        if bar.jump and index not in self._jumps_taken and not self._is_played_again(index):
            return self._jump(index)
        if bar.repeat_end and not bar.endings:
            self._begin_section(index + 1)
        return index + 1

    def _begin_section(self, index: int) -> int:
        self._section, self._pass = index, 1
        return index

    def _is_taken(self, index: int) -> bool:
        endings = self._bars[index].endings
        repeats_again = self._repeats_again[index + 1] > self._repeats_again[self._section]
        if self._has_jumped and not repeats_again:
            return self._last_pass[index] in endings
        return self._pass in endings

    def _repeats(self, index: int) -> bool:
        bar = self._bars[index]
        if not bar.repeat_end or (self._has_jumped and not bar.repeats_after_jump):
            return False
        # A first ending without a second one: the second time, the piece goes on after it.
        has_more = bar.endings and self._last_pass[index] > 1
        return self._pass < (self._last_pass[index] if has_more else bar.repeat_end)

    def _is_played_again(self, index: int) -> bool:
        """Whether the section that this bar is in will be repeated: a jump is taken the last time only."""
        end = self._repeat_after[index]
        return not self._has_jumped and end >= 0 and self._pass < self._bars[end].repeat_end

    def _jump(self, index: int) -> int:
        self._jumps_taken.add(index)
        self._has_jumped = True
        return self._begin_section(self._segno_before[index] if self._bars[index].jump == "segno" else 0)


def _codas_after(bars: list[Bar]) -> list[int]:
    """For each bar, the index of the next one with a coda; of the next bar if there is none."""
    result: list[int] = []
    coda = 0
    for index in range(len(bars) - 1, -1, -1):
        result.append(coda or index + 1)
        coda = index if bars[index].coda else coda
    return result[::-1]


def _repeats_after(bars: list[Bar]) -> list[int]:
    """For each bar without an ending, the bar with which its section is repeated; -1 if it is not."""
    result: list[int] = []
    end = -1
    for index in range(len(bars) - 1, -1, -1):
        bar = bars[index]
        if bar.repeat_end or bar.endings:
            end = -1 if bar.endings else index
        result.append(end)
        if bar.repeat_start:
            end = -1
    return result[::-1]


def _last_passes(bars: list[Bar]) -> list[int]:
    """For each bar with an ending, the last pass that any ending of its group is for; 0 for other bars."""
    result = [0] * len(bars)
    start = 0
    while start < len(bars):
        end = start
        while end < len(bars) and bars[end].endings and not (end > start and bars[end].repeat_start):
            end += 1
        last = max((max(bar.endings) for bar in bars[start:end]), default=0)
        result[start:end] = [last] * (end - start)
        start = max(end, start + 1)
    return result
