"""A connection that is worked off when it is its turn."""

import asyncio
from time import monotonic
from typing import Final, Protocol

from rhythmd.fairness.account import Account
from rhythmd.fairness.turns import Turns

__all__ = ["FairProtocol"]


class Source(Protocol):
    """Where bytes come from: a transport, or what stands before one."""

    def is_closing(self) -> bool: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class _Nowhere:
    """The source of a connection that is lost."""

    def is_closing(self) -> bool:
        return True

    def pause_reading(self) -> None:
        """Nothing comes."""

    def resume_reading(self) -> None:
        """Nothing comes."""


_NOWHERE: Final = _Nowhere()


class FairProtocol(asyncio.Protocol):
    """Hands on what comes in at once while its accounts allow it; else it stops reading, and waits for its turn.

    Args:
        turns: of all connections.
        account: of this one.
        source: of its bytes.
    """

    __slots__ = (
        "_at", "_held", "_paying", "_source", "_turns", "_unread", "_unread_since", "_unread_size", "account",
    )  # fmt: skip

    counts_bytes = True
    """Whether bytes are charged, beside frames and the loop's time."""

    kind = "unread"
    """Of what waits here, as the budget has it."""

    def __init__(self, turns: Turns, account: Account, source: Source) -> None:
        self._turns = turns
        self.account = account
        self._source: Source = source
        self._held: bytes | None = None  # what waits for its turn, from index `_at` on
        self._at = 0
        self._paying: asyncio.TimerHandle | None = None  # until it has sent no more than it may
        self._unread = turns.memory.of(self.kind)
        self._unread_size = 0  # of what waits here, as far as the budget knows
        self._unread_since = 0.0

    def half_read_bytes(self) -> int:
        """Bytes of what is not whole yet."""
        return 0

    def unread_bytes(self) -> int:
        """How much has come that was not its turn, or is not whole."""
        return self._unread_size

    def unread_s(self) -> float:
        """For how long there has been some of that, in seconds."""
        return monotonic() - self._unread_since if self._unread_size else 0.0

    def count_unread(self) -> None:
        """What waits here is more, or less."""
        size = self.half_read_bytes() + (0 if self._held is None else len(self._held))
        if size != self._unread_size:
            if not self._unread_size:
                self._unread_since = monotonic()
            self._unread.take(size - self._unread_size)
            self._unread_size = size

    def work_off(self, data: bytes, at: int) -> int:
        """Handle some of `data` from index `at` on: no more than a moment's work. The index that was reached.

        It counts frames in the account.
        """
        raise NotImplementedError

    def slowed(self) -> None:
        """More comes in than may; called once, until all of it is paid off."""

    def flooding(self) -> None:
        """That has gone on for too long; called until the connection is gone."""
        raise NotImplementedError

    def abort(self) -> None:
        """Drop the connection at once."""
        raise NotImplementedError

    def data_received(self, data: bytes) -> None:
        account = self.account
        start = monotonic()
        if self._held is not None or not account.may_go_on(start):
            account.charge_input(start, len(data) if self.counts_bytes else 0)
            self._hold(data, 0)
            return
        reached = self.work_off(data, 0)
        account.charge(start, monotonic(), len(data) if self.counts_bytes else 0)
        if reached < len(data):
            self._hold(data, reached)

    def connection_lost(self, exc: Exception | None) -> None:
        self.forget_unread()

    def forget_unread(self) -> None:
        """Nothing waits here any more."""
        self._held = None
        self._source = _NOWHERE  # for a source may lead back to here: what is lost is to be freed at once
        if self._paying is not None:
            self._paying.cancel()
            self._paying = None
        self._unread.give(self._unread_size)
        self._unread_size = 0

    def _hold(self, data: bytes, at: int) -> None:
        if self._held is not None:
            self._held = self._held[self._at :] + data[at:]
            self._at = 0
        elif not self._source.is_closing():
            self._held, self._at = data, at
            self._source.pause_reading()
            self._turns.wait(self)
        self.count_unread()

    def take_turn(self) -> bool:
        """Implements `Waiter`. What is done here is not charged as work: others had their turn before."""
        held, account = self._held, self.account
        if held is None or self._source.is_closing():
            self.forget_unread()
            return False
        now = monotonic()
        wait_s = account.input_wait_s(now)
        if wait_s:
            self._wait_until_paid(now, wait_s)
            return False
        if self._at == len(held):  # a turn of its own, because to read is work, too
            self._held = None
            self.count_unread()
            self._source.resume_reading()
            return False
        self._at = self.work_off(held, self._at)
        account.charge_input(now, 0)
        return True

    def _wait_until_paid(self, now: float, wait_s: float) -> None:
        account = self.account
        if account.flooding_since is None:
            account.flooding_since = now
            self.slowed()
        elif account.is_flooding(now):
            self.flooding()
        self._paying = self._turns.wait_until_paid(self, wait_s)
