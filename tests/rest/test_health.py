"""Whether the server lives and is ready, and what it counts."""

import asyncio

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from rhythmd.app import Server
from tests.client import Connect, note_off, note_on
from tests.deadline import DEADLINE_S, within
from tests.rest.answers import get

Samples = dict[str, float]


async def samples(http: aiohttp.ClientSession) -> Samples:
    """What `/metrics` shows: `name` or `name{label}` -> value."""
    async with http.get("/metrics") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        text = await answer.text()
    return {
        sample.name + "".join(f"{{{value}}}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_live_and_ready_say_so(http: aiohttp.ClientSession) -> None:
    assert await get(http, "/health/live") == {"status": "live"}
    assert await get(http, "/health/ready") == {"status": "ready"}


async def test_metrics_show_everything_from_the_start(http: aiohttp.ClientSession) -> None:
    shown = await samples(http)
    for name, value in {
        "rhythmd_connections": 1.0,  # this one
        "rhythmd_sessions": 0.0,
        "rhythmd_rooms": 1.0,
        "rhythmd_players": 0.0,
        "rhythmd_connections_opened_total": 0.0,
        "rhythmd_received_bytes_total": 0.0,
        "rhythmd_events_in_total": 0.0,
        "rhythmd_events_out_total": 0.0,
        "rhythmd_flush_blocks_count": 0.0,
        "rhythmd_ingress_to_write_seconds_count": 0.0,
    }.items():
        assert shown[name] == value, name
    assert shown["rhythmd_loop_lag_seconds"] >= 0.0
    assert shown["rhythmd_loop_busy_ratio"] >= 0.0


async def test_metrics_grow_with_what_happens(server: Server, connect: Connect, http: aiohttp.ClientSession) -> None:
    clients = [await connect(server) for _ in range(3)]
    for client in clients:
        await client.join("Salon")
    before = await samples(http)
    await clients[0].play([note_on(), note_off()])
    for client in clients[1:]:
        await client.events(2)
    await clients[0].refused("join-room", {"room": "Salon"})
    await clients[0].refused("join-room", {"room": "Nowhere"})
    after = await samples(http)

    def growth(name: str) -> float:
        return after[name] - before.get(name, 0.0)

    assert (after["rhythmd_sessions"], after["rhythmd_players"], after["rhythmd_rooms"]) == (3.0, 3.0, 2.0)
    assert (after["rhythmd_connections"], after["rhythmd_connections_opened_total"]) == (4.0, 3.0)
    assert (growth("rhythmd_events_in_total"), growth("rhythmd_events_out_total")) == (2.0, 4.0)
    assert growth("rhythmd_received_bytes_total") > 2 * 5 + 5
    assert growth("rhythmd_refusals_total{already-in-room}") == 1.0
    assert growth("rhythmd_refusals_total{room-not-found}") == 1.0
    assert growth("rhythmd_ingress_to_write_seconds_count") == 1.0
    assert growth("rhythmd_ingress_to_write_seconds_bucket{+Inf}") == 1.0
    assert 0.0 < growth("rhythmd_ingress_to_write_seconds_sum") < DEADLINE_S


async def test_metrics_count_the_blocks_of_a_flush(
    server: Server, connect: Connect, http: aiohttp.ClientSession
) -> None:
    clients = [await connect(server) for _ in range(2)]
    for client in clients:
        await client.join("Salon")
    await clients[0].play([note_on()])
    await clients[1].events(1)
    shown = await samples(http)
    assert shown["rhythmd_flush_blocks_count"] == 1.0
    assert shown["rhythmd_flush_blocks_sum"] == 1.0
    assert shown["rhythmd_flush_blocks_bucket{1.0}"] == 1.0


async def test_metrics_count_closes_and_forget_who_is_gone(
    server: Server, connect: Connect, http: aiohttp.ClientSession
) -> None:
    """The room of a guest stays for a while (`rooms.linger_s`), beside the lobby."""
    client = await connect(server)
    await client.join("Salon")
    await client.send_raw(b"\x10" * 70_000)
    assert (await client.closed()).code == 1009

    async def gone() -> Samples:
        while True:
            shown = await samples(http)
            if shown["rhythmd_connections"] == 1.0:
                return shown
            await asyncio.sleep(0.01)

    shown = await within(gone())
    assert (shown["rhythmd_sessions"], shown["rhythmd_players"], shown["rhythmd_rooms"]) == (0.0, 0.0, 2.0)
    assert shown["rhythmd_closes_total{message-too-big}"] == 1.0
