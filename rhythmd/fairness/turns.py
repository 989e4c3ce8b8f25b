"""Whose turn it is, when there is more to do than may be done at once.

Networks take turns, and within each its connections. A round of them ends after a moment, and goes on when the loop has
served whoever came in meanwhile: so whoever spends little is never behind whoever spends much.
"""

import asyncio
from collections import deque
from time import monotonic
from typing import Final, NamedTuple, Protocol

from rhythmd.addresses import customer_network, is_loopback
from rhythmd.bounded import BoundedDict
from rhythmd.config import LimitsConfig
from rhythmd.fairness.account import SEND_S, Account, NetworkAccount, Prices
from rhythmd.fairness.memory import MIB, Memory
from rhythmd.telemetry import Stats, net_log

__all__ = ["ROUND_S", "Turns", "Waiter"]

ROUND_S: Final = 0.002
TICKETS: Final = 4
"""Tasks that are called in one round, at most: what they do comes on top of it, and is not known before."""
FELT_S: Final = 0.05
"""A wait for a turn that somebody could feel, and that is counted. Most of those beyond a share are a moment long."""
NETWORKS: Final = 20_000  # that are remembered; each takes some hundred bytes


class Waiter(Protocol):
    """What waits for its turn."""

    @property
    def account(self) -> Account: ...

    def take_turn(self) -> bool:
        """Do a moment's work; whether to have another turn."""
        ...

    def abort(self) -> None:
        """Give up: its turn has failed."""


class _Ticket:
    """Waits in the place of a task, which does its work after the round."""

    __slots__ = ("account", "called")

    def __init__(self, account: Account, called: asyncio.Future[None]) -> None:
        self.account = account
        self.called = called

    def take_turn(self) -> bool:
        if not self.called.done():  # and so not cancelled
            self.called.set_result(None)
        return False

    def abort(self) -> None:
        """Setting a result does not fail."""


class _Place(NamedTuple):
    """A waiter's place in its queue, since a moment (s); why it has to wait, if it has not had a turn yet."""

    waiter: Waiter
    since: float
    reason: str | None


class Turns:
    """Keeps the accounts of networks, and gives turns.

    Args:
        loop: on which all of this runs.
        limits: of what a client and a network may cost.
        stats: counts whoever had to wait, and why.

    Attributes:
        memory: counts what waits meanwhile, and for whatever else.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: LimitsConfig, stats: Stats) -> None:
        self.memory = Memory(limits.memory_mb * MIB, loop, stats)
        self._loop = loop
        self._stats = stats
        self._limits = limits
        self.prices = Prices(limits)
        self._networks: BoundedDict[str, NetworkAccount] = BoundedDict(NETWORKS)
        self._queues: dict[NetworkAccount, deque[_Place]] = {}
        self._order: deque[NetworkAccount] = deque()  # the network whose turn it is comes first
        self._tickets = 1  # that may be called in a round: more, while what the tasks do is short
        self._called = 0  # in the last round
        self._round_ended = 0.0

    @property
    def is_busy(self) -> bool:
        """Whether somebody waits for a turn."""
        return bool(self._order)

    def network(self, address: str) -> NetworkAccount:
        """The account of an address's network. Loopback is a whole machine: each of its connections has its own."""
        if is_loopback(address):
            return NetworkAccount()
        network = customer_network(address)
        account = self._networks.get(network)
        if account is None:
            account = self._networks[network] = NetworkAccount()
        else:
            self._networks.move_to_end(network)
        return account

    def account(self, address: str) -> Account:
        """The account of a new connection from `address`."""
        return Account(self.prices, self.network(address))

    def flooded(self, network: NetworkAccount) -> None:
        """A connection of this network was closed for flooding."""
        network.flooded(monotonic(), self._limits.flood_memory_s, self._limits.flood_closes)

    def cut_off(self, network: NetworkAccount, kind: str) -> None:
        """The same, where nothing could be said to it. `kind` names the flood in the metrics."""
        self._stats.closes[kind] += 1
        self.flooded(network)

    def kept_out_s(self, network: NetworkAccount) -> int:
        """Seconds for which this network may open no sockets, because too many of its connections were flooding."""
        return network.kept_out_s(monotonic(), self._limits.flood_memory_s, self._limits.flood_closes)

    def wait(self, waiter: Waiter) -> None:
        """Give `waiter` its turn when those before it have had theirs."""
        now = monotonic()
        self._enqueue(_Place(waiter, now, waiter.account.reason(now)))

    async def turn(self, account: Account) -> None:
        """Return when whoever has this account may go on: at once, or when it has its turn."""
        if not account.may_go_on(monotonic()):
            ticket = _Ticket(account, self._loop.create_future())
            self.wait(ticket)
            await ticket.called

    def wait_until_paid(self, waiter: Waiter, wait_s: float) -> asyncio.TimerHandle:
        """Give `waiter` its turn in `wait_s` seconds at the earliest; the timer, for who is gone before."""
        self._stats.slowed["input"] += 1
        return self._loop.call_later(wait_s, self._enqueue, _Place(waiter, 0.0, None))

    def _enqueue(self, place: _Place) -> None:
        if not self._order:
            self._loop.call_soon(self._round)
        network = place.waiter.account.network
        queue = self._queues.get(network)
        if queue is None:
            queue = self._queues[network] = deque()
            self._order.append(network)
            self.prices.share_among(len(self._order))
        queue.append(place)

    def _round(self) -> None:
        """Turns for a moment, one network after the other."""
        order, queues = self._order, self._queues
        now = monotonic()
        self._judge_tasks(now)
        end = now + ROUND_S
        tickets = 0
        while order and tickets < self._tickets:
            network = order[0]
            queue = queues[network]
            waiter, since, reason = queue.popleft()
            if reason is not None and monotonic() - since > FELT_S:
                self._stats.slowed[reason] += 1
            tickets += isinstance(waiter, _Ticket)
            account, sent = waiter.account, waiter.account.sends
            if _has_more(waiter):
                queue.append(_Place(waiter, 0.0, None))
            end -= (account.sends - sent) * SEND_S
            order.popleft()
            if queue:
                order.append(network)
            else:
                del queues[network]
            if monotonic() >= end:
                break
        self.prices.share_among(len(order))
        self._called, self._round_ended = tickets, monotonic()
        if order:
            self._loop.call_soon(self._round)

    def _judge_tasks(self, now: float) -> None:
        """Those of the last round have done their work, and whatever else came had its turn."""
        if self._called:
            is_short = now - self._round_ended < ROUND_S
            self._tickets = min(TICKETS, self._tickets + 1) if is_short else 1


def _has_more(waiter: Waiter) -> bool:
    """Give one its turn. One that fails has no further one, and does not end those of others."""
    try:
        return waiter.take_turn()
    except Exception:  # noqa: BLE001 - as a loop does with a protocol that fails
        net_log.exception("what a connection sent could not be handled")
        waiter.abort()
        return False
