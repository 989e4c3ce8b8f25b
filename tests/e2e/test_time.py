"""When the page sounds: the others' notes by the room's playout delay, the metronome on its common beats."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from random import Random
from statistics import median
from time import time
from typing import Final, NamedTuple

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from bench.faults.link import Conditions
from bench.faults.proxy import Proxy, open_proxy
from rhythm_protocol.messages import Metronome, MetronomeState, Playout
from tests.client import Client, note_off, note_on
from tests.e2e.forgetful import ForgetfulServer
from tests.e2e.pages import expect_sound, new_page, open_room
from tests.server import ServerProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHAKY: Final = Conditions(jitter_s=0.08)
FAR: Final = Conditions(delay_s=0.2)
DELAY_MS: Final = 400
LATE_S: Final = 5.0  # far more than the delay, and not so much that the page gives the connection up
STEP_MS: Final = 60
NOTES: Final = 12
IN_TIME_MS: Final = 15  # what buffers for sound and a busy machine may do; the jitter above is far more
C4_HZ: Final = 261.63
E4_HZ: Final = 329.63
G4_HZ: Final = 392.00

BPM: Final = 200
BEATS: Final = 3
PERIOD_MS: Final = 60_000 / BPM
CLICKS: Final = 8
ACCENT_HZ: Final = 1760


class Tone(NamedTuple):
    """A tone that a page has started. `time` is Unix milliseconds."""

    frequency: float
    time: float


@pytest_asyncio.fixture(loop_scope="module")
async def other(browser: Browser) -> AsyncIterator[Page]:
    async with new_page(browser) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def proxy(server: ServerProcess) -> AsyncIterator[Proxy]:
    async with open_proxy(server.port, Random(1)) as opened:
        yield opened


async def open_through(page: Page, proxy: Proxy, room: str) -> None:
    await open_room(page, f"http://127.0.0.1:{proxy.port}", room)
    await expect(page.locator(".person")).to_have_count(2)


async def tones(page: Page, count: int) -> list[Tone]:
    """What the page has started, at least `count` tones."""
    await page.wait_for_function("count => window.starts.length >= count", arg=count)
    starts = await page.evaluate("window.starts.map(({ frequency, time }) => [frequency, time])")
    return [Tone(*start) for start in starts]


async def server_clock_ms(client: Client) -> tuple[float, float]:
    """The server's clock, and Unix time at that moment."""
    reply = await client.clock()
    return reply.sent_us / 1_000, time() * 1_000


async def test_notes_keep_their_rhythm_over_a_shaky_way(page: Page, proxy: Proxy, room: str, clara: Client) -> None:
    await clara.ask("room-update", {"settings": {"playout_ms": DELAY_MS}})
    proxy.apply(SHAKY, SHAKY)
    await open_through(page, proxy, room)
    await expect(page.locator("#delay")).to_have_text(f"{DELAY_MS} ms")
    await asyncio.sleep(1)  # while the page learns the server's clock
    base, _ = await server_clock_ms(clara)
    for number in range(NOTES):
        await clara.play([note_on(60 + number), note_off(60 + number, STEP_MS)], round(base) + number * STEP_MS)
        await asyncio.sleep(STEP_MS / 1_000)
    times = [tone.time for tone in await tones(page, NOTES)]
    assert median(abs(after - before - STEP_MS) for before, after in pairwise(times)) < IN_TIME_MS


async def test_delay_follows_what_the_pages_report(page: Page, proxy: Proxy, room: str, clara: Client) -> None:
    proxy.apply(FAR, FAR)
    await open_through(page, proxy, room)
    await expect(page.locator("#delay")).to_have_text("50 ms")
    await clara.play([note_on()])
    delay = (await clara.expect(Playout)).delay_ms
    assert delay > FAR.delay_s * 1_000 / 2
    await expect(page.locator("#delay")).to_have_text(f"{delay} ms")


async def test_note_that_came_after_its_end_is_not_heard(page: Page, proxy: Proxy, room: str, clara: Client) -> None:
    await page.clock.install()
    await open_through(page, proxy, room)
    proxy.stall()
    for number, event in enumerate((note_on(60), note_off(60), note_on(64))):
        await clara.play([event])
        await clara.ask("chat-message", {"content": str(number)})  # so that each event is in a message of its own
    await page.clock.pause_at(await page.evaluate("Date.now()") / 1_000 + LATE_S)
    proxy.go_on()  # what comes in one burst, however slowly this machine hands it over
    await expect(page.locator(".line .content")).to_have_text(["0", "1", "2"])
    await page.clock.resume()
    await expect(page.locator(".key.lit")).to_have_attribute("data-key", "64")
    assert [tone.frequency for tone in await tones(page, 1)] == pytest.approx([E4_HZ], abs=0.01)


async def test_snapshot_replaces_what_is_heard(page: Page, server: ServerProcess) -> None:
    forgetful = ForgetfulServer()
    await page.route_web_socket("**/ws", forgetful.connect)
    await open_room(page, server.url, "Salon")
    await expect(page.locator(".person")).to_have_count(1)
    forgetful.hold(60, 64)
    await expect(page.locator(".key.lit")).to_have_count(2)
    forgetful.hold(64, 67)
    await expect(page.locator('.key.lit[data-key="67"]')).to_have_count(1)
    await expect(page.locator('.key.lit[data-key="60"]')).to_have_count(0)
    await expect(page.locator(".key.lit")).to_have_count(2)
    assert [tone.frequency for tone in await tones(page, 3)] == pytest.approx([C4_HZ, E4_HZ, G4_HZ], abs=0.01)
    forgetful.hold()
    await expect(page.locator(".key.lit")).to_have_count(0)
    await expect_sound(page, "off")


def beat_of(click: Tone, metronome: Metronome, unix_less_server_ms: float) -> float:
    """Which beat of `metronome` a click is, as a number that is whole when it falls on its time."""
    return (click.time - unix_less_server_ms - metronome.start_us / 1_000) / PERIOD_MS


async def test_metronome_clicks_at_the_same_moments_for_all(
    page: Page, other: Page, server: ServerProcess, room: str, clara: Client
) -> None:
    await clara.ask("metronome", {"running": True, "bpm": BPM, "beats": BEATS})
    metronome = (await clara.expect(MetronomeState)).metronome
    assert metronome is not None
    await open_room(page, server.url, room)
    await tones(page, BEATS)
    await open_room(other, server.url, room)  # in the middle of it
    server_ms, unix_ms = await server_clock_ms(clara)
    for listener in (page, other):
        clicks = (await tones(listener, 2 * CLICKS))[-CLICKS:]
        beats = [beat_of(click, metronome, unix_ms - server_ms) for click in clicks]
        assert median(abs(beat - round(beat)) for beat in beats) < IN_TIME_MS / PERIOD_MS
        assert [round(beat) - round(beats[0]) for beat in beats] == list(range(CLICKS))
        assert [click.frequency == ACCENT_HZ for click in clicks] == [round(beat) % BEATS == 0 for beat in beats]


async def test_owner_sets_the_metronome_for_all(page: Page, other: Page, server: ServerProcess, room: str) -> None:
    await open_room(page, server.url, room)
    await open_room(other, server.url, room)
    await expect(other.get_by_label("Tempo")).to_be_hidden()
    await page.get_by_label("Tempo").fill("92.5")
    await page.get_by_label("Metre").select_option("6/8")
    await page.get_by_role("button", name="Start the metronome").click()
    await expect(other.get_by_label("Metronome").get_by_role("status")).to_have_text("92.5 bpm, 6/8")
    await expect(other.locator(".beats i")).to_have_count(6)
    await expect(other.locator(".beats i.lit")).to_have_count(1)
    await page.get_by_label("Metre").select_option("3/4")
    await expect(other.locator(".beats i")).to_have_count(3)
    await page.get_by_role("button", name="Stop the metronome").click()
    await expect(other.locator(".beats i")).to_have_count(0)
    await expect(page.get_by_role("button", name="Start the metronome")).to_be_visible()
