"""A login that ends while its user plays: it is renewed, or its user is a guest and told so, once."""

import asyncio
import sys
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Page, expect

from tests.deadline import within
from tests.e2e.pages import open_room
from tests.server import ServerProcess, running_process

pytestmark = pytest.mark.asyncio(loop_scope="module")

REGISTER: Final = """async (usertag) => (await fetch("api/v1/auth/register", {
    method: "POST", headers: {"Content-Type": "application/json"},
    body: JSON.stringify({usertag, password: "correct horse battery", cookies: true}),
})).status"""
RENEWS_SOON: Final = """(() => {
    const later = window.setTimeout;
    let isFirst = true;
    window.setTimeout = (action, ms, ...rest) => {
        const isSoon = isFirst && ms > 60_000;
        if (isSoon) isFirst = false;
        return later(action, isSoon ? 0 : ms, ...rest);
    };
})()"""
ENDED: Final = "Your login has ended. You go on as a guest."


async def log_in(page: Page, url: str, name: str, room: str) -> None:
    """Make an account and enter the room with it."""
    await page.goto(f"{url}/static/icon.svg")
    assert await page.evaluate(REGISTER.replace('"api/', '"/api/'), name) == 201
    await open_room(page, url, room)
    await expect(page.locator(".person", has_text="you")).to_contain_text(name)


async def test_login_is_renewed_before_it_ends(page: Page, server: ServerProcess, room: str) -> None:
    await page.add_init_script(RENEWS_SOON)
    async with (
        page.expect_response("**/api/v1/auth/refresh") as refreshed,
        page.expect_response("**/api/v1/auth/ticket") as given,
    ):
        await log_in(page, server.url, "ada", room)
    assert (await refreshed.value).status == (await given.value).status == 200
    await page.fill("#say", "still here")
    await page.keyboard.press("Enter")
    await expect(page.locator(".line .content")).to_have_text(["still here"])


async def test_login_that_ran_out_is_renewed_on_return(page: Page, server: ServerProcess, room: str) -> None:
    await log_in(page, server.url, "brahms", room)
    await page.context.clear_cookies(name="rhythm_access")
    await page.reload()
    await expect(page.locator("#state")).to_contain_text("connected")
    await expect(page.locator(".person", has_text="you")).to_contain_text("brahms")
    await expect(page.locator(".person")).to_have_count(1)


async def test_login_that_is_over_leaves_a_guest_who_is_told(page: Page, server: ServerProcess, room: str) -> None:
    sockets: list[str] = []
    await log_in(page, server.url, "clementi", room)
    page.on("websocket", lambda socket: sockets.append(socket.url))
    await page.context.clear_cookies(name="rhythm_refresh")
    cookie = next(cookie for cookie in await page.context.cookies() if cookie.get("name") == "rhythm_access")
    await page.context.add_cookies([{"name": "rhythm_access", "value": "stale", "url": server.url}])
    assert cookie.get("value") != "stale"
    await page.reload()
    await expect(page.get_by_role("alert")).to_have_text(ENDED)
    await expect(page.locator("#room")).to_have_text(room)
    await expect(page.locator(".person", has_text="you")).to_contain_text("Guest")
    assert len(sockets) == 1


async def ban(usertag: str, data: Path) -> None:
    """At the command line."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "rhythmd", "user", "ban", usertag, "--data", str(data),
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert await within(process.wait()) == 0


async def test_banned_account_is_told_and_its_browser_lets_no_guest_in(page: Page, room: str, tmp_path: Path) -> None:
    """A browser shows no reason why a socket was not opened. It is not asked for ever."""
    await page.add_init_script("Math.random = () => 0")
    async with running_process(tmp_path) as server:
        await log_in(page, server.url, "czerny", room)
        await ban("czerny", tmp_path / "data")
        state, again = page.locator("#state"), page.get_by_role("button", name="Connect again")
        await expect(state).to_have_text("disconnected: user-banned")
        await again.click()
        await expect(state).to_have_text("disconnected: user-banned")
        await expect(again).to_be_visible()
        assert [cookie.get("name") for cookie in await page.context.cookies()] == ["rhythm_browser"]
        await page.context.clear_cookies()
        await again.click()
        await expect(page.locator("#room")).to_have_text(room)
        await expect(page.locator(".person", has_text="you")).to_contain_text("Guest")


async def test_banned_account_is_told_and_goes_on_as_a_guest(page: Page, room: str, tmp_path: Path) -> None:
    """Where the operator wants no browsers to be told apart."""
    await page.add_init_script("Math.random = () => 0")
    async with running_process(tmp_path, ["rooms.ban_browser_days=0"]) as server:
        await log_in(page, server.url, "diabelli", room)
        await ban("diabelli", tmp_path / "data")
        await expect(page.locator("#state")).to_have_text("disconnected: user-banned")
        await page.get_by_role("button", name="Connect again").click()
        await expect(page.get_by_role("alert")).to_have_text("This account is banned. You go on as a guest.")
        await expect(page.locator("#room")).to_have_text(room)
        await expect(page.locator(".person", has_text="you")).to_contain_text("Guest")
