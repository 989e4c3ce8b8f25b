"""How guessing is slowed down, and that nobody is locked out for long."""

import pytest

from rhythmd.auth.errors import LockedOut
from rhythmd.auth.lockout import Lockout, LockoutPolicy
from tests.auth.parts import ManualClock

HOME, ELSEWHERE = "192.0.2.1", "198.51.100.7"


@pytest.fixture
def lockout(clock: ManualClock) -> Lockout:
    return Lockout(LockoutPolicy(3, 1.0, 60.0), LockoutPolicy(10, 1.0, 60.0), LockoutPolicy(6, 1.0, 20.0), 100, clock)


def wait_s(lockout: Lockout, account: str, address: str, *, trusted: bool = False) -> float:
    """Seconds that an attempt now has to wait; 0 when it is let through, and then it fails."""
    try:
        lockout.begin(account, address, trusted=trusted)
    except LockedOut as locked:
        return locked.retry_after_s
    return 0.0


def fail(lockout: Lockout, clock: ManualClock, account: str, address: str) -> None:
    """One more failure, however long it has to wait for its turn."""
    while seconds := wait_s(lockout, account, address):
        clock.advance(seconds)


def test_begin_free_failures_are_not_locked(lockout: Lockout) -> None:
    assert [wait_s(lockout, "anna", HOME) for _ in range(4)] == [0.0] * 4
    assert wait_s(lockout, "anna", HOME) == 1.0


def test_begin_further_failures_double_the_lock_up_to_the_longest(lockout: Lockout, clock: ManualClock) -> None:
    for _ in range(3):
        fail(lockout, clock, "anna", HOME)
    waits = []
    for _ in range(9):
        fail(lockout, clock, "anna", HOME)
        waits.append(wait_s(lockout, "anna", HOME))
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]


def test_begin_during_a_lock_does_not_lengthen_it(lockout: Lockout, clock: ManualClock) -> None:
    for _ in range(4):
        fail(lockout, clock, "anna", HOME)
    clock.advance(0.5)
    assert wait_s(lockout, "anna", HOME) == 0.5
    clock.advance(0.5)
    assert wait_s(lockout, "anna", HOME) == 0.0


def test_begin_many_at_once_get_no_further_than_in_turn(lockout: Lockout) -> None:
    admitted = [seconds for seconds in (wait_s(lockout, "anna", HOME) for _ in range(100)) if not seconds]
    assert len(admitted) == 4


def test_begin_one_address_at_many_accounts_is_locked(lockout: Lockout) -> None:
    waits = [wait_s(lockout, f"user-{i}", HOME) for i in range(12)]
    assert waits == [0.0] * 11 + [1.0]


def test_begin_many_addresses_at_one_account_are_locked_but_not_its_own(lockout: Lockout) -> None:
    waits = [wait_s(lockout, "anna", f"203.0.113.{i}") for i in range(8)]
    assert waits == [0.0] * 7 + [1.0]
    assert lockout.is_under_attack("anna")
    assert wait_s(lockout, "anna", HOME, trusted=True) == 0.0


def test_begin_trusted_address_is_still_held_to_its_own_failures(lockout: Lockout) -> None:
    waits = [wait_s(lockout, "anna", HOME, trusted=True) for _ in range(5)]
    assert waits[-1] == 1.0


def test_begin_account_under_attack_is_never_locked_longer_than_its_cap(lockout: Lockout, clock: ManualClock) -> None:
    for i in range(40):
        fail(lockout, clock, "anna", f"203.0.113.{i}")
    assert wait_s(lockout, "anna", ELSEWHERE) == 20.0


def test_succeed_forgets_the_failures_of_the_pair_only(lockout: Lockout) -> None:
    for _ in range(2):
        wait_s(lockout, "anna", HOME)
    lockout.begin("anna", HOME).succeed()
    assert [wait_s(lockout, "anna", HOME) for _ in range(5)] == [0.0] * 4 + [1.0]
    assert lockout.is_under_attack("anna") is False
    wait_s(lockout, "anna", ELSEWHERE)
    assert lockout.is_under_attack("anna")


def test_succeed_with_an_own_account_does_not_free_the_address(lockout: Lockout) -> None:
    for i in range(10):
        wait_s(lockout, f"user-{i}", HOME)
        lockout.begin("mallory", HOME).succeed()
    wait_s(lockout, "user-10", HOME)
    assert wait_s(lockout, "user-11", HOME) == 1.0


def test_withdraw_counts_nothing(lockout: Lockout) -> None:
    for _ in range(100):
        lockout.begin("anna", HOME).withdraw()
    assert wait_s(lockout, "anna", HOME) == 0.0


def test_begin_after_a_quiet_quarter_of_an_hour_starts_anew(lockout: Lockout, clock: ManualClock) -> None:
    for _ in range(8):
        fail(lockout, clock, "anna", HOME)
    clock.advance(15 * 60 + 1)
    assert [wait_s(lockout, "anna", HOME) for _ in range(5)] == [0.0] * 4 + [1.0]


def test_begin_many_accounts_and_addresses_keep_memory_bounded(lockout: Lockout) -> None:
    for i in range(1_000):
        wait_s(lockout, f"user-{i}", f"10.0.{i // 250}.{i % 250}")
    assert len(lockout.by_pair) == len(lockout.by_address) == len(lockout.by_account) == 100
