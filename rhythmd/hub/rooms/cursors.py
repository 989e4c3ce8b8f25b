"""Where the members of a room point, gathered between two sends."""

import asyncio

from rhythm_protocol.binary import CursorAt
from rhythmd.hub.sending.fanout import Fanout
from rhythmd.hub.sending.outbound import CursorPositions
from rhythmd.hub.sending.pacer import Pacer

__all__ = ["CursorBoard"]


class CursorBoard:
    """The newest position of each slot since the last send."""

    __slots__ = ("_fanout", "_interval_s", "_pacer", "_positions", "_timer")

    def __init__(self, fanout: Fanout, pacer: Pacer, interval_s: float) -> None:
        self._fanout = fanout
        self._pacer = pacer
        self._interval_s = interval_s
        self._positions: dict[int, CursorAt] = {}
        self._timer: asyncio.TimerHandle | None = None

    def move(self, slot: int, x: int, y: int) -> None:
        self._positions[slot] = CursorAt(slot, x, y)
        if self._timer is None:
            self._timer = self._pacer.later(self._interval_s, self._send)

    def forget(self, slot: int) -> None:
        """The member of `slot` is gone; what they last pointed at is not sent."""
        self._positions.pop(slot, None)

    def _send(self) -> None:
        self._timer = None
        if self._positions:
            positions, self._positions = list(self._positions.values()), {}
            self._fanout.broadcast(CursorPositions(positions))
