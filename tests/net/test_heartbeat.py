"""Silent clients are pinged, then closed."""

import asyncio

import pytest

from rhythmd.net.heartbeat import Heartbeat
from tests.client import Connect
from tests.deadline import until
from tests.raw import ConnectRaw, RawClient, frame
from tests.server import Serve

CLOSE, PING = 0x88, 0x89
QUICK = ("limits.ping_interval_s=0.1", "limits.silence_s=0.25")


async def until_closed_for_silence(client: RawClient) -> int:
    """Wait for the close frame with code 4000; how many pings came before it."""
    pings = 0
    while (received := await client.frame()).first != CLOSE:
        assert received.first == PING
        pings += 1
    assert (received.close_code, received.payload[2:]) == (4000, b"silent")
    return pings


async def test_silent_client_is_pinged_then_closed(serve: Serve, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(await serve(*QUICK))
    await client.upgrade()
    await client.frame()
    assert await until_closed_for_silence(client) >= 1
    client.write(frame(CLOSE, b"\x0f\xa0"))
    assert await client.rest() == b""


async def test_client_that_answers_pings_stays(serve: Serve, connect: Connect, connect_raw: ConnectRaw) -> None:
    server = await serve(*QUICK)
    answering = await connect(server)
    for _ in range(3):
        silent = await connect_raw(server)
        await silent.upgrade()
        await silent.frame()
        await until_closed_for_silence(silent)
    assert (await answering.clock(9)).value == 9


async def test_client_that_sends_anything_is_not_closed(serve: Serve, connect_raw: ConnectRaw) -> None:
    """Every byte is a sign of life, even of a frame that is not whole."""
    server = await serve(*QUICK)
    slow, silent = await connect_raw(server), await connect_raw(server)
    for client in (slow, silent):
        await client.upgrade()
        await client.frame()
    trickle = asyncio.create_task(slow.write_slowly(frame(PING, b"p" * 125) * 50, step=10))
    await until_closed_for_silence(silent)
    trickle.cancel()
    while (received := await slow.frame()).payload != b"p" * 125:
        assert received.first == PING


class Watched:
    """Counts the visits."""

    def __init__(self) -> None:
        self.visits: list[tuple[int, int]] = []

    def check_silence(self, sweeps_to_ping: int, sweeps_to_close: int) -> None:
        self.visits.append((sweeps_to_ping, sweeps_to_close))


@pytest.mark.parametrize(("ping_s", "silence_s", "sweeps"), [(0.04, 0.08, 8), (0.04, 0.081, 9)])
async def test_heartbeat_visits_everybody_equally(ping_s: float, silence_s: float, sweeps: int) -> None:
    heartbeat = Heartbeat(asyncio.get_running_loop(), ping_s, silence_s)
    everybody = [Watched() for _ in range(100)]
    for watched in everybody:
        heartbeat.add(watched)
    heartbeat.start()
    await until(lambda: len(everybody[0].visits) >= 3, "three visits")
    heartbeat.stop()
    counts = [len(watched.visits) for watched in everybody]
    assert max(counts) - min(counts) <= 1
    assert everybody[0].visits[0] == (4, sweeps)
    for watched in everybody:
        heartbeat.discard(watched)
        heartbeat.discard(watched)
