"""The listeners of a room by what they get, so that the hot loop asks nobody."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from rhythmd.hub.sending.delivery import Delivery, State

__all__ = ["Groups", "Write", "grouped"]

Write = Callable[[bytes], None]


class Groups(NamedTuple):
    """Live listeners by encoding, with where each is written to, and those who are behind and have a backlog."""

    live: tuple[list[tuple[Delivery, Write]], list[tuple[Delivery, Write]]]
    behind: list[Delivery]
    size: int


def grouped(listeners: Iterable[Delivery]) -> Groups:
    """Those of them who get anything now."""
    live: tuple[list[tuple[Delivery, Write]], list[tuple[Delivery, Write]]] = ([], [])
    behind: list[Delivery] = []
    for delivery in listeners:
        if delivery.state is State.LIVE and delivery.socket is not None:
            live[delivery.encoding].append((delivery, delivery.socket.write))
        elif delivery.hears:
            behind.append(delivery)
    return Groups(live, behind, sum(map(len, live)) + len(behind))
