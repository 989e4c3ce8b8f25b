"""What the reader of MIDI files forgives, as short sentences with the byte where each was first met."""

from typing import Final

__all__ = ["Forgiven", "NotReadable"]

MOST_KINDS: Final = 40


class NotReadable(ValueError):
    """The bytes are no MIDI file that can be played. The message says what is wrong and at which byte."""

    def __init__(self, reason: str, at: int) -> None:
        super().__init__(f"byte {at}: {reason}")


class Forgiven:
    """The faults of a file, each kind counted: a file that is broken all over has no more lines than another."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: dict[str, list[int]] = {}

    def add(self, fault: str, at: int) -> None:
        """One more `fault`, of which there are few kinds, at byte `at`; one that is met again there is the same."""
        found = self._found.get(fault)
        if found is None:
            if len(self._found) < MOST_KINDS:
                self._found[fault] = [at, at, 1]
        elif at > found[1]:
            found[1:] = at, found[2] + 1

    def absorb(self, other: "Forgiven") -> None:
        """Add all that `other` has, which was met behind all of this."""
        for fault, (first, last, count) in other._found.items():
            found = self._found.setdefault(fault, [first, last, 0])
            found[1:] = last, found[2] + count

    def lines(self) -> tuple[str, ...]:
        """A line for each kind, in the order in which they were met."""
        return tuple(
            f"byte {first}: {fault}" + (f" ({count:,} times)" if count > 1 else "")
            for fault, (first, _, count) in self._found.items()
        )
