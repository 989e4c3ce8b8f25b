"""When to come back after a lost connection, by the table of close codes."""

from random import SystemRandom
from typing import Final

from rhythm_protocol.close import Close

__all__ = ["Backoff"]

_LONGEST_S: Final = 60.0


class Backoff:
    """Waits that double with each try in a row, random, so that a room's listeners do not all return at once."""

    def __init__(self) -> None:
        self._tries = 0
        self._random = SystemRandom()

    def reset(self) -> None:
        """A connection came about: the next wait is a first one again."""
        self._tries = 0

    def next_wait(self, rule: Close) -> float | None:
        """Seconds to wait before the next try, or None: do not come back."""
        if rule.reconnect_after is None:
            return None
        low, high = (min(bound * 2**self._tries, _LONGEST_S) for bound in rule.reconnect_after)
        self._tries += 1
        return self._random.uniform(low, high)
