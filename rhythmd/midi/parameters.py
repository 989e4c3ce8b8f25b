"""Registered and other parameters of a channel, such as its bend range: what is selected, and what was entered.

Their order has meaning (MIDI 1.0, "Registered Parameter Numbers"): controllers 98 to 101 select a parameter, and a data
entry (6, 38) or a step (96, 97) goes to the one that is selected, to none after a null.
"""

from collections.abc import Iterator
from typing import Final

from rhythm_protocol.midi import CONTROL_CHANGE

__all__ = ["PARAMETER_CONTROLLERS", "Parameters"]

PARAMETER_CONTROLLERS: Final = frozenset({6, 38, *range(96, 102)})
MOST_OTHERS: Final = 16
"""Parameters of a channel besides `DEFAULTS` that are kept; of more the newest."""

DATA_MSB: Final = 6
DATA_LSB: Final = 38
STEP_UP: Final = 96
STEP_DOWN: Final = 97
SELECTORS: Final = {98: (1, 1), 99: (1, 0), 100: (0, 1), 101: (0, 0)}  # whether unregistered; whether the lower half
NULL: Final = 0x7F
CENTS: Final = 100

# Bend range, fine and coarse tuning, tuning program and bank, modulation depth: the values of a fresh channel.
DEFAULTS: Final = {0: (2, 0), 1: (64, 0), 2: (64, 0), 3: (0, 0), 4: (0, 0), 5: (0, 64)}
STEPS_OF_MSB: Final = (2, 3, 4)  # a step is one of the upper half (MIDI RP-018)

Message = tuple[int, int, int]


class Parameters:
    """Of one channel. A parameter is its kind << 14 | its number; what was entered for it is kept as it came."""

    __slots__ = ("_entered", "_kind", "_selected")

    def __init__(self) -> None:
        self._selected = [[NULL, NULL], [NULL, NULL]]
        self._kind = 0
        self._entered: dict[int, dict[int, int]] = {}

    def control(self, number: int, value: int) -> None:
        """Take in one of `PARAMETER_CONTROLLERS`."""
        if number in SELECTORS:
            self._kind, half = SELECTORS[number]
            self._selected[self._kind][half] = value
            return
        upper, lower = self._selected[self._kind]
        if (upper, lower) == (NULL, NULL):
            return
        parameter = self._kind << 14 | upper << 7 | lower
        entered = self._entered[parameter] = self._entered.pop(parameter, {})  # the newest is the last
        if number in (DATA_MSB, DATA_LSB):
            entered.pop(number, None)
            entered[number] = value
        else:
            self._entered[parameter] = _stepped(parameter, entered, 1 if number == STEP_UP else -1)
        if len(self._entered) > MOST_OTHERS:
            self._forget()

    def _forget(self) -> None:
        others = [parameter for parameter in self._entered if parameter not in DEFAULTS]
        for parameter in others[: max(0, len(others) - MOST_OTHERS)]:
            del self._entered[parameter]

    def deselect(self) -> None:
        """Select none; what was entered stays (MIDI RP-015)."""
        self._selected = [[NULL, NULL], [NULL, NULL]]
        self._kind = 0

    @property
    def size(self) -> int:
        """How many messages it takes to bring fresh parameters here, at most."""
        return 6 + sum(2 + len(entered) for entered in self._entered.values())

    def messages(self, channel: int) -> Iterator[Message]:
        """What brings fresh parameters here: each one selected and entered, then what is selected now."""
        touched = {parameter >> 14 for parameter in self._entered}
        for parameter, entered in self._entered.items():
            yield from _entry(channel, parameter, entered)
        order = (1 - self._kind, self._kind)
        kinds = [kind for kind in order if kind in touched or self._selected[kind] != [NULL, NULL]]
        if kinds and kinds[-1] != self._kind:
            kinds.append(self._kind)
        for kind in kinds:
            yield from _selection(channel, kind, *self._selected[kind])

    def taken_back(self, channel: int, there: "Parameters | None") -> Iterator[Message]:
        """What takes back the parameters that `there` has not, as far as anybody knows where they were at first."""
        entered = {} if there is None else there._entered
        touched = {kind for kind in (0, 1) if self._selected[kind] != [NULL, NULL]}
        for parameter in self._entered:
            if parameter not in entered and parameter in DEFAULTS:
                touched.add(0)
                yield from _entry(channel, parameter, dict(zip((DATA_MSB, DATA_LSB), DEFAULTS[parameter], strict=True)))
        for kind in sorted(touched, reverse=True):
            yield from _selection(channel, kind, NULL, NULL)


def _stepped(parameter: int, entered: dict[int, int], by: int) -> dict[int, int]:
    """A value one step on. What was never entered is where it is in a fresh channel; if nobody knows that, at 0."""
    upper, lower = DEFAULTS.get(parameter, (0, 0))
    for number, value in entered.items():
        # The upper half clears the lower one (MIDI 1.0).
        upper, lower = (value, 0) if number == DATA_MSB else (upper, value)
    if parameter in STEPS_OF_MSB:
        return {DATA_MSB: max(0, min(NULL, upper + by)), DATA_LSB: lower}
    radix = CENTS if parameter == 0 and lower < CENTS else NULL + 1
    steps = max(0, min(NULL * radix + radix - 1, upper * radix + lower + by))
    return dict(zip((DATA_MSB, DATA_LSB), divmod(steps, radix), strict=True))


def _entry(channel: int, parameter: int, entered: dict[int, int]) -> Iterator[Message]:
    yield from _selection(channel, parameter >> 14, parameter >> 7 & 0x7F, parameter & 0x7F)
    for number, value in entered.items():
        yield CONTROL_CHANGE | channel, number, value


def _selection(channel: int, kind: int, upper: int, lower: int) -> Iterator[Message]:
    yield CONTROL_CHANGE | channel, 99 if kind else 101, upper
    yield CONTROL_CHANGE | channel, 98 if kind else 100, lower
