"""Keys of a channel of which more counts than whether they are down: the order of the presses, and each pressure.

Most channels never need it. A channel gets it with the first polyphonic key pressure, and in mono mode, in which the
key that was pressed last is the one that sounds.
"""

from collections.abc import Iterable, Iterator
from typing import Final

__all__ = ["FollowedKeys"]

KEYS: Final = 128


class FollowedKeys:
    """Velocities by key, 0 for a key that is up, as a `bytearray` has them. It takes half a kilobyte at most."""

    __slots__ = ("_order", "_pressures", "_velocities")

    def __init__(self, velocities: Iterable[int] = bytes(KEYS)) -> None:
        self._velocities = bytearray(velocities)
        self._order = bytearray(key for key, velocity in enumerate(self._velocities) if velocity)
        self._pressures = bytearray(KEYS)

    def __getitem__(self, key: int) -> int:
        return self._velocities[key]

    def __setitem__(self, key: int, velocity: int) -> None:
        if self._velocities[key]:
            self._order.remove(key)
            self._pressures[key] = 0
        self._velocities[key] = velocity
        if velocity:
            self._order.append(key)  # as the last one

    def __iter__(self) -> Iterator[int]:
        """The velocities of all keys."""
        return iter(self._velocities)

    def __len__(self) -> int:
        """How many messages it takes to say what is held."""
        return len(self._order) + KEYS - self._pressures.count(0)

    def down(self) -> list[int]:
        """The keys that are down, the longest down first."""
        return list(self._order)

    def press(self, key: int, pressure: int) -> None:
        """A polyphonic key pressure; of a key that is up it counts for nothing."""
        if self._velocities[key]:
            self._pressures[key] = pressure

    def pressures(self) -> Iterator[tuple[int, int]]:
        """The keys that are pressed on, each with how hard."""
        return ((key, pressure) for key, pressure in enumerate(self._pressures) if pressure)

    def ease(self) -> None:
        """No key is pressed on any more."""
        self._pressures = bytearray(KEYS)
