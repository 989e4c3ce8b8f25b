"""A ban: to whom it applies, and for how long."""

from time import monotonic, time

import pytest

from rhythm_protocol.errors import ErrorCode
from rhythmd.auth.ranks import Rank
from rhythmd.config import RoomsConfig
from rhythmd.errors import Refused
from rhythmd.hub.rooms.members import Player
from rhythmd.hub.rooms.sanctions import SANCTIONS_LIMIT, Imposed, SanctionList
from tests.deadline import until


def profile(id_: str, address: str = "127.0.0.1", *, guest: bool = True) -> Player:
    return Player(id_, "Clara", "#8ecae6", address, guest=guest, bot=False)


def test_fresh_list_holds_nobody() -> None:
    assert not SanctionList(ErrorCode.BAN_LIMIT).applies_to(profile("a"))


def test_add_holds_the_user_and_nobody_else() -> None:
    bans = SanctionList(ErrorCode.BAN_LIMIT)
    bans.add(profile("a"), None)
    assert bans.applies_to(profile("a"))
    assert not bans.applies_to(profile("b"))


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1"])
def test_add_of_a_guest_on_loopback_leaves_the_address_alone(address: str) -> None:
    bans = SanctionList(ErrorCode.BAN_LIMIT)
    bans.add(profile("a", address), None)
    assert not bans.applies_to(profile("b", address))


@pytest.mark.parametrize("address", ["203.0.113.7", "2001:db8::7"])
def test_add_of_a_guest_holds_the_next_guest_of_the_address(address: str) -> None:
    bans = SanctionList(ErrorCode.BAN_LIMIT)
    bans.add(profile("a", address), None)
    assert bans.applies_to(profile("b", address))
    assert not bans.applies_to(profile("b", "203.0.113.8"))


def test_add_of_a_guest_lets_an_account_of_the_address_in() -> None:
    bans = SanctionList(ErrorCode.BAN_LIMIT)
    bans.add(profile("a", "203.0.113.7"), None)
    assert not bans.applies_to(profile("b", "203.0.113.7", guest=False))


def test_add_of_an_account_holds_it_at_every_address_and_the_guests_of_its_own() -> None:
    bans = SanctionList(ErrorCode.BAN_LIMIT)
    bans.add(profile("a", "203.0.113.7", guest=False), None)
    assert bans.applies_to(profile("a", "203.0.113.8", guest=False))
    assert bans.applies_to(profile("b", "203.0.113.7"))
    assert not bans.applies_to(profile("b", "203.0.113.8"))


def test_class_behind_one_address_gets_in_with_accounts_of_their_own() -> None:
    """One of thirty was banned; whoever makes an account only now may be the same person."""
    bans = SanctionList(ErrorCode.BAN_LIMIT)
    bans.add(profile("culprit", "203.0.113.7", guest=False), None)
    pupils = [profile(f"pupil {number}", "203.0.113.7", guest=False) for number in range(29)]
    for pupil in pupils:
        pupil.since = time() - 3_600
        pupil.browser = f"browser {pupil.id}"
    assert not [pupil.id for pupil in pupils if bans.applies_to(pupil)]
    new = profile("new", "203.0.113.7", guest=False)
    new.since = time() + 1
    assert bans.applies_to(new)


@pytest.mark.parametrize(
    ("was_guest", "is_guest", "is_new", "applies"),
    [
        (True, True, False, True),
        (True, False, False, True),  # a guest logs in
        (True, False, True, True),  # or makes an account
        (False, True, False, True),  # an account comes back as a guest
        (False, False, True, True),  # or as another account, made for it
        (False, False, False, False),  # somebody else at the same machine, who has an account of their own
    ],
)
def test_ban_applies_in_the_same_browser_wherever_it_is(
    was_guest: bool, is_guest: bool, is_new: bool, applies: bool
) -> None:
    bans = SanctionList(ErrorCode.BAN_LIMIT)
    culprit, other = profile("a", "203.0.113.7", guest=was_guest), profile("b", "198.51.100.1", guest=is_guest)
    culprit.browser = other.browser = "A" * 22
    bans.add(culprit, None)
    other.since = time() + 1 if is_new else 1.0
    assert bans.applies_to(other) is applies
    other.browser = "B" * 22
    assert not bans.applies_to(other)
    other.browser = ""
    assert not bans.applies_to(other)


def test_traces_count_for_as_long_as_the_operator_says() -> None:
    culprit = profile("a", "203.0.113.7")
    culprit.browser = "A" * 22
    same_network, same_browser = profile("b", "203.0.113.7"), profile("c", "198.51.100.1")
    same_browser.browser = culprit.browser
    for rooms, applies in (
        (RoomsConfig(), [True, True]),
        (RoomsConfig(ban_network_minutes=0), [False, True]),
        (RoomsConfig(ban_browser_days=0), [True, False]),
        (RoomsConfig(ban_network_minutes=60, ban_browser_days=1), [True, True]),
    ):
        bans = SanctionList(ErrorCode.BAN_LIMIT, rooms)
        bans.add(culprit, None)
        assert [bans.applies_to(other) for other in (same_network, same_browser)] == applies, rooms
        assert bans.applies_to(culprit)
    (ban,) = bans.all()
    for age_s, applies in ((3_599, [True, True]), (3_601, [False, True]), (86_401, [False, False])):
        bans.restore(ban._replace(since=time() - age_s))
        assert [bans.applies_to(other) for other in (same_network, same_browser)] == applies, age_s
        assert bans.applies_to(culprit)


@pytest.mark.parametrize(
    ("rank", "roles", "applies"),
    [
        (Rank.OWNER, (), True),
        (Rank.OWNER, ("pro", "editor", "member"), True),
        (Rank.OWNER, ("moderator",), False),
        (Rank.MODERATOR, ("moderator",), False),
        (Rank.ADMIN, ("moderator",), True),
        (Rank.ADMIN, ("admin",), False),
    ],
)
def test_ban_of_a_lower_rank_keeps_nobody_from_their_work(rank: Rank, roles: tuple[str, ...], applies: bool) -> None:
    bans = SanctionList(ErrorCode.BAN_LIMIT)
    player = profile("a", "203.0.113.7", guest=False)
    bans.add(player, None, rank)
    player.roles = frozenset(roles)  # as an admin may give them afterwards
    assert bans.applies_to(player) is applies


def test_ban_keeps_the_highest_rank_that_imposed_it_and_a_bound_of_traces() -> None:
    bans = SanctionList(ErrorCode.BAN_LIMIT)
    for number in range(1_000):
        player = profile("a", f"203.0.{number // 250}.{number % 250 + 1}")
        player.browser = f"{number:022}"
        bans.add(player, None, Rank.ADMIN if number == 500 else Rank.OWNER)
        bans.change("a", 60, Rank.OWNER)
    (ban,) = bans.all()
    assert ban.rank is Rank.ADMIN
    assert (ban.keys[0], len(ban.keys)) == ("a", 32)
    assert ban.keys[1:3] == ("203.0.3.250", f"browser:{999:022}")
    assert bans.lift("a")
    assert not bans.applies_to(player)


def test_lift_by_id_ends_the_ban_of_the_address_too() -> None:
    bans = SanctionList(ErrorCode.BAN_LIMIT)
    bans.add(profile("a", "203.0.113.7"), None)
    assert bans.lift("a")
    assert not bans.applies_to(profile("a", "203.0.113.7"))
    assert not bans.applies_to(profile("b", "203.0.113.7"))


def test_lift_leaves_the_bans_of_others() -> None:
    bans = SanctionList(ErrorCode.BAN_LIMIT)
    bans.add(profile("a"), None)
    bans.add(profile("b"), None)
    bans.lift("a")
    assert bans.applies_to(profile("b"))


def test_lift_without_a_ban_says_so() -> None:
    bans = SanctionList(ErrorCode.BAN_LIMIT)
    bans.add(profile("a"), None)
    assert not bans.lift("b")
    assert bans.lift("a")
    assert not bans.lift("a")


async def test_ban_ends_after_its_seconds() -> None:
    bans = SanctionList(ErrorCode.BAN_LIMIT)
    bans.add(profile("a"), 1)
    assert bans.applies_to(profile("a"))
    await until(lambda: not bans.applies_to(profile("a")), "the ban is over")
    assert not bans.lift("a")


def test_add_to_a_full_list_is_refused() -> None:
    bans = SanctionList(ErrorCode.BAN_LIMIT)
    for number in range(SANCTIONS_LIMIT):
        bans.add(profile(f"user {number}"), None)
    with pytest.raises(Refused, match="at most") as caught:
        bans.add(profile("one more"), None)
    assert (caught.value.code, caught.value.field) == (ErrorCode.BAN_LIMIT, None)


def test_lift_by_id_ends_the_address_of_a_restored_ban_too() -> None:
    bans = SanctionList(ErrorCode.BAN_LIMIT)
    bans.restore(Imposed(("a", "203.0.113.7"), monotonic() + 60))
    assert [one.keys for one in bans.all()] == [("a", "203.0.113.7")]
    assert bans.lift("a")
    assert not bans.applies_to(profile("b", "203.0.113.7"))


def test_add_of_a_guest_holds_the_next_one_of_its_network_of_ipv6() -> None:
    bans = SanctionList(ErrorCode.BAN_LIMIT)
    bans.add(profile("a", "2001:db8:0:1::7"), None)
    assert bans.applies_to(profile("b", "2001:db8:0:1:ffff::8"))
    assert not bans.applies_to(profile("c", "2001:db8:0:2::7"))


def test_restored_ban_of_an_address_is_one_of_its_network() -> None:
    bans = SanctionList(ErrorCode.BAN_LIMIT)
    bans.restore(Imposed(("a", "2001:db8:0:1::7"), monotonic() + 60))
    assert bans.applies_to(profile("b", "2001:db8:0:1::8"))
    assert bans.lift("a")
    assert not bans.applies_to(profile("b", "2001:db8:0:1::8"))


def test_sanctions_of_one_network_stand_beside_each_other() -> None:
    """The longest one holds, and lifting one leaves the others."""
    bans = SanctionList(ErrorCode.BAN_LIMIT)
    bans.add(profile("a", "203.0.113.7"), None)
    bans.add(profile("b", "203.0.113.7"), 60)
    bans.change("b", 0)
    newcomer = profile("c", "203.0.113.7")
    assert bans.applies_to(newcomer)
    bans.add(profile("b", "203.0.113.7"), None)
    assert bans.lift("b")
    assert bans.applies_to(newcomer)
    assert [one.keys[0] for one in bans.over(newcomer)] == ["a"]
    assert bans.lift("a")
    assert not bans.applies_to(newcomer)
    assert not bans.lift("a")
