"""The page over a connection that is lost: the seat is kept, each line is shown once, nothing goes on sounding."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from bench.faults.proxy import Direction, Proxy, open_proxy
from rhythm_protocol.messages import ChatLine, Resume, UserLeft, UserUpdated
from tests.client import Client, note_off, note_on
from tests.deadline import DEADLINE_S, until
from tests.e2e.forgetful import ForgetfulServer
from tests.e2e.pages import expect_sound, new_page, open_room
from tests.server import ServerProcess, running_process

pytestmark = pytest.mark.asyncio(loop_scope="module")

COMES_BACK_SOON = "Math.random = () => 0"
COMES_BACK_LATE = "Math.random = () => 20"  # in half a minute: it is seen gone, however busy the machine is
LONG_MS = 60_000  # longer than that
A_WHILE_MS = 1_000
BRIEFLY_MS = 4_000  # for which it says that it is back
FIRST_LINE_ID = 2  # the join comes before


@pytest_asyncio.fixture(loop_scope="module")
async def proxy(server: ServerProcess) -> AsyncIterator[Proxy]:
    """What stands between the page and the server."""
    async with open_proxy(server.port, Random(1)) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def away(page: Page, proxy: Proxy, room: str, clara: Client) -> Page:
    """A page in Clara's room, behind the proxy."""
    await page.add_init_script(COMES_BACK_LATE)
    await page.clock.install()
    await open_room(page, f"http://127.0.0.1:{proxy.port}", room)
    await expect(page.locator(".person")).to_have_count(2)
    await clara.received()
    return page


async def said(page: Page, text: str) -> None:
    await page.fill("#say", text)
    await page.keyboard.press("Enter")


async def expect_lines(page: Page, *texts: str) -> None:
    """Wait until these lines, and no others, are shown in this order."""
    await expect(page.locator(".line .content")).to_have_text(texts)


async def back(page: Page) -> None:
    """Wait until the page says that it has its seat again."""
    await expect(page.locator("#state")).to_have_text("connected: back in your seat")


async def brought_back(away: Page) -> None:
    """Wait until the page says that it is away, let its wait pass, and see it back."""
    await expect(away.locator("#state")).to_contain_text("reconnecting")
    await away.clock.fast_forward(LONG_MS)
    await back(away)


async def test_seat_is_kept_and_each_line_shown_once(away: Page, proxy: Proxy, clara: Client) -> None:
    name = await away.locator(".person", has_text="you").inner_text()
    await clara.ask("chat-message", {"content": "one"})
    await expect_lines(away, "one")
    proxy.reset()
    assert (await clara.expect(UserUpdated)).user.reconnecting
    await clara.ask("chat-message", {"content": "two"})
    await brought_back(away)
    await clara.ask("chat-message", {"content": "three"})
    await expect_lines(away, "one", "two", "three")
    assert await away.locator(".person", has_text="you").inner_text() == name
    await expect(away.locator(".person")).to_have_count(2)
    assert not (await clara.expect(UserUpdated)).user.reconnecting
    assert not any(isinstance(message, UserLeft) for message in await clara.received())


async def test_user_is_told_what_happens(away: Page, proxy: Proxy) -> None:
    proxy.reset()
    await expect(away.locator("#state")).to_contain_text("connection lost, reconnecting in 31 s")
    await expect(away.get_by_role("alert")).to_have_text("Connection lost. Your seat is kept for 30 s.")
    await brought_back(away)
    await expect(away.get_by_role("alert")).to_be_hidden()
    await away.clock.run_for(BRIEFLY_MS)
    await expect(away.locator("#state")).to_have_text("connected")


async def test_line_that_did_not_arrive_is_sent_again_once(away: Page, proxy: Proxy, clara: Client) -> None:
    proxy.stall()
    await said(away, "good evening")
    proxy.reset()
    await brought_back(away)
    assert (await clara.expect(ChatLine)).content == "good evening"
    await expect_lines(away, "good evening")
    assert not any(isinstance(message, ChatLine) for message in await clara.received())


async def test_line_whose_answer_did_not_arrive_is_not_sent_again(away: Page, proxy: Proxy, clara: Client) -> None:
    for passage in proxy.passages:
        passage.links[Direction.DOWN].stall()
    await said(away, "good evening")
    assert (await clara.expect(ChatLine)).content == "good evening"
    proxy.reset()
    await brought_back(away)
    await expect_lines(away, "good evening")
    assert not any(isinstance(message, ChatLine) for message in await clara.received())


async def test_line_said_while_away_is_sent_on_return(away: Page, proxy: Proxy, clara: Client) -> None:
    proxy.reset()
    await expect(away.locator("#state")).to_contain_text("reconnecting")
    await said(away, "am I heard?")
    await brought_back(away)
    assert (await clara.expect(ChatLine)).content == "am I heard?"
    await expect_lines(away, "am I heard?")


async def test_music_falls_silent_and_is_taken_up_as_it_is(away: Page, proxy: Proxy, clara: Client) -> None:
    await clara.play([note_on(60), note_on(48)])
    await expect(away.locator(".key.lit")).to_have_count(2)
    await expect_sound(away, "on")
    proxy.reset()
    await expect(away.locator(".key.lit")).to_have_count(0)
    await clara.play([note_off(60), note_on(64)])
    await brought_back(away)
    await expect(away.locator('.key.lit[data-key="48"]')).to_have_count(1)
    await expect(away.locator('.key.lit[data-key="64"]')).to_have_count(1)
    await expect(away.locator(".key.lit")).to_have_count(2)
    await expect_sound(away, "on")
    await clara.play([note_off(48), note_off(64)])
    await expect(away.locator(".key.lit")).to_have_count(0)
    await expect_sound(away, "off")


async def test_silent_connection_is_given_up_and_resumed(away: Page, proxy: Proxy, clara: Client) -> None:
    proxy.stall()
    async with asyncio.timeout(DEADLINE_S):
        while "reconnecting" not in await away.locator("#state").inner_text():
            await away.clock.run_for(A_WHILE_MS)
    await clara.ask("chat-message", {"content": "still there?"})
    await brought_back(away)
    await expect_lines(away, "still there?")
    await expect(away.locator(".person")).to_have_count(2)


async def test_member_who_is_away_is_shown_grey(
    browser: Browser, page: Page, server: ServerProcess, proxy: Proxy, room: str
) -> None:
    await open_room(page, server.url, room)
    async with new_page(browser) as other:
        await other.add_init_script(COMES_BACK_LATE)
        await other.clock.install()
        await open_room(other, f"http://127.0.0.1:{proxy.port}", room)
        row = page.locator(".person").nth(1)
        await expect(row).not_to_contain_text("reconnecting")
        proxy.reset()
        await expect(row).to_contain_text("reconnecting")
        await expect(row).to_have_css("filter", "grayscale(1)")
        await brought_back(other)
        await expect(row).not_to_contain_text("reconnecting")
        await other.goto("about:blank")  # a browser that is closed may not find the time to close its socket
        await expect(page.locator(".person")).to_have_count(1)


async def test_kick_while_away_is_shown_on_return(away: Page, proxy: Proxy, clara: Client) -> None:
    proxy.reset()
    member = (await clara.expect(UserUpdated)).user
    await clara.ask("kick", {"user": member.id, "reason": "too long away"})
    await expect(away.locator("#state")).to_contain_text("reconnecting")
    await away.clock.fast_forward(LONG_MS)
    await expect(away.get_by_role("alert")).to_have_text("You were kicked: too long away")
    await expect(away.locator(".person")).to_have_count(0)


@pytest_asyncio.fixture(loop_scope="module")
async def forgetful(page: Page, server: ServerProcess) -> ForgetfulServer:
    """A server that has got two lines of the page, and answered neither."""
    forgetful = ForgetfulServer()
    forgetful.line("earlier")
    await page.add_init_script(COMES_BACK_SOON)
    await page.route_web_socket("**/ws", forgetful.connect)
    await open_room(page, server.url, "Salon")
    await said(page, "first")
    await said(page, "second")
    await until(lambda: forgetful.heard == ["first", "second"], "both were sent")
    return forgetful


async def test_session_without_its_messages_shows_the_room_as_it_is(page: Page, forgetful: ForgetfulServer) -> None:
    forgetful.line("first")
    await forgetful.lose()
    await back(page)
    await expect_lines(page, "earlier", "first", "second")
    assert forgetful.heard == ["first", "second", "second"]
    assert forgetful.resumes == [Resume("token 1", 1)]
    await expect(page.locator(".person")).to_have_count(1)


async def test_line_that_was_handled_is_not_sent_again(page: Page, forgetful: ForgetfulServer) -> None:
    forgetful.last_id = FIRST_LINE_ID
    await forgetful.lose()
    await back(page)
    await expect_lines(page, "earlier", "second")
    assert forgetful.heard == ["first", "second", "second"]


async def test_resume_at_a_bad_moment_is_tried_again(page: Page, forgetful: ForgetfulServer) -> None:
    forgetful.is_busy = True
    await forgetful.lose()
    await back(page)
    assert forgetful.resumes == [Resume("token 1", 1)] * 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_restart_of_the_server_keeps_the_seat_and_each_line(
    page: Page, room: str, tmp_path: Path, number: signal.Signals
) -> None:
    await page.add_init_script(COMES_BACK_SOON)
    async with running_process(tmp_path) as server:
        await open_room(page, server.url, room)
        name = await page.locator(".person").inner_text()
        await said(page, "is it late?")
        await expect_lines(page, "is it late?")
        server.signal(number)
        await server.wait()
        await expect(page.locator("#state")).to_contain_text("reconnecting")
        await said(page, "good evening")
    async with running_process(tmp_path, port=server.port):
        await back(page)
        await expect_lines(page, "is it late?", "good evening")
        assert await page.locator(".person").inner_text() == name
