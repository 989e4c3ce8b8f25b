"""The page below a path of its host: `https://host/piano/`."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.client import Client
from tests.e2e.pages import open_room
from tests.e2e.prefix import PREFIX, below_prefix
from tests.server import ServerProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(server: ServerProcess) -> AsyncIterator[str]:
    async with below_prefix(server.port) as url:
        yield url


async def test_page_below_a_prefix_plays_and_hands_out_recordings(
    page: Page, url: str, room: str, clara: Client
) -> None:
    await open_room(page, url, room)
    await clara.ask("record", {"on": True})
    await page.keyboard.press("q")
    assert [event.data1 for _slot, event in await clara.events(2)] == [60, 60]
    await clara.ask("record", {"on": False})
    link = page.get_by_role("link", name="Download")
    assert (await link.get_attribute("href") or "").startswith(f"{url}/api/v1/recordings/")
    async with page.expect_download() as downloading:
        await link.click()
    assert await (await downloading.value).failure() is None


async def test_api_page_below_a_prefix_sends_requests(page: Page, url: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(f"{url}/api/v1/docs")
    await expect(page.locator("#operations")).to_have_attribute("aria-busy", "false")
    await page.get_by_text("/api/v1/auth/providers", exact=True).click()
    await page.locator("details[open] button").click()
    await expect(page.locator("details[open] pre")).to_contain_text("200")
    await expect(page.locator("input[type=file]")).not_to_have_count(0)
    assert [address for address in asked if PREFIX not in address] == []
