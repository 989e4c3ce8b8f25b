"""The page at `/` in a real browser."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

__all__ = ["HERE", "expect_sound", "new_page", "open_room", "running_browser"]

HERE: Final = Path(__file__).parent
BROWSERS: Final = ("chromium-headless-shell", "chromium", "google-chrome")
PATIENCE_MS: Final = 20_000  # generous: the machine may be busy
EXPECTED: Final = (  # how the browser's complaints begin about what the page lives with
    "WebSocket connection to ",  # a lost connection
    "Failed to load resource: net::ERR_CONNECTION_REFUSED",  # and of the server, asked why there is no socket
    "Failed to load resource: the server responded with a status of 401",  # a login that is over
    "Failed to load resource: the server responded with a status of 403",  # and that of a banned account
)


@asynccontextmanager
async def running_browser(*arguments: str) -> AsyncIterator[Browser]:
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("there is no Chromium on this machine")
    expect.set_options(timeout=PATIENCE_MS)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        await browser.close()


@asynccontextmanager
async def new_page(browser: Browser) -> AsyncIterator[Page]:
    """A page in a profile of its own; what it complains of on its console, but for `EXPECTED`, fails the test."""
    async with await browser.new_context() as context:
        page = await context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        await page.add_init_script(path=HERE / "meter.js")
        yield page
    assert [text for text in complaints if not text.startswith(EXPECTED)] == []


async def open_room(page: Page, url: str, room: str) -> None:
    """Load the page from the server at `url` and wait until it is in the room."""
    await page.goto(f"{url}/#{room}")
    await expect(page.locator("#room")).to_have_text(room)


async def expect_sound(page: Page, state: str) -> None:
    """Wait until the loudspeakers are "on", "off" or, because the browser does not allow sound yet, "suspended"."""
    await expect(page.locator("html")).to_have_attribute("data-sound", state)
