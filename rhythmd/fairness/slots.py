"""Places that all networks share: who waits for one, in which order, and who gives way when too many wait."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Final, Generic, TypeVar

from rhythmd.fairness.account import Account, NetworkAccount

__all__ = ["PAYER", "Crowded", "FairQueue", "FairSlots", "paying_network"]

T = TypeVar("T")
ItemT = TypeVar("ItemT")

PAYER: Final[ContextVar[Account | None]] = ContextVar("payer", default=None)
"""Whose request or message a task works for; None for the server's own work."""


def paying_network() -> NetworkAccount | None:
    """The network that the running task works for; None if it is the server itself."""
    account = PAYER.get()
    return None if account is None else account.network


class Crowded(Exception):
    """Too many wait already, and this network has the most of them."""


class FairQueue(Generic[ItemT]):
    """What waits, by network. Networks take turns; within one, who came first is first.

    Args:
        limit: items that may wait.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._length = 0
        self._queues: OrderedDict[object, deque[ItemT]] = OrderedDict()  # the network whose turn it is comes first

    def __len__(self) -> int:
        return self._length

    def put(self, network: object, item: ItemT) -> ItemT | None:
        """Let `item` wait. If it is one too many, the newest of the network with the most gives way, and is returned.

        That is `item` itself unless another network has more.
        """
        self._queues.setdefault(network, deque()).append(item)
        self._length += 1
        if self._length <= self._limit:
            return None
        most = max(self._queues, key=lambda other: (len(self._queues[other]), other is network))
        given_up = self._queues[most].pop()
        self._removed_from(most)
        return given_up

    def take(self) -> ItemT:
        """The next item; there must be one."""
        network, queue = next(iter(self._queues.items()))
        item = queue.popleft()
        self._queues.move_to_end(network)
        self._removed_from(network)
        return item

    def discard(self, network: object, item: ItemT) -> None:
        """`item` waits no longer, if it did."""
        queue = self._queues.get(network)
        if queue is not None and item in queue:
            queue.remove(item)
            self._removed_from(network)

    def _removed_from(self, network: object) -> None:
        self._length -= 1
        if not self._queues[network]:
            del self._queues[network]


class FairSlots:
    """A semaphore whose waiters are let in network by network, and of which not too many may wait.

    Args:
        slots: how many may be inside at once.
        queue: how many may wait.
    """

    def __init__(self, slots: int, queue: int) -> None:
        self._free = slots
        self._taken = 0
        self._waiting: FairQueue[asyncio.Future[None]] = FairQueue(queue)

    @property
    def taken(self) -> int:
        """How many are inside."""
        return self._taken

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    async def acquire(self) -> None:
        """Wait for a slot, which `release` gives back. Raises Crowded, at once or when others come."""
        if self._free:
            self._free -= 1
            self._taken += 1
            return
        network, called = paying_network(), asyncio.get_running_loop().create_future()
        gives_way = self._waiting.put(network, called)
        if gives_way is not None and not gives_way.done():
            gives_way.set_exception(Crowded())
        try:
            await called
        except asyncio.CancelledError:
            self._waiting.discard(network, called)
            if called.done() and not called.cancelled() and called.exception() is None:
                self.release()
            raise

    def release(self) -> None:
        """Give a slot to the next one who waits."""
        while self._waiting:
            called = self._waiting.take()
            if not called.done():
                called.set_result(None)
                return
        self._free += 1
        self._taken -= 1

    async def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """What comes of `work`, which begins as soon as there is a slot for it. Raises as `acquire`.

        It is a task of its own: a caller that has to wait for its turn keeps no slot from others meanwhile. When the
        caller gives up, work that has begun goes on, and has its slot until it is done.
        """
        has_begun = False

        async def inside() -> T:
            nonlocal has_begun
            async with self.slot():
                has_begun = True
                return await work()

        task = asyncio.create_task(inside())
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not has_begun:
                task.cancel()
            task.add_done_callback(_see)
            raise

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Be inside for as long as the block lasts. Raises as `acquire`."""
        await self.acquire()
        try:
            yield
        finally:
            self.release()


def _see(task: "asyncio.Task[object]") -> None:
    """Nobody is there any more for what has become of it."""
    if not task.cancelled():
        task.exception()
