"""The waits before coming back."""

import pytest

from rhythm_protocol.close import ABNORMAL, CLOSE_RULES, RESTARTING, Close
from rhythmd.client.session import Backoff


def test_next_wait_doubles_up_to_a_minute() -> None:
    backoff = Backoff()
    waits = [backoff.next_wait(ABNORMAL) or 0.0 for _ in range(12)]
    for turn, wait_s in enumerate(waits):
        assert min(0.5 * 2**turn, 60) <= wait_s <= min(2 * 2**turn, 60)
    assert waits[-1] == 60


def test_next_wait_starts_over_after_a_connection() -> None:
    backoff = Backoff()
    for _ in range(9):
        backoff.next_wait(RESTARTING)
    backoff.reset()
    assert 1 <= (backoff.next_wait(RESTARTING) or 0.0) <= 10


@pytest.mark.parametrize(
    "rule", [rule for rule in CLOSE_RULES.values() if not rule.reconnect], ids=lambda rule: rule.name
)
def test_next_wait_is_none_when_the_table_says_so(rule: Close) -> None:
    assert Backoff().next_wait(rule) is None
