"""Charging what waits for something in between: the loop's time for each piece of it."""

from collections.abc import Coroutine, Generator
from time import monotonic
from types import coroutine
from typing import Any, Protocol, TypeVar

from rhythmd.fairness.account import Account
from rhythmd.fairness.slots import PAYER
from rhythmd.fairness.turns import Turns

__all__ = ["Meter", "TimeMeter", "metered"]

ResultT = TypeVar("ResultT")


class Meter(Protocol):
    """Is told when a piece of work begins and ends. `account` is of whoever pays for it, if anybody does."""

    @property
    def account(self) -> Account | None: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...


class TimeMeter:
    """Charges an account for the loop's time. Without one it does nothing."""

    __slots__ = ("_began", "account")

    def __init__(self, account: Account | None) -> None:
        self.account = account
        self._began = 0.0

    def start(self) -> None:
        self._began = monotonic()

    def stop(self) -> None:
        if self.account is not None:
            self.account.charge_work(self._began, monotonic())


@coroutine
def metered(work: Coroutine[Any, Any, ResultT], meter: Meter, turns: Turns) -> Generator[Any, None, ResultT]:
    """What `work` returns. The meter runs whenever `work` does, and not while it waits.

    Each piece of it waits for a turn if its account is over its share: what one has started and waits for would else
    go on all at once, whenever its answers come. To be run in a task of its own: whatever that waits for is on the
    same account.
    """
    account = meter.account
    PAYER.set(account)
    failure: BaseException | None = None
    while True:
        if account is not None and failure is None and not account.may_go_on(monotonic()):
            try:
                yield from turns.turn(account).__await__()
            except BaseException as error:  # noqa: BLE001 - as below
                failure = error
        meter.start()
        try:
            waits_for = work.send(None) if failure is None else work.throw(failure)
        except StopIteration as end:
            result: ResultT = end.value
            return result
        finally:
            meter.stop()
        failure = None
        try:
            yield waits_for
        except BaseException as error:  # noqa: BLE001 - also a cancellation is the work's to handle
            failure = error
