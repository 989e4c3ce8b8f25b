"""The shares of guests, networks and accounts in what all have in common."""

import pytest

from rhythm_protocol.errors import ErrorCode
from rhythmd.addresses import set_customer_prefix
from rhythmd.config import Config, LimitsConfig, RecordingConfig
from rhythmd.errors import Refused
from rhythmd.fairness.shares import CommonGood, Holder, Scope, Shares
from rhythmd.hub.rooms.members import Player

LIMITS = LimitsConfig(guest_share=50.0, guest_network_share=20.0, account_network_share=50.0)
HOME = Holder("203.0.113.7", guest=True, is_network=True)
CLARA = Holder("clara")


def neighbour(number: int) -> Holder:
    return Holder(f"198.51.100.{number}", guest=True, is_network=True)


def account(number: int, network: str = "") -> Holder:
    return Holder(f"account {number}", network=network)


def player(address: str, *, guest: bool = True) -> Player:
    return Player("someone", "Someone", "#ffffff", address, guest=guest, bot=False)


def test_network_then_guests_then_all_are_used_up() -> None:
    good = CommonGood(LIMITS, 10)
    home = [good.take(HOME) for _ in range(2)]
    assert good.used_up(HOME) is Scope.NETWORK
    for number in range(3):
        assert good.used_up(neighbour(number)) is None
        good.take(neighbour(number))
    assert good.used_up(neighbour(9)) is Scope.GUESTS
    for number in range(5):
        assert good.used_up(account(number)) is None
        good.take(account(number))
    assert good.used_up(CLARA) is Scope.ALL
    home[0].release()
    home[0].release()  # changes nothing
    assert good.used_up(CLARA) is None
    assert good.used_up(HOME) is None
    good.take(CLARA)
    assert good.used_up(HOME) is Scope.ALL


def test_accounts_of_one_network_leave_some_for_others() -> None:
    good = CommonGood(LIMITS, 10)
    claims = [good.take(account(number, HOME.key)) for number in range(5)]
    assert good.used_up(account(9, HOME.key)) is Scope.ACCOUNTS
    assert good.used_up(HOME) is None  # its guests have a share of their own
    assert good.used_up(account(9, "198.51.100.1")) is None
    assert good.used_up(account(9)) is None  # over loopback
    claims[0].release()
    assert good.used_up(account(9, HOME.key)) is None


def test_account_has_a_share_wherever_it_comes_from() -> None:
    good = CommonGood(LIMITS, 10)
    for number in range(2):
        good.take(account(1, f"198.51.100.{number}"))
    assert good.used_up(account(1, HOME.key)) is Scope.ACCOUNT


def test_account_has_a_share() -> None:
    good = CommonGood(LIMITS, 10)
    claims = [good.take(CLARA) for _ in range(2)]
    assert good.used_up(CLARA) is Scope.ACCOUNT
    assert good.used_up(Holder("robert")) is None
    claims[0].release()
    assert good.used_up(CLARA) is None


def test_refusal_says_whose_share_it_is() -> None:
    good = CommonGood(LIMITS, 10)
    good.take(HOME, 2)
    good.require(neighbour(1), ErrorCode.ROOM_LIMIT, "rooms")
    with pytest.raises(Refused) as caught:
        good.require(HOME, ErrorCode.ROOM_LIMIT, "rooms")
    assert caught.value.code is ErrorCode.ROOM_LIMIT
    assert "your network" in caught.value.message


def test_guest_without_a_network_is_counted_with_guests_only() -> None:
    good = CommonGood(LIMITS, 10)
    for _ in range(5):
        assert good.used_up(Holder("a", guest=True)) is None
        good.take(Holder("a", guest=True))
    assert good.used_up(Holder("b", guest=True)) is Scope.GUESTS


def test_claim_grows_and_shrinks() -> None:
    good = CommonGood(LIMITS, 100)
    claim = good.take(HOME, 5)
    claim.resize(20)
    assert good.used_up(HOME) is Scope.NETWORK
    claim.resize(19)
    assert good.used_up(HOME) is None
    assert good.taken(HOME) == 19
    claim.release()
    assert good.taken(HOME) == 0


@pytest.mark.parametrize("size", [1, 2, 3])
def test_least_good_has_something_for_a_guest(size: int) -> None:
    assert CommonGood(LimitsConfig(), size).used_up(HOME) is None


@pytest.mark.parametrize(
    ("address", "prefix", "key", "is_network"),
    [
        ("203.0.113.7", 32, "203.0.113.7", True),
        ("203.0.113.7", 24, "203.0.113.0/24", True),
        ("::ffff:203.0.113.7", 24, "203.0.113.0/24", True),
        ("2001:db8::1:2:3:4", 24, "2001:db8::/64", True),
        ("127.0.0.1", 24, "someone", False),
        ("::1", 32, "someone", False),
    ],
)
def test_guests_are_counted_by_network(address: str, prefix: int, key: str, is_network: bool) -> None:
    set_customer_prefix(prefix)
    shares = Shares(Config())
    assert shares.holder(player(address)) == Holder(key, guest=True, is_network=is_network)
    assert shares.holder(player(address, guest=False)) == Holder("someone", network=key if is_network else "")


def test_class_of_thirty_is_within_its_share_of_everything() -> None:
    """Each has a room of their own, a reserved seat, as many recordings as a user may, and a long chat."""
    config = Config()
    shares, recordings = Shares(config), RecordingConfig()
    for _ in range(30):
        for good, amount in (
            (shares.rooms, 1),
            (shares.seats, 1),
            (shares.recordings, recordings.per_user),
            (shares.live_bytes, 200_000),
        ):
            assert good.used_up(HOME, amount) is None
            good.take(HOME, amount)
