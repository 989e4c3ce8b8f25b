"""The budget of all that waits: what is counted, and who gives something up in which order."""

import asyncio
from collections.abc import Iterator

import pytest

from rhythmd.fairness.memory import KINDS, LEAVING, REST_S, Holding, Memory, Rule
from rhythmd.telemetry import Stats

LIMIT = 8_000
SIZE = 100


class Keeper:
    """Holds things of one size, and gives them up one by one."""

    def __init__(self, memory: Memory, kind: str) -> None:
        self._memory = memory
        self.holding: Holding = memory.of(kind)

    def keep(self, number: int) -> None:
        self.holding.take(number * SIZE)

    def give_up(self) -> int:
        count = 0
        while self.holding.bytes and self._memory.excess > 0:
            self.holding.give(SIZE)
            count += 1
        return count


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def turn(loop: asyncio.AbstractEventLoop, seconds: float = 0.0) -> None:
    loop.run_until_complete(asyncio.sleep(seconds))


def test_total_is_the_sum_of_all_kinds(loop: asyncio.AbstractEventLoop) -> None:
    memory = Memory(LIMIT, loop, Stats())
    for number, kind in enumerate(KINDS, 1):
        memory.of(kind).take(number)
    memory.of("log").give(1)
    memory.of("tape").measured(100)
    memory.of("tape").measured(50)
    assert memory.total == sum(size for kind, size in memory.by_kind().items() if kind not in LEAVING)
    assert (memory.by_kind()["log"], memory.by_kind()["tape"]) == (0, 50)


def test_first_rule_gives_up_and_no_other_one_needs_to(loop: asyncio.AbstractEventLoop) -> None:
    stats = Stats()
    memory = Memory(LIMIT, loop, stats)
    logs, tapes = Keeper(memory, "log"), Keeper(memory, "tape")
    memory.follow(Rule("logs", logs.give_up), Rule("tapes", tapes.give_up))
    logs.keep(60)
    tapes.keep(21)
    turn(loop)
    assert (logs.holding.bytes, tapes.holding.bytes) == (4_900, 2_100)  # seven eighths of the budget in all
    assert stats.given_up == {"logs": 11, "tapes": 0}


def test_next_rule_gives_up_what_the_first_has_not(loop: asyncio.AbstractEventLoop) -> None:
    stats = Stats()
    memory = Memory(LIMIT, loop, stats)
    logs, tapes = Keeper(memory, "log"), Keeper(memory, "tape")
    memory.follow(Rule("logs", logs.give_up), Rule("tapes", tapes.give_up))
    tapes.keep(90)
    logs.keep(2)
    turn(loop)
    assert stats.given_up == {"logs": 2, "tapes": 20}


def test_nothing_is_given_up_within_the_budget(loop: asyncio.AbstractEventLoop) -> None:
    stats = Stats()
    memory = Memory(LIMIT, loop, stats)
    logs = Keeper(memory, "log")
    memory.follow(Rule("logs", logs.give_up))
    logs.keep(80)
    turn(loop)
    assert (logs.holding.bytes, stats.given_up) == (LIMIT, {"logs": 0})


def test_rules_are_not_asked_again_for_each_byte_when_there_is_nothing_to_give_up(
    loop: asyncio.AbstractEventLoop,
) -> None:
    memory, asked = Memory(LIMIT, loop, Stats()), list[int]()

    def give_up() -> int:
        asked.append(memory.total)
        return 0

    memory.follow(Rule("nothing", give_up))
    for _ in range(10):
        memory.of("room").take(LIMIT)
        turn(loop)
    assert len(asked) == 1
    turn(loop, REST_S * 1.5)
    assert len(asked) == 2
    memory.of("room").measured(0)
