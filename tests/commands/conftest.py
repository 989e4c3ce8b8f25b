"""Servers whose every step is the test's, and clients that do not wait before they come back."""

from collections.abc import AsyncIterator

import pytest

from rhythm_protocol.close import Close
from rhythmd.client.session import Backoff
from tests.commands.stage import Stage


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with Stage().set() as stage:
        yield stage


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that lost the connection comes back at once."""

    def at_once(_: Backoff, rule: Close) -> float | None:
        return 0.01 if rule.reconnect else None

    monkeypatch.setattr(Backoff, "next_wait", at_once)
