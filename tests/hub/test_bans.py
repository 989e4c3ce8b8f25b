"""A ban: to whom it applies, and for how long."""

import pytest

from rhythm_protocol.errors import ErrorCode
from rhythmd.errors import Refused
from rhythmd.hub.rooms.members import Player
from rhythmd.hub.rooms.sanctions import SANCTIONS_LIMIT, SanctionList
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


def test_add_of_an_account_holds_it_at_every_address_and_no_address() -> None:
    bans = SanctionList(ErrorCode.BAN_LIMIT)
    bans.add(profile("a", "203.0.113.7", guest=False), None)
    assert bans.applies_to(profile("a", "203.0.113.8", guest=False))
    assert not bans.applies_to(profile("b", "203.0.113.7"))


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
    bans.restore(("a", "203.0.113.7"), 60.0)
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
    bans.restore(("a", "2001:db8:0:1::7"), 60.0)
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
