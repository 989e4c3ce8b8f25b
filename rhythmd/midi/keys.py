"""Keys of a channel of which more counts than whether they are down: the order of the presses, and each pressure.

Most channels never need it. A channel gets it with the first polyphonic key pressure, and in mono mode, in which the
key that was pressed last is the one that sounds.
"""

from collections.abc import Iterable, Iterator

__all__ = ["FollowedKeys"]


class FollowedKeys:
    """Velocities by key, 0 for a key that is up, as a `bytearray` has them.

    Attributes:
        pressures: of keys that are down, as far as they are not 0. A key that is pressed or released has none any more.
    """

    __slots__ = ("_velocities", "pressures")

    def __init__(self, velocities: Iterable[int] = ()) -> None:
        self._velocities = {key: velocity for key, velocity in enumerate(velocities) if velocity}
        self.pressures: dict[int, int] = {}

    def __getitem__(self, key: int) -> int:
        return self._velocities.get(key, 0)

    def __setitem__(self, key: int, velocity: int) -> None:
        self._velocities.pop(key, None)
        self.pressures.pop(key, None)
        if velocity:
            self._velocities[key] = velocity  # as the last one

    def __iter__(self) -> Iterator[int]:
        """The velocities of the keys that are down."""
        return iter(self._velocities.values())

    def down(self) -> list[int]:
        """The keys that are down, the longest down first."""
        return list(self._velocities)

    def press(self, key: int, pressure: int) -> None:
        """A polyphonic key pressure; of a key that is up it counts for nothing."""
        if pressure and key in self._velocities:
            self.pressures[key] = pressure
        else:
            self.pressures.pop(key, None)
