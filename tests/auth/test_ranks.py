"""The one rule of who has power over whom."""

from itertools import product

import pytest

from rhythmd.auth.ranks import Act, Rank, is_moderator, may, rank_of
from rhythmd.rows import Role


@pytest.mark.parametrize(
    ("roles", "owns", "rank"),
    [
        ((), False, Rank.PLAYER),
        ((), True, Rank.OWNER),
        ((Role.MEMBER, Role.PRO, Role.EDITOR), False, Rank.PLAYER),
        ((Role.MEMBER,), True, Rank.OWNER),
        ((Role.MEMBER, Role.MODERATOR), False, Rank.MODERATOR),
        ((Role.MODERATOR,), True, Rank.MODERATOR),
        ((Role.MODERATOR, Role.ADMIN), False, Rank.ADMIN),
        (("moderator",), False, Rank.MODERATOR),
        (("Moderator", "root", ""), False, Rank.PLAYER),
    ],
)
def test_rank_is_that_of_the_highest_role(roles: tuple[str, ...], owns: bool, rank: Rank) -> None:
    assert rank_of(roles, owns=owns) is rank
    assert is_moderator(roles) is (rank >= Rank.MODERATOR)


@pytest.mark.parametrize(("judge", "other"), list(product(Rank, Rank)))
def test_nobody_has_power_over_equals_or_higher_ranks(judge: Rank, other: Rank) -> None:
    assert may(judge, Act.SANCTION, other) is (judge > other)
    assert may(judge, Act.LIFT, other) is (judge >= other and judge is not Rank.PLAYER)


def test_rooms_are_open_to_moderators_and_those_above() -> None:
    assert [rank for rank in Rank if may(rank, Act.ENTER)] == [Rank.MODERATOR, Rank.ADMIN, Rank.OPERATOR]
