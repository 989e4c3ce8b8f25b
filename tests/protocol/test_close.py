"""The table of close codes."""

import pytest

from rhythm_protocol.close import ABNORMAL, CLOSE_RULES, Close, close_rule


def test_close_names_are_unique() -> None:
    assert len({rule.name for rule in CLOSE_RULES.values()}) == len(CLOSE_RULES)


@pytest.mark.parametrize("code", CLOSE_RULES)
def test_close_code_is_registered_or_private(code: int) -> None:
    """RFC 6455, 7.4: under 3000 only registered codes, 4000-4999 for private use."""
    assert code in {*range(1000, 1004), *range(1006, 1016)} or 4000 <= code < 5000


@pytest.mark.parametrize("rule", [rule for rule in CLOSE_RULES.values() if rule.reconnect], ids=lambda r: r.name)
def test_reconnect_wait_is_a_growing_pair_under_a_minute(rule: Close) -> None:
    assert rule.reconnect_after is not None
    shortest, longest = rule.reconnect_after
    assert 0 < shortest < longest <= 60


def test_close_rule_known_code_is_its_row() -> None:
    assert close_rule(1012).name == "restarting"


@pytest.mark.parametrize("code", [0, 999, 1005, 1015, 3000, 4999])
def test_close_rule_unknown_code_counts_as_lost(code: int) -> None:
    assert close_rule(code) is ABNORMAL
