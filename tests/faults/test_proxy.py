"""The proxy that makes faults: what passes, what does not, and what each side sees of it."""

import asyncio
import contextlib
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from random import Random
from time import monotonic
from typing import Final, NamedTuple

import pytest

from bench.faults.link import Conditions, wan
from bench.faults.proxy import Direction, Proxy, open_proxy
from tests.deadline import until, within

TEXT: Final = bytes(range(256)) * 40
SMALL_BUFFER: Final = 4_096
LOSES_ONE: Final = 7  # with this seed the first segment is lost once at a loss of a half
FAR_TOO_MUCH: Final = 8_000_000


class End(NamedTuple):
    """One end of a connection."""

    reader: StreamReader
    writer: StreamWriter

    async def read(self, size: int) -> bytes:
        return await within(self.reader.readexactly(size))

    async def rest(self) -> bytes:
        return await within(self.reader.read())


class Through(NamedTuple):
    """A connection through a proxy, seen from all three."""

    client: End
    proxy: Proxy
    server: End
    accepted: asyncio.Queue[End]


@contextlib.asynccontextmanager
async def through(seed: int = 1) -> AsyncIterator[Through]:
    accepted: asyncio.Queue[End] = asyncio.Queue()
    listener = await asyncio.start_server(lambda *streams: accepted.put_nowait(End(*streams)), "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with listener, open_proxy(port, Random(seed), SMALL_BUFFER) as proxy, opened(proxy) as client:
        server = await within(accepted.get())
        await until(lambda: proxy.passages, "it passes")
        try:
            yield Through(client, proxy, server, accepted)
        finally:
            server.writer.transport.abort()


@contextlib.asynccontextmanager
async def opened(proxy: Proxy) -> AsyncIterator[End]:
    end = End(*await asyncio.open_connection("127.0.0.1", proxy.port))
    try:
        yield end
    finally:
        end.writer.transport.abort()


CONDITIONS: Final = {
    "clear": Conditions(),
    "delayed": Conditions(delay_s=0.02, jitter_s=0.02),
    "throttled": Conditions(rate=500_000),
    "lossy": Conditions(loss=0.2, resend_s=0.02),
    "in pieces": Conditions(piece=7),
    "byte by byte": Conditions(piece=1),
}


@pytest.mark.parametrize("name", CONDITIONS)
async def test_carries_every_byte_in_order_and_the_end(name: str) -> None:
    async with through() as (client, proxy, server, _):
        proxy.apply(CONDITIONS[name], CONDITIONS[name])
        client.writer.write(TEXT)
        client.writer.write_eof()
        assert await server.rest() == TEXT
        server.writer.write(TEXT)
        server.writer.write_eof()
        assert await client.rest() == TEXT
        await until(lambda: not proxy.passages, "the passage is over")


async def test_delay_and_rate_take_at_least_their_time() -> None:
    async with through() as (client, proxy, server, _):
        proxy.apply(up=Conditions(delay_s=0.05, rate=len(TEXT) / 0.1))
        began = monotonic()
        client.writer.write(TEXT)
        await server.read(len(TEXT))
        assert monotonic() - began >= 0.15


async def test_lost_segment_delays_what_is_behind_it() -> None:
    async with through(seed=LOSES_ONE) as (client, proxy, server, _):
        proxy.apply(up=Conditions(loss=0.5, resend_s=0.05))
        began = monotonic()
        client.writer.write(b"first")
        await asyncio.sleep(0)
        client.writer.write(b"second")
        assert await server.read(11) == b"firstsecond"
        assert monotonic() - began >= 0.05


def test_wan_splits_the_round_trip_between_the_directions() -> None:
    assert wan(1_000_000, 0.2, 0.02) == Conditions(delay_s=0.1, rate=125_000, loss=0.02, resend_s=0.4)


async def test_stalled_passage_stops_the_sender_and_goes_on_where_it_stopped() -> None:
    async with through() as (client, proxy, server, _):
        proxy.stall()
        server.writer.write(bytes(FAR_TOO_MUCH))
        with pytest.raises(TimeoutError):
            await within(server.writer.drain(), 0.2)
        proxy.go_on()
        assert await client.read(FAR_TOO_MUCH) == bytes(FAR_TOO_MUCH)


async def test_stalled_passage_hides_that_a_side_has_gone() -> None:
    async with through() as (client, proxy, server, _):
        proxy.stall()
        client.writer.close()
        with pytest.raises(TimeoutError):
            await within(server.reader.read(), 0.2)
        proxy.go_on()
        assert await server.rest() == b""


async def test_new_connection_passes_beside_a_stalled_one() -> None:
    async with through() as (client, proxy, _, accepted):
        proxy.stall()
        client.writer.write(b"held back")
        async with opened(proxy) as newcomer:
            server = await within(accepted.get())
            newcomer.writer.write(b"passes")
            assert await server.read(6) == b"passes"
            server.writer.transport.abort()


async def test_reset_is_seen_as_a_reset_by_both_sides() -> None:
    async with through() as (client, proxy, server, _):
        client.writer.write(b"hello")
        assert await server.read(5) == b"hello"
        proxy.reset()
        for end in (client, server):
            with pytest.raises(ConnectionResetError):
                await end.rest()


async def test_reset_of_one_side_reaches_the_other() -> None:
    async with through() as (client, proxy, server, _):
        client.writer.write(b"hello")
        assert await server.read(5) == b"hello"
        proxy.passages[0].reset()
        with pytest.raises(ConnectionResetError):
            await client.rest()


async def test_half_close_ends_one_direction_only() -> None:
    async with through() as (client, proxy, server, _):
        proxy.half_close(Direction.DOWN)
        assert await client.rest() == b""
        client.writer.write(b"still there")
        assert await server.read(11) == b"still there"


async def test_server_that_is_away_resets_the_client() -> None:
    async with open_proxy(1, Random(1)) as proxy, opened(proxy) as client:
        with pytest.raises(ConnectionResetError):
            await client.rest()
