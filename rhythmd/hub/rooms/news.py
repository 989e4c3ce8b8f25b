"""What a room is told of how things are, at a rate that everybody in it can bear.

That somebody types, is called something else, or that the room has other rules, is true until the next such message:
if many come, only the newest of each matters.
"""

import asyncio
from collections.abc import Callable, Collection
from typing import Final, NamedTuple

from rhythmd.hub.sending.delivery import Delivery
from rhythmd.hub.sending.fanout import Fanout
from rhythmd.hub.sending.outbound import ControlMessage
from rhythmd.hub.sending.pacer import Pacer

__all__ = ["News", "Topic"]

WINDOW_S: Final = 0.1

Topic = tuple[str, int]
"""The type of a message, and the slot that it is about; 0 for the room."""


class _Item(NamedTuple):
    make: Callable[[], object]
    skip: Collection[Delivery]


class News:
    """Tells what is new at once; when a moment has had its share, the newest of each topic in the next one.

    Args:
        fanout: of the room.
        pacer: of the loop.
        per_s: messages to the room a second.
    """

    __slots__ = ("_fanout", "_most", "_pacer", "_timer", "_told", "_waiting")

    def __init__(self, fanout: Fanout, pacer: Pacer, per_s: int) -> None:
        self._fanout = fanout
        self._pacer = pacer
        self._most = max(1, round(per_s * WINDOW_S))
        self._told = 0  # in this window
        self._waiting: dict[Topic, _Item] = {}
        self._timer: asyncio.TimerHandle | None = None

    def tell(self, topic: Topic, make: Callable[[], object], skip: Collection[Delivery] = ()) -> None:
        """Tell the room of `topic`, everybody but `skip`. `make` makes the message's data when it is sent."""
        if self._told < self._most and not self._waiting:
            self._send(topic, _Item(make, skip))
        else:
            self._waiting[topic] = _Item(make, skip)
        if self._timer is None:
            self._timer = self._pacer.later(WINDOW_S, self._next_window)

    def tell_now(self, topic: Topic, make: Callable[[], object]) -> None:
        """The same where something else comes right behind it that makes no sense without."""
        self._waiting.pop(topic, None)
        self._send(topic, _Item(make, ()))

    def forget(self, slot: int) -> None:
        """The member of `slot` is gone: what waits about them is not sent."""
        for topic in [topic for topic in self._waiting if topic[1] == slot]:
            del self._waiting[topic]

    def finish(self) -> None:
        """Tell all that waits, now."""
        for topic in list(self._waiting):
            self._send(topic, self._waiting.pop(topic))

    def _send(self, topic: Topic, item: _Item) -> None:
        self._told += 1
        self._fanout.broadcast(ControlMessage(topic[0], item.make()), item.skip)

    def _next_window(self) -> None:
        self._timer = None
        self._told = 0
        for topic in list(self._waiting)[: self._most]:
            self._send(topic, self._waiting.pop(topic))
        if self._told:
            self._timer = self._pacer.later(WINDOW_S, self._next_window)
