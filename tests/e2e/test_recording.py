"""Recording as the page shows it: everybody sees that it is on, and gets the file."""

import asyncio
import io
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from mido import MidiFile
from playwright.async_api import Browser, Page, expect

from tests.client import Client
from tests.e2e.pages import new_page, open_room
from tests.server import ServerProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def other(browser: Browser) -> AsyncIterator[Page]:
    async with new_page(browser) as opened:
        yield opened


async def download(page: Page) -> bytes:
    """The file behind the link that the page shows."""
    async with page.expect_download() as downloading:
        await page.get_by_role("link", name="Download").click()
    path = await (await downloading.value).path()
    return await asyncio.to_thread(path.read_bytes)


def keys(midi: bytes) -> list[int]:
    """The keys that are struck in a MIDI file."""
    return [message.note for message in MidiFile(file=io.BytesIO(midi)) if message.type == "note_on"]


async def test_recording_is_shown_to_all_and_handed_to_all(
    page: Page, other: Page, server: ServerProcess, room: str
) -> None:
    await open_room(page, server.url, room)
    await open_room(other, server.url, room)
    await expect(other.get_by_role("button", name="Record")).to_have_count(0)
    await page.get_by_role("button", name="Record").click()
    for seen in (page, other):
        await expect(seen.get_by_role("status").filter(has_text="recording")).to_be_visible()
    await page.locator('[data-key="60"]').click()
    await page.get_by_role("button", name="Stop recording").click()
    for seen in (page, other):
        await expect(seen.get_by_role("status").filter(has_text="recording")).to_have_count(0)
        await expect(seen.locator(".line", has_text=f"The recording “{room}” is ready: 0:0")).to_be_visible()
        assert keys(await download(seen)) == [60]


async def test_newcomer_sees_that_recording_is_on(page: Page, server: ServerProcess, room: str, clara: Client) -> None:
    await clara.ask("record", {"on": True})
    await open_room(page, server.url, room)
    await expect(page.locator("#recording")).to_have_text("recording")


async def test_last_minutes_are_kept_where_the_owner_allows_it(
    page: Page, other: Page, server: ServerProcess, room: str
) -> None:
    await open_room(page, server.url, room)
    await open_room(other, server.url, room)
    save = other.get_by_role("button", name="Save last 5 min")
    await expect(save).to_be_hidden()
    await page.get_by_label("All may save the last 5 min").check()
    await expect(save).to_be_visible()
    await page.locator("h1").click()  # gives the page the keyboard
    await page.keyboard.down("q")
    await expect(other.locator(".key.lit")).to_have_count(1)
    await page.keyboard.up("q")
    await save.click()
    assert keys(await download(other)) == [60]
    await page.get_by_label("All may save the last 5 min").uncheck()
    await expect(save).to_be_hidden()
