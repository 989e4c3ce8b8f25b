"""Whole numbers as clients write them that have only one kind of number: 2.0 is 2."""

from typing import Any, Final

__all__ = ["whole_numbers"]

_MOST: Final = float(2**64)
"""No integer of a message is as large."""


def whole_numbers(value: Any) -> Any:
    """`value` with an int in the place of every float that is one, in lists and maps, too.

    A field for a float takes an int, so nobody has to know what is asked for. What is no whole number, not finite, or
    larger than any integer of a message stays a float, and is refused as one. Raises RecursionError.
    """
    if isinstance(value, float):
        return int(value) if -_MOST < value < _MOST and value.is_integer() else value
    if isinstance(value, list):
        return [whole_numbers(item) for item in value]
    if isinstance(value, dict):
        return {key: whole_numbers(item) for key, item in value.items()}
    return value
