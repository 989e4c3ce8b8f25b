"""The page at `/` in a real browser, against a server in a process of its own."""

import json

import pytest
from playwright.async_api import Page, Route, WebSocketRoute, expect

from rhythm_protocol.close import CLOSE_RULES
from rhythm_protocol.messages import ChatLine
from rhythm_protocol.midi import CONTROL_CHANGE, MidiEvent
from tests.client import Client, note_off, note_on, open_client
from tests.e2e.pages import HERE, expect_sound, new_page, open_room, running_browser
from tests.server import ServerProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one browser and one server for all of them

VECTORS = HERE.parents[1] / "protocol" / "vectors"
PEDAL_DOWN = MidiEvent(0, CONTROL_CHANGE, 64, 127)
TEN_MINUTES_MS = 600_000
PEDAL_UP = MidiEvent(0, CONTROL_CHANGE, 64, 0)


async def test_page_without_a_name_joins_a_lobby(page: Page, server: ServerProcess) -> None:
    await page.goto(server.url)
    await expect(page.locator("#room")).to_have_text("Lobby")
    await expect(page.locator("#state")).to_have_text("connected")
    await expect(page.locator(".person")).to_have_count(1)


async def test_members_are_shown_while_they_are_here(
    page: Page, server: ServerProcess, room: str, clara: Client
) -> None:
    await open_room(page, server.url, room)
    row = page.locator(".person", has_text="Clara")
    await expect(row.locator(".dot")).to_have_css("background-color", "rgb(142, 202, 230)")
    await clara.ask("user-update", {"status_text": "practising"})
    await expect(row).to_contain_text("practising")
    await clara.close()
    await expect(page.locator(".person")).to_have_count(1)


async def test_member_who_comes_later_is_shown(page: Page, server: ServerProcess, room: str) -> None:
    await open_room(page, server.url, room)
    async with open_client(server.port) as robert:
        await robert.ask("user-update", {"name": "Robert"})
        await robert.join(room)
        await expect(page.locator(".person", has_text="Robert")).to_have_count(1)
        await expect(page.locator("#count")).to_have_text("2")


async def test_note_lights_its_key_and_sounds_until_note_off(
    page: Page, server: ServerProcess, room: str, clara: Client
) -> None:
    await open_room(page, server.url, room)
    await expect_sound(page, "off")
    await clara.play([note_on(60)])
    await expect(page.locator(".key.lit")).to_have_attribute("data-key", "60")
    await expect(page.locator(".person.playing")).to_contain_text("Clara")
    await expect_sound(page, "on")
    await clara.play([note_off(60)])
    await expect(page.locator(".key.lit")).to_have_count(0)
    await expect_sound(page, "off")


async def test_pedal_lets_a_note_ring(page: Page, server: ServerProcess, room: str, clara: Client) -> None:
    await open_room(page, server.url, room)
    await clara.play([PEDAL_DOWN, note_on(36, 127)])
    await expect_sound(page, "on")
    await clara.play([note_off(36)])
    await expect(page.locator(".key.lit")).to_have_count(0)
    await expect_sound(page, "on")
    await clara.play([PEDAL_UP])
    await expect_sound(page, "off")


async def test_newcomer_hears_what_is_held(page: Page, server: ServerProcess, room: str, clara: Client) -> None:
    await clara.play([note_on(64)])
    await clara.clock()
    await open_room(page, server.url, room)
    await expect(page.locator(".key.lit")).to_have_attribute("data-key", "64")
    await expect_sound(page, "on")


async def test_player_who_drops_is_released(page: Page, server: ServerProcess, room: str, clara: Client) -> None:
    await open_room(page, server.url, room)
    await clara.play([PEDAL_DOWN, note_on(40, 127)])
    await expect_sound(page, "on")
    clara.abort()
    await expect(page.locator(".key.lit")).to_have_count(0)
    await expect_sound(page, "off")


async def test_keys_of_the_page_reach_the_others(page: Page, server: ServerProcess, room: str, clara: Client) -> None:
    await open_room(page, server.url, room)
    await page.locator("h1").click()  # gives the page the keyboard
    await page.keyboard.down("q")
    await expect(page.locator(".key.lit")).to_have_attribute("data-key", "60")
    await expect_sound(page, "on")
    await page.keyboard.up("q")
    await page.locator('[data-key="72"]').click()
    played = [(event.data1, event.is_note_on) for _slot, event in await clara.events(4)]
    assert played == [(60, True), (60, False), (72, True), (72, False)]


async def test_chat_shows_markup_as_text(page: Page, server: ServerProcess, room: str, clara: Client) -> None:
    markup = '<img src=x onerror="document.title=1"><b>hi</b>'
    await clara.ask("user-update", {"name": "<i>Clara</i>"})
    await open_room(page, server.url, room)
    await clara.ask("chat-message", {"content": markup})
    await expect(page.locator(".line")).to_have_text(f"<i>Clara</i> {markup}")
    await expect(page.locator(".person", has_text="<i>Clara</i>")).to_have_count(1)
    assert await page.locator("img, b, i").count() == 0


async def test_chat_line_reaches_the_others(page: Page, server: ServerProcess, room: str, clara: Client) -> None:
    await open_room(page, server.url, room)
    await page.fill("#say", "good evening")
    await page.keyboard.press("Enter")
    assert (await clara.expect(ChatLine)).content == "good evening"
    await expect(page.locator(".line .content")).to_have_text("good evening")


async def test_chat_refusal_is_shown(page: Page, server: ServerProcess, room: str) -> None:
    await open_room(page, server.url, room)
    await page.fill("#say", "/dance")
    await page.keyboard.press("Enter")
    await expect(page.locator(".line.system")).to_contain_text("/dance")


async def test_browser_that_keeps_silent_shows_members_and_one_button(
    server: ServerProcess, room: str, clara: Client
) -> None:
    await clara.play([note_on(60)])
    await clara.clock()
    async with running_browser() as browser, new_page(browser) as page:
        await open_room(page, server.url, room)
        await expect(page.locator(".person", has_text="Clara")).to_have_count(1)
        await expect_sound(page, "suspended")
        await page.get_by_role("button", name="Join and listen").click()
        await expect(page.locator("#listen")).to_be_hidden()
        await expect_sound(page, "on")


@pytest.mark.parametrize("code", [4000, 1012])
async def test_session_that_is_over_is_followed_by_a_new_join(
    page: Page, server: ServerProcess, room: str, code: int
) -> None:
    ends: list[WebSocketRoute] = []

    def connect_through(route: WebSocketRoute) -> None:
        ends.extend((route, route.connect_to_server()))

    await page.add_init_script("Math.random = () => 20")  # it is seen gone, however busy the machine is
    await page.clock.install()
    await page.route_web_socket("**/ws", connect_through)
    await open_room(page, server.url, room)
    name = await page.locator(".person .name").inner_text()
    for end in ends[:2]:
        await end.close(code=code if end is ends[0] else 1000)
    await expect(page.locator("#state")).to_contain_text("reconnecting")
    await page.clock.fast_forward(TEN_MINUTES_MS)  # longer than it waits
    await expect(page.locator("#state")).to_contain_text("joined anew")
    await expect(page.locator(".person .name")).to_have_count(1)
    await expect(page.locator(".person .name")).not_to_have_text(name)


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


async def test_javascript_module_follows_the_shared_steps(page: Page, server: ServerProcess) -> None:
    await load_script(page, server.url, "vectors.js")
    files = {path.stem: json.loads(path.read_text()) for path in VECTORS.glob("steps/*.json")}
    result = await page.evaluate("async (files) => (await import('/static/vectors.js')).follow(files)", files)
    assert result == {"made": sum(len(file["runs"]) for file in files.values()), "failures": []}


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


async def test_javascript_module_doubles_the_wait_up_to_a_minute(page: Page, server: ServerProcess) -> None:
    await page.goto(server.url)
    script = """async ([code, attempt]) => {
        const { reconnectDelay } = await import('/static/rhythm-protocol.js');
        return [0, 1].map((number) => reconnectDelay(code, attempt, () => number));
    }"""
    assert await page.evaluate(script, [4000, 0]) == [500, 2_000]
    assert await page.evaluate(script, [4000, 3]) == [4_000, 16_000]
    assert await page.evaluate(script, [1013, 9]) == [60_000, 60_000]
