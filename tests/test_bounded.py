"""A dict that forgets."""

from hypothesis import given
from hypothesis import strategies as st

from rhythmd.bounded import BoundedDict


def test_set_over_the_limit_evicts_what_was_set_longest_ago() -> None:
    known: BoundedDict[str, int] = BoundedDict(2)
    known["a"], known["b"], known["c"] = 1, 2, 3
    assert list(known.items()) == [("b", 2), ("c", 3)]


def test_set_again_renews_and_evicts_nothing() -> None:
    known: BoundedDict[str, int] = BoundedDict(2)
    known["a"], known["b"], known["a"] = 1, 2, 3
    assert list(known.items()) == [("b", 2), ("a", 3)]
    known["c"] = 4
    assert list(known) == ["a", "c"]


def test_get_renews_only_what_is_moved_to_the_end() -> None:
    known: BoundedDict[str, int] = BoundedDict(2)
    known["a"], known["b"] = 1, 2
    assert known.get("a") == 1
    known["c"] = 3
    known.move_to_end("b")
    known["d"] = 4
    assert list(known) == ["b", "d"]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(), st.booleans())), st.integers(1, 5))
def test_any_way_of_setting_keeps_the_limit(steps: list[tuple[int, int, bool]], limit: int) -> None:
    known: BoundedDict[int, int] = BoundedDict(limit)
    for key, value, whole in steps:
        if whole:
            known.update({key: value})
        else:
            known.setdefault(key, value)
        assert len(known) <= limit
        assert key in known
