"""What the benches ask of the system, where it does not give it."""

from pathlib import Path

import pytest

from bench import system


def test_place_ahead_of_others_that_the_system_refuses_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    refusing = Path("/proc/self/timerslack_ns")  # takes no negative number, as a session without a group takes none
    if not refusing.exists():
        pytest.skip("this system has no file that refuses a number")
    monkeypatch.setattr(system, "_GROUP", refusing)
    before = refusing.read_text()
    with system.ahead():
        assert refusing.read_text() == before
    assert refusing.read_text() == before
