"""Accounts of clients, and tasks that they pay for."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from rhythmd.config import LimitsConfig
from rhythmd.fairness.account import Account, NetworkAccount, Prices
from rhythmd.fairness.metering import TimeMeter, metered
from rhythmd.fairness.turns import Turns
from rhythmd.telemetry import Stats

__all__ = ["new_account", "new_turns", "paid_by"]

T = TypeVar("T")


def new_account(network: NetworkAccount | None = None) -> Account:
    """Of a client of this network, or of one of its own."""
    return Account(Prices(LimitsConfig()), network or NetworkAccount())


def new_turns() -> Turns:
    """Of the running loop."""
    return Turns(asyncio.get_running_loop(), LimitsConfig(), Stats())


class _FreeOfCharge:
    """A meter that names who pays and charges nothing, so that no pause of the machine makes the work wait."""

    def __init__(self, account: Account) -> None:
        self.account: Account | None = account

    def start(self) -> None: ...

    def stop(self) -> None: ...


def paid_by(account: Account, work: Coroutine[Any, Any, T], turns: Turns | None = None) -> asyncio.Task[T]:
    """`work` in a task, on this account, which is charged for it where there are turns to wait for."""
    if turns is None:
        return asyncio.create_task(metered(work, _FreeOfCharge(account), new_turns()))
    return asyncio.create_task(metered(work, TimeMeter(account), turns))
