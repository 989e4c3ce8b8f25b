"""The page at `/` in a real browser, against a server in a process of its own."""

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page, Route, WebSocketRoute, async_playwright, expect

from rhythm_protocol.close import CLOSE_RULES
from rhythm_protocol.messages import ChatLine
from rhythm_protocol.midi import CONTROL_CHANGE, MidiEvent
from tests.client import Client, Connect, note_off, note_on
from tests.server import ServerProcess, Spawn

HERE = Path(__file__).parent
VECTORS = HERE.parents[1] / "protocol" / "vectors"
BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome")
PATIENCE_MS = 20_000  # generous: the machine may be busy
PEDAL_DOWN = MidiEvent(0, CONTROL_CHANGE, 64, 127)
PEDAL_UP = MidiEvent(0, CONTROL_CHANGE, 64, 0)


@asynccontextmanager
async def browser_page(*, sound_allowed: bool = True) -> AsyncIterator[Page]:
    """A page of a fresh browser; whatever it complains of on its console fails the test."""
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("there is no Chromium on this machine")
    arguments = ["--autoplay-policy=no-user-gesture-required"] if sound_allowed else []
    expect.set_options(timeout=PATIENCE_MS)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=arguments)
        page = await browser.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        await page.add_init_script(path=HERE / "meter.js")
        yield page
        await browser.close()
        assert complaints == []


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with browser_page() as opened:
        yield opened


@pytest.fixture
async def server(spawn: Spawn) -> ServerProcess:
    return await spawn()


@pytest.fixture
async def clara(server: ServerProcess, connect: Connect) -> Client:
    """Another member of the room `salon`."""
    client = await connect(server)
    await client.ask("user-update", {"name": "Clara", "colour": "#8ecae6"})
    await client.join("salon")
    return client


async def open_salon(page: Page, server: ServerProcess) -> None:
    """Load the page and wait until it is in the room `salon`."""
    await page.goto(f"{server.url}/#salon")
    await expect(page.locator("#room")).to_have_text("salon")


async def expect_sound(page: Page, state: str) -> None:
    """Wait until the loudspeakers are "on" or "off"."""
    await expect(page.locator("html")).to_have_attribute("data-sound", state)


async def test_page_without_a_name_joins_a_lobby(page: Page, server: ServerProcess) -> None:
    await page.goto(server.url)
    await expect(page.locator("#room")).to_have_text("Lobby")
    await expect(page.locator("#state")).to_have_text("connected")
    await expect(page.locator(".person")).to_have_count(1)


async def test_members_are_shown_while_they_are_here(page: Page, server: ServerProcess, clara: Client) -> None:
    await open_salon(page, server)
    row = page.locator(".person", has_text="Clara")
    await expect(row.locator(".dot")).to_have_css("background-color", "rgb(142, 202, 230)")
    await clara.ask("user-update", {"status_text": "practising"})
    await expect(row).to_contain_text("practising")
    await clara.close()
    await expect(page.locator(".person")).to_have_count(1)


async def test_member_who_comes_later_is_shown(page: Page, server: ServerProcess, connect: Connect) -> None:
    await open_salon(page, server)
    robert = await connect(server)
    await robert.ask("user-update", {"name": "Robert"})
    await robert.join("salon")
    await expect(page.locator(".person", has_text="Robert")).to_have_count(1)
    await expect(page.locator("#count")).to_have_text("2")


async def test_note_lights_its_key_and_sounds_until_note_off(page: Page, server: ServerProcess, clara: Client) -> None:
    await open_salon(page, server)
    await expect_sound(page, "off")
    await clara.play([note_on(60)])
    await expect(page.locator(".key.lit")).to_have_attribute("data-key", "60")
    await expect(page.locator(".person.playing")).to_contain_text("Clara")
    await expect_sound(page, "on")
    await clara.play([note_off(60)])
    await expect(page.locator(".key.lit")).to_have_count(0)
    await expect_sound(page, "off")


async def test_pedal_lets_a_note_ring(page: Page, server: ServerProcess, clara: Client) -> None:
    await open_salon(page, server)
    await clara.play([PEDAL_DOWN, note_on(36, 127)])
    await expect_sound(page, "on")
    await clara.play([note_off(36)])
    await expect(page.locator(".key.lit")).to_have_count(0)
    await expect_sound(page, "on")
    await clara.play([PEDAL_UP])
    await expect_sound(page, "off")


async def test_newcomer_hears_what_is_held(page: Page, server: ServerProcess, clara: Client) -> None:
    await clara.play([note_on(64)])
    await clara.clock()
    await open_salon(page, server)
    await expect(page.locator(".key.lit")).to_have_attribute("data-key", "64")
    await expect_sound(page, "on")


async def test_player_who_drops_is_released(page: Page, server: ServerProcess, clara: Client) -> None:
    await open_salon(page, server)
    await clara.play([PEDAL_DOWN, note_on(40, 127)])
    await expect_sound(page, "on")
    clara.abort()
    await expect(page.locator(".key.lit")).to_have_count(0)
    await expect_sound(page, "off")


async def test_keys_of_the_page_reach_the_others(page: Page, server: ServerProcess, clara: Client) -> None:
    await open_salon(page, server)
    await page.keyboard.down("q")
    await expect_sound(page, "on")
    await page.keyboard.up("q")
    await page.locator('[data-key="72"]').click()
    played = [(event.data1, event.is_note_on) for _slot, event in await clara.events(4)]
    assert played == [(60, True), (60, False), (72, True), (72, False)]


async def test_chat_shows_markup_as_text(page: Page, server: ServerProcess, clara: Client) -> None:
    markup = '<img src=x onerror="document.title=1"><b>hi</b>'
    await clara.ask("user-update", {"name": "<i>Clara</i>"})
    await open_salon(page, server)
    await clara.ask("chat-message", {"content": markup})
    await expect(page.locator(".line")).to_have_text(f"<i>Clara</i> {markup}")
    await expect(page.locator(".person", has_text="<i>Clara</i>")).to_have_count(1)
    assert await page.locator("img, b, i").count() == 0


async def test_chat_line_reaches_the_others(page: Page, server: ServerProcess, clara: Client) -> None:
    await open_salon(page, server)
    await page.fill("#say", "good evening")
    await page.keyboard.press("Enter")
    assert (await clara.expect(ChatLine)).content == "good evening"
    await expect(page.locator(".line .content")).to_have_text("good evening")


async def test_chat_refusal_is_shown(page: Page, server: ServerProcess) -> None:
    await open_salon(page, server)
    await page.fill("#say", "/dance")
    await page.keyboard.press("Enter")
    await expect(page.locator(".line.system")).to_contain_text("/dance")


async def test_browser_that_keeps_silent_shows_members_and_one_button(server: ServerProcess, clara: Client) -> None:
    await clara.play([note_on(60)])
    await clara.clock()
    async with browser_page(sound_allowed=False) as page:
        await open_salon(page, server)
        await expect(page.locator(".person", has_text="Clara")).to_have_count(1)
        await page.get_by_role("button", name="Join and listen").click()
        await expect(page.locator("#listen")).to_be_hidden()
        await expect_sound(page, "on")


@pytest.mark.parametrize("code", [4000, 1012])
async def test_close_that_says_so_is_followed_by_a_new_join(page: Page, server: ServerProcess, code: int) -> None:
    ends: list[WebSocketRoute] = []

    def connect_through(route: WebSocketRoute) -> None:
        ends.extend((route, route.connect_to_server()))

    await page.route_web_socket("**/ws", connect_through)
    await open_salon(page, server)
    for end in ends[:2]:
        await end.close(code=code if end is ends[0] else 1000)
    await expect(page.locator("#state")).to_contain_text("reconnecting")
    await expect(page.locator(".person")).to_have_count(0)
    await expect(page.locator(".person")).to_have_count(1)


async def test_close_for_good_waits_for_the_user(page: Page, server: ServerProcess) -> None:
    routes: list[WebSocketRoute] = []

    def answer_nothing(route: WebSocketRoute) -> None:
        routes.append(route)

    await page.route_web_socket("**/ws", answer_nothing)
    await page.goto(server.url)
    await routes[0].close(code=1000)
    await expect(page.locator("#state")).to_have_text("disconnected: normal")
    await page.get_by_role("button", name="Connect again").click()
    await expect(page.locator("#state")).to_have_text("connecting")
    assert len(routes) == 2


async def load_script(page: Page, url: str, name: str) -> None:
    """Serve a script of this folder as if it were the page's."""

    async def answer(route: Route) -> None:
        await route.fulfill(path=HERE / name, content_type="text/javascript")

    await page.route(f"**/static/{name}", answer)
    await page.goto(url)


async def test_javascript_module_passes_every_vector(page: Page, server: ServerProcess) -> None:
    await load_script(page, server.url, "vectors.js")
    files = [json.loads(path.read_text()) for path in sorted(VECTORS.glob("*.json"))]
    script = "async (files) => (await import('/static/vectors.js')).check(files)"
    result = await page.evaluate(script, files)
    assert result == {"checked": sum(len(file["vectors"]) for file in files), "failures": []}


async def test_javascript_module_closes_and_waits_by_the_same_table(page: Page, server: ServerProcess) -> None:
    await page.goto(server.url)
    rules = await page.evaluate("async () => (await import('/static/rhythm-protocol.js')).CLOSE_RULES")
    assert rules == {
        str(rule.code): {
            "name": rule.name,
            "reconnectAfter": None if rule.reconnect_after is None else list(rule.reconnect_after),
        }
        for rule in CLOSE_RULES.values()
    }


@pytest.mark.parametrize(
    ("code", "attempt", "expected"), [(4000, 0, [500, 2000]), (4000, 3, [4000, 16000]), (1013, 9, [60000, 60000])]
)
async def test_javascript_module_doubles_the_wait_up_to_a_minute(
    page: Page, server: ServerProcess, code: int, attempt: int, expected: list[int]
) -> None:
    await page.goto(server.url)
    script = """async ([code, attempt]) => {
        const { reconnectDelay } = await import('/static/rhythm-protocol.js');
        return [0, 1].map((number) => reconnectDelay(code, attempt, () => number));
    }"""
    assert await page.evaluate(script, [code, attempt]) == expected
