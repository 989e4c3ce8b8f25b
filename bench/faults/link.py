"""One direction of a TCP connection on its way through the proxy: how late, how fast, in what pieces."""

import asyncio
from asyncio import Queue, StreamReader, StreamWriter, TaskGroup
from collections.abc import Iterator
from random import Random
from time import monotonic
from typing import Final

from msgspec import Struct

__all__ = ["BUFFER", "CLEAR", "Conditions", "Link", "wan"]

BUFFER: Final = 16_384
_SEGMENT: Final = 1_448  # payload of a TCP segment on Ethernet, with timestamps (RFC 7323)
_IN_FLIGHT: Final = 64  # segments that a link holds before it stops reading
_EARLY_S: Final = 0.002  # by so much uvloop's timers, in whole milliseconds of a cached clock, may be early
_RTO_LEAST_S: Final = 0.2  # what Linux adds at least to the round trip before it sends again


class Conditions(Struct, frozen=True):
    """What a link does to what it carries. TCP hides loss behind waiting, so loss is waiting here.

    Attributes:
        delay_s: of every segment.
        jitter_s: up to so much more, another for each segment; they stay in order.
        rate: bytes a second; None for no limit.
        loss: the share of segments that are lost: each comes after `resend_s`, or twice that if it is lost again and so
            on (RFC 6298, 5.5), and all behind it wait for it.
        resend_s: the retransmission timeout.
        piece: the most bytes that are written at once; None for as they came.
    """

    delay_s: float = 0.0
    jitter_s: float = 0.0
    rate: float | None = None
    loss: float = 0.0
    resend_s: float = 0.0
    piece: int | None = None


CLEAR: Final = Conditions()


def wan(rate_bits: float, round_trip_s: float, loss: float) -> Conditions:
    """One direction of a long way. Half of the round trip each; a lost segment costs the round trip and 200 ms."""
    return Conditions(delay_s=round_trip_s / 2, rate=rate_bits / 8, loss=loss, resend_s=round_trip_s + _RTO_LEAST_S)


class Link:
    """Carries bytes from `reader` to `writer`, and then the end of the stream.

    Attributes:
        conditions: may be changed at any time; they count for what is read from then on.
    """

    def __init__(self, reader: StreamReader, writer: StreamWriter, conditions: Conditions, random: Random) -> None:
        self.conditions = conditions
        self._reader = reader
        self._writer = writer
        self._random = random
        self._flows = asyncio.Event()
        self._flows.set()
        self._ended = False
        self._free_at = 0.0
        self._last_due = 0.0

    def stall(self) -> None:
        """Stop reading and writing: the sender's bytes stay in its kernel, and its end is not seen."""
        self._flows.clear()

    def go_on(self) -> None:
        self._flows.set()

    def half_close(self) -> None:
        """Tell the receiver that the stream has ended. The sender learns nothing and sends into the void."""
        if not self._ended and not self._writer.is_closing():
            self._writer.write_eof()
        self._ended = True

    async def carry(self) -> None:
        """Until the end of the stream. Raises an ExceptionGroup of OSErrors when one side is reset."""
        in_flight: Queue[tuple[float, bytes]] = Queue(_IN_FLIGHT)
        async with TaskGroup() as tasks:
            tasks.create_task(self._take(in_flight))
            tasks.create_task(self._deliver(in_flight))

    async def _take(self, in_flight: Queue[tuple[float, bytes]]) -> None:
        segment = b"-"
        while segment:
            await self._flows.wait()
            segment = await self._reader.read(_SEGMENT)
            await in_flight.put((self._due(len(segment)), segment))

    async def _deliver(self, in_flight: Queue[tuple[float, bytes]]) -> None:
        while True:
            due, segment = await in_flight.get()
            if (wait_s := due - monotonic()) > 0:
                await asyncio.sleep(wait_s + _EARLY_S)
            await self._flows.wait()
            if not segment:
                return self.half_close()
            await self._write(segment)

    def _due(self, size: int) -> float:
        """When a segment that is read now arrives (monotonic clock, s)."""
        conditions, random = self.conditions, self._random
        begins = max(monotonic(), self._free_at)
        self._free_at = begins + (size / conditions.rate if conditions.rate else 0.0)
        way = conditions.delay_s + random.uniform(0.0, conditions.jitter_s)
        timeout = conditions.resend_s
        while size and random.random() < conditions.loss:
            way += timeout
            timeout *= 2
        self._last_due = max(self._last_due, self._free_at + way)
        return self._last_due

    async def _write(self, segment: bytes) -> None:
        for piece in self._pieces(segment):
            if self._ended or self._writer.is_closing():
                return
            self._writer.write(piece)
            await self._writer.drain()
            await asyncio.sleep(0)

    def _pieces(self, segment: bytes) -> Iterator[bytes]:
        most = self.conditions.piece
        if most is None:
            yield segment
            return
        at = 0
        while at < len(segment):
            size = self._random.randint(1, most)
            yield segment[at : at + size]
            at += size
