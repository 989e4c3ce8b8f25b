"""One budget of bytes for all that waits for somebody, and who gives something up when there is more.

The keeper of something says so in the moment, with one addition; where that would be felt, it is measured now and then.
A byte is counted once, though many may wait for it, as far as that is known without asking.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from rhythmd.telemetry import Stats, server_log

__all__ = ["KINDS", "MIB", "Holding", "Memory", "Rule"]

MIB: Final = 1 << 20
REST_S: Final = 0.1  # between two times that something is given up
ENOUGH: Final = 7 / 8
"""Of the budget may still be held when enough is given up: at the limit itself each byte would cost something again."""
NETWORK_SHARE: Final = 1 / 64
"""Of the budget is for those of one network who are away."""

KINDS: Final[Mapping[str, str]] = {
    "log": "messages that clients have not confirmed",
    "away": "clients that are gone and may come back",
    "backlog": "music for clients that read too slowly",
    "unsent": "bytes that were written to clients and not taken",
    "unread": "what clients have sent and was not their turn, or is not whole",
    "queued": "messages behind one that waits for the store",
    "tape": "recordings under way and replays",
    "recording": "recordings that are made into files",
    "room": "rooms with their chat",
    "body": "bodies of requests",
}
"""What may wait. These are the values of `kind` in the metrics."""
LEAVING: Final = frozenset({"recording"})
"""What is on its way out, as fast as it can: shown, but no reason to give up anything else."""


class Holding:
    """What is held of one kind, in bytes."""

    __slots__ = ("_memory", "_weight", "bytes")

    def __init__(self, memory: "Memory", *, is_leaving: bool) -> None:
        self._memory = memory
        self._weight = 0 if is_leaving else 1
        self.bytes = 0

    def take(self, size: int) -> None:
        """So much more is held."""
        memory = self._memory
        self.bytes += size
        memory.total += size * self._weight
        if memory.total > memory.limit:
            memory.relieve_soon()

    def give(self, size: int) -> None:
        """So much is held no more."""
        self.bytes -= size
        self._memory.total -= size * self._weight

    def measured(self, size: int) -> None:
        """So much is held in all: of what is looked at now and then."""
        self.take(size - self.bytes)


class Rule(NamedTuple):
    """Something that may be given up.

    Args:
        name: of it, as the metrics have it.
        give_up: gives up some of it while `Memory.excess` says that this is needed; how many things that were.
    """

    name: str
    give_up: Callable[[], int]


class Memory:
    """Counts what is held, and has things given up, in the order of its rules, when that is more than the budget.

    Args:
        limit: the budget, in bytes.
        loop: on which all of this runs.
        stats: counts what was given up.

    Attributes:
        total: bytes that are held, without what is leaving.
        limit: bytes that may be.
    """

    def __init__(self, limit: int, loop: asyncio.AbstractEventLoop, stats: Stats) -> None:
        self._loop = loop
        self._stats = stats
        self._is_due = False
        self._holdings = {kind: Holding(self, is_leaving=kind in LEAVING) for kind in KINDS}
        self.total = 0
        self.limit = limit
        self._rules: tuple[Rule, ...] = ()

    def follow(self, *rules: Rule) -> None:
        """Have these things given up, the first first."""
        self._rules = rules
        self._stats.given_up.update({rule.name: 0 for rule in rules})

    def of(self, kind: str) -> Holding:
        """What is held of this kind."""
        return self._holdings[kind]

    def by_kind(self) -> dict[str, int]:
        """Bytes that are held, by kind."""
        return {kind: holding.bytes for kind, holding in self._holdings.items()}

    @property
    def given_up(self) -> Mapping[str, int]:
        """How many things were given up, by the names of the rules."""
        return self._stats.given_up

    @property
    def network_limit(self) -> int:
        """Bytes of what waits for those of one network who are away."""
        return int(self.limit * NETWORK_SHARE)

    @property
    def excess(self) -> int:
        """Bytes to be given up until that is enough; negative when it is."""
        return self.total - int(self.limit * ENOUGH)

    def relieve_soon(self) -> None:
        """More is held than may be: give something up when the loop has served whoever is ready now."""
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._relieve)

    def _relieve(self) -> None:
        # Not again at once, or each byte would cost a look at everything while there is nothing to give up.
        self._loop.call_later(REST_S, self._rest_is_over)
        for rule in self._rules:
            if self.excess <= 0:
                break
            count = rule.give_up()
            if count:
                self._stats.given_up[rule.name] += count
                server_log.warning("more waits than limits.memory_mb: %d of '%s' were given up", count, rule.name)
        if self.total > self.limit:
            server_log.warning(
                "%d MiB wait, more than limits.memory_mb, and there is nothing to give up", self.total // MIB
            )

    def _rest_is_over(self) -> None:
        self._is_due = False
        if self.total > self.limit:
            self.relieve_soon()
