"""How loud the notes of a part are: dynamics, hairpins and accents as MIDI velocities."""

from bisect import bisect_right
from fractions import Fraction
from typing import Final

from msgspec import Struct, field

__all__ = ["ACCENT", "DYNAMICS", "STRONG_ACCENT", "SUDDEN", "Expression"]

DYNAMICS: Final = {
    "pppppp": 4, "ppppp": 6, "pppp": 10, "ppp": 16, "pp": 33, "p": 49, "mp": 64, "mf": 80, "f": 96, "ff": 112,
    "fff": 120, "ffff": 124, "fffff": 126, "ffffff": 127, "fp": 49, "pf": 96, "n": 1,
}  # fmt: skip
"""Velocities; `fp` and `pf` are what they end with."""

SUDDEN: Final = frozenset({"sf", "sfz", "sffz", "fz", "rf", "rfz", "sfp", "sfpp", "sfzp", "fp"})
"""Marks that make the notes at their place louder, and only these."""

ACCENT: Final = 16
STRONG_ACCENT: Final = 28

_DEFAULT: Final = DYNAMICS["mf"]
_HAIRPIN: Final = 16  # a step of the scale, where no dynamic says what a hairpin leads to


class _Hairpin(Struct):
    """A crescendo (direction 1) or diminuendo (-1)."""

    start: Fraction
    end: Fraction
    direction: int


class Expression(Struct):
    """The dynamics of a part. Times are quarters from its beginning, as written, and do not go back by much."""

    levels: list[tuple[Fraction, int]] = field(default_factory=list)
    hairpins: list[_Hairpin] = field(default_factory=list)
    sudden: set[Fraction] = field(default_factory=set)
    open: dict[str, tuple[Fraction, int]] = field(default_factory=dict)

    def mark(self, time: Fraction, name: str) -> bool:
        """A dynamic's name at `time`; False if no such dynamic is known."""
        if name in SUDDEN:
            self.sudden.add(time)
        if name in DYNAMICS:
            self.levels.append((time, DYNAMICS[name]))
        return name in DYNAMICS or name in SUDDEN

    def open_hairpin(self, time: Fraction, number: str, direction: int) -> None:
        """The beginning of a hairpin; `number` tells those apart that are open at the same time."""
        self.open[number] = (time, direction)

    def close_hairpin(self, time: Fraction, number: str) -> None:
        """The end of the hairpin `number`, if it is open."""
        start, direction = self.open.pop(number, (time, 0))
        if time > start:
            self.hairpins.append(_Hairpin(start, time, direction))

    def curve(self) -> "Curve":
        """All marks as velocities over time, once the part is complete."""
        return Curve(self)


class Curve:
    """Velocities over the time of a part."""

    def __init__(self, expression: Expression) -> None:
        self._sudden = expression.sudden
        levels = sorted(expression.levels, key=lambda level: level[0])
        self._slopes: list[tuple[Fraction, Fraction, int, int]] = []
        for hairpin in sorted(expression.hairpins, key=lambda hairpin: hairpin.start):
            self._lead(levels, hairpin)
        self._times = [time for time, _ in levels]
        self._values = [value for _, value in levels]
        self._slope_starts = [slope[0] for slope in self._slopes]

    def _lead(self, levels: list[tuple[Fraction, int]], hairpin: _Hairpin) -> None:
        """Let a hairpin lead to the next dynamic if that stands at its end, else one step up or down."""
        times = [time for time, _ in levels]
        before, after = bisect_right(times, hairpin.start), bisect_right(times, hairpin.end)
        begin = levels[before - 1][1] if before else _DEFAULT
        target = begin + hairpin.direction * _HAIRPIN
        if after > before:
            target = levels[after - 1][1]
        elif after < len(levels) and levels[after][0] - hairpin.end <= 1:
            target = levels[after][1]
        else:
            target = max(_DEFAULT // 8, min(127, target))
            levels.insert(after, (hairpin.end, target))
        self._slopes.append((hairpin.start, hairpin.end, begin, target))

    def at(self, time: Fraction, boost: int) -> int:
        """The velocity of a note that begins at `time`, `boost` being its accent."""
        place = bisect_right(self._times, time)
        velocity = self._values[place - 1] if place else _DEFAULT
        slope = bisect_right(self._slope_starts, time)
        if slope:
            start, end, begin, target = self._slopes[slope - 1]
            if time < end:
                velocity = begin + int((target - begin) * (time - start) / (end - start))
        if time in self._sudden:
            boost = max(boost, STRONG_ACCENT)
        return max(1, min(127, velocity + boost))
