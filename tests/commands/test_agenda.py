"""Doing things at their moments."""

from collections.abc import Iterable
from functools import partial

from rhythmd.client.visit import Agenda


def filled(*entries: tuple[float, str]) -> tuple[Agenda, list[str]]:
    agenda, done = Agenda(), list[str]()
    for due_ms, name in entries:
        agenda.add(due_ms, partial(done.append, name))
    return agenda, done


def test_run_does_what_is_due_in_order_of_the_moments() -> None:
    agenda, done = filled((30, "c"), (10, "a"), (20, "b"), (31, "d"))
    agenda.run(30)
    assert (done, agenda.next_ms) == (["a", "b", "c"], 31)


def test_run_keeps_the_order_of_one_moment() -> None:
    names: Iterable[str] = [str(number) for number in range(20)]
    agenda, done = filled(*((5.0, name) for name in names))
    agenda.run(5)
    assert done == names


def test_run_does_nothing_twice() -> None:
    agenda, done = filled((1, "a"))
    agenda.run(1)
    agenda.run(2)
    assert (done, agenda.next_ms) == (["a"], None)
