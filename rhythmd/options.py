"""Types of options on the command line. Each says in its message what it was given and what it takes."""

import argparse
from collections.abc import Callable
from enum import StrEnum
from typing import Final, TypeVar

from rhythmd.terminal import has_surrogates

__all__ = ["choice", "positive_int", "positive_number", "speed", "text"]

SLOWEST: Final = 0.01
FASTEST: Final = 100.0

ChoiceT = TypeVar("ChoiceT", bound=StrEnum)


def text(given: str) -> str:
    """Anything but bytes that are no UTF-8."""
    if has_surrogates(given):
        raise argparse.ArgumentTypeError(f"{given!r} is not UTF-8")
    return given


def choice(kind: type[ChoiceT]) -> Callable[[str], ChoiceT]:
    """One of the values of `kind`."""

    def convert(given: str) -> ChoiceT:
        try:
            return kind(given)
        except ValueError:
            raise argparse.ArgumentTypeError(f"unknown {given!r}; choose from {', '.join(kind)}") from None

    return convert


def positive_number(given: str) -> float:
    """A number above 0, and not infinite."""
    try:
        value = float(given)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number above 0, is {given!r}")
    return value


def speed(given: str) -> float:
    """How many times as fast: so that no time is beyond what can be counted."""
    try:
        value = float(given)
    except ValueError:
        value = 0.0
    if not SLOWEST <= value <= FASTEST:
        raise argparse.ArgumentTypeError(f"must be a number from {SLOWEST:g} to {FASTEST:g}, is {given!r}")
    return value


def positive_int(given: str) -> int:
    """A whole number above 0."""
    try:
        value = int(given)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number above 0, is {given!r}")
    return value
