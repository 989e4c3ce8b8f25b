"""The page that is loaded again, and odd links: a seat is kept, and nothing is a dead end."""

from typing import Final
from urllib.parse import quote

import pytest
from playwright.async_api import Browser, Dialog, Page, expect

from rhythm_protocol.messages import UserJoined, UserLeft
from tests.client import Client, open_client
from tests.e2e.pages import new_page, open_room
from tests.server import ServerProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")

BACK: Final = "connected: back in your seat"
ODD: Final = ("%", "100%", "%C3%28", "%ED%A0%80", "a%00b", "a%0Ab", "x" * 51, "x" * 100_000, "%E2%80%AE" * 60)


async def own_name(page: Page) -> str:
    return await page.locator(".person", has_text="you").locator(".name").inner_text()


async def test_reload_keeps_seat_name_and_ownership(page: Page, server: ServerProcess, room: str) -> None:
    await open_room(page, server.url, room)
    await expect(page.locator("#record")).to_be_visible()
    name = await own_name(page)
    async with open_client(server.port) as robert:
        await robert.join(room)
        await robert.ask("chat-message", {"content": "good evening"})
        await robert.received()
        for _ in range(2):
            await page.reload()
            await expect(page.locator("#state")).to_have_text(BACK)
        assert await own_name(page) == name
        await expect(page.locator("#room")).to_have_text(room)
        await expect(page.locator("#record")).to_be_visible()
        await expect(page.locator(".person")).to_have_count(2)
        await expect(page.locator(".line .content")).to_have_text(["good evening"])
        assert not any(isinstance(message, UserLeft | UserJoined) for message in await robert.received())


async def test_tab_that_is_sent_to_another_room_stays_its_user(page: Page, server: ServerProcess, room: str) -> None:
    await open_room(page, server.url, room)
    name = await own_name(page)
    await page.goto(f"{server.url}/?#{room} 2")
    await expect(page.locator("#room")).to_have_text(f"{room} 2")
    assert await own_name(page) == name


async def test_duplicated_tab_does_not_take_the_seat(page: Page, server: ServerProcess, room: str) -> None:
    """A window that a page opens gets a copy of its `sessionStorage`, like a tab that is duplicated."""
    await open_room(page, server.url, room)
    await page.reload()
    await expect(page.locator("#state")).to_have_text(BACK)
    async with page.expect_popup() as opening:
        await page.evaluate("open(location.href)")
    other = await opening.value
    await expect(other.locator("#room")).to_have_text(room)
    await expect(other.locator(".person")).to_have_count(2)
    await expect(page.locator(".person")).to_have_count(2)
    assert await own_name(page) != await own_name(other)


@pytest.mark.parametrize("link", ODD, ids=[link[:9] for link in ODD])
async def test_odd_link_leads_to_the_lobby_and_says_so(page: Page, server: ServerProcess, link: str) -> None:
    await page.goto(f"{server.url}/#{link}")
    await expect(page.locator("#room")).to_have_text("Lobby")
    await expect(page.get_by_role("alert")).to_contain_text("This link is broken")
    assert await page.evaluate("location.hash") == ""


async def test_room_that_is_closed_to_the_user_leads_to_the_lobby(
    page: Page, server: ServerProcess, room: str, clara: Client
) -> None:
    await clara.ask("room-update", {"settings": {"allow_guests": False}})
    await page.goto(f"{server.url}/#{room}")
    await expect(page.locator("#room")).to_have_text("Lobby")
    await expect(page.get_by_role("alert")).to_contain_text(room)
    assert await page.evaluate("location.hash") == ""


async def test_odd_link_within_a_room_changes_nothing(page: Page, server: ServerProcess, room: str) -> None:
    await open_room(page, server.url, room)
    await page.evaluate("location.hash = '#100%'")
    await expect(page.get_by_role("alert")).to_contain_text("This link is broken")
    await expect(page.locator("#room")).to_have_text(room)
    assert await page.evaluate("location.hash") == f"#{quote(room)}"
    await page.evaluate("(link) => { location.hash = link; }", f"#{room} next")
    await expect(page.locator("#room")).to_have_text(f"{room} next")
    await page.go_back()
    await expect(page.locator("#room")).to_have_text(room)


@pytest.mark.parametrize("answer", [None, "wrong"], ids=["cancelled", "wrong"])
async def test_password_that_is_not_given_leaves_ways_on(
    page: Page, server: ServerProcess, room: str, clara: Client, answer: str | None
) -> None:
    answers = [answer, None]
    await clara.ask("room-update", {"settings": {"password": "secret"}})

    async def reply(dialog: Dialog) -> None:
        text = answers.pop(0) if answers else None
        await (dialog.dismiss() if text is None else dialog.accept(text))

    page.on("dialog", reply)
    await page.goto(f"{server.url}/#{room}")
    await expect(page.get_by_role("alert")).to_contain_text(room)
    answers[:] = ["secret"]
    await page.get_by_role("button", name="Try again").click()
    await expect(page.locator("#room")).to_have_text(room)
    await expect(page.get_by_role("alert")).to_be_hidden()
    await expect(page.locator("#lobby")).to_be_hidden()


@pytest.mark.parametrize("type_", ["kick", "ban"])
async def test_who_is_removed_is_told_and_can_go_to_the_lobby(
    page: Page, server: ServerProcess, room: str, clara: Client, type_: str
) -> None:
    await open_room(page, server.url, room)
    joined = (await clara.expect(UserJoined)).user
    await clara.ask(type_, {"user": joined.id, "reason": "noise"})
    await expect(page.get_by_role("alert")).to_contain_text("noise")
    await page.get_by_role("button", name="Go to the lobby").click()
    await expect(page.locator("#room")).to_have_text("Lobby")
    await expect(page.get_by_role("alert")).to_be_hidden()


async def test_room_that_is_full_can_be_tried_again(
    browser: Browser, page: Page, server: ServerProcess, room: str, clara: Client
) -> None:
    await clara.ask("room-update", {"settings": {"max_players": 1}})
    await page.goto(f"{server.url}/#{room}")
    await expect(page.get_by_role("alert")).to_contain_text("seats")
    await clara.ask("room-update", {"settings": {"max_players": 2}})
    await page.get_by_role("button", name="Try again").click()
    await expect(page.locator("#room")).to_have_text(room)
    async with new_page(browser) as other:
        await other.goto(f"{server.url}/#{room}")
        await other.get_by_role("button", name="Go to the lobby").click()
        await expect(other.locator("#room")).to_have_text("Lobby")
