"""Keyboard and pointer: nothing that is pressed outlives the focus, and no control swallows the keys."""

from collections.abc import Awaitable, Callable
from typing import Final

import pytest
from playwright.async_api import Page, expect

from rhythm_protocol.midi import CONTROL_CHANGE, NOTE_OFF, NOTE_ON
from tests.client import Client
from tests.e2e.pages import open_room
from tests.server import ServerProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")

Deed = Callable[[Page], Awaitable[None]]

DOWN: Final = (CONTROL_CHANGE, 64, 127)
UP: Final = (CONTROL_CHANGE, 64, 0)
KEY: Final = (NOTE_ON, 60, 84)
KEY_END: Final = (NOTE_OFF, 60, 0)
DISPATCH: Final = "([target, type]) => eval(target).dispatchEvent(new Event(type, {bubbles: true}))"
TOUCH: Final = """(type) => {
    const key = document.querySelector('[data-key="60"]');
    const { left, bottom } = key.getBoundingClientRect();
    const where = { clientX: left + 4, clientY: bottom - 4, pointerId: 7, bubbles: true };
    key.dispatchEvent(new PointerEvent(type, { ...where, buttons: type === "pointerdown" ? 1 : 0 }));
}"""
HIDE: Final = """() => {
    Object.defineProperty(document, "visibilityState", {value: "hidden", configurable: true});
    document.dispatchEvent(new Event("visibilitychange", {bubbles: true}));
}"""


def event(target: str, type_: str) -> Deed:
    """What the browser tells of something that no test can do to a page without a window."""

    async def deed(page: Page) -> None:
        await page.evaluate(DISPATCH, [target, type_])

    return deed


async def hide(page: Page) -> None:
    await page.evaluate(HIDE)


async def chat(page: Page) -> None:
    await page.focus("#say")


async def system_key(page: Page) -> None:
    await page.keyboard.down("Meta")
    await page.keyboard.up("Meta")


async def right_click(page: Page) -> None:
    await page.click("h1", button="right")


LOSSES: Final = {
    "blurred": event("window", "blur"),
    "hidden": hide,
    "left": event("window", "pagehide"),
    "frozen": event("document", "freeze"),
    "in the chat": chat,
    "Alt+Tab": system_key,
    "context menu": right_click,
}


async def played(client: Client, count: int) -> list[tuple[int, int, int]]:
    """The next messages of the others, [kind, data 1, data 2], the value of a note-off left out."""
    events = [midi for _slot, midi in await client.events(count)]
    return [(midi.status & 0xF0, midi.data1, 0 if midi.is_note_off else midi.data2) for midi in events]


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
async def test_pressed_keys_and_pedal_end_with_the_focus(
    page: Page, server: ServerProcess, room: str, clara: Client, loss: Deed
) -> None:
    await open_room(page, server.url, room)
    await page.keyboard.down("Space")
    await page.keyboard.down("q")
    await expect(page.locator(".key.lit")).to_have_count(1)
    await loss(page)
    await expect(page.locator(".key.lit")).to_have_count(0)
    assert await played(clara, 4) == [DOWN, KEY, KEY_END, UP]


async def test_key_and_pedal_let_go_in_the_chat_are_up(
    page: Page, server: ServerProcess, room: str, clara: Client
) -> None:
    await open_room(page, server.url, room)
    await page.keyboard.down("Space")
    await page.focus("#say")
    await page.keyboard.up("Space")
    await page.keyboard.type("quiet")
    await page.keyboard.press("Escape")
    await page.keyboard.press("q")
    assert await played(clara, 4) == [DOWN, UP, KEY, KEY_END]
    await expect(page.locator("#say")).to_have_value("quiet")


async def test_modifier_between_press_and_release_changes_nothing(
    page: Page, server: ServerProcess, room: str, clara: Client
) -> None:
    await open_room(page, server.url, room)
    await page.keyboard.down("q")
    await page.keyboard.down("Shift")
    await page.keyboard.up("Q")
    await page.keyboard.up("Shift")
    await page.keyboard.press("Control+q")
    await page.keyboard.press("w")
    assert (await played(clara, 4))[:3] == [KEY, KEY_END, (NOTE_ON, 62, 84)]


@pytest.mark.parametrize("end", ["pointercancel", "pointermove"])
async def test_touched_key_ends_when_its_release_is_not_told(
    page: Page, server: ServerProcess, room: str, clara: Client, end: str
) -> None:
    """`pointermove` with no button down: it was let go outside of the window."""
    await open_room(page, server.url, room)
    for type_ in ("pointerdown", end):
        await page.evaluate(TOUCH, type_)
    assert [midi[:2] for midi in await played(clara, 2)] == [KEY[:2], KEY_END[:2]]


async def test_other_buttons_of_the_mouse_do_not_play(
    page: Page, server: ServerProcess, room: str, clara: Client
) -> None:
    await open_room(page, server.url, room)
    await page.click('[data-key="72"]', button="right")
    await page.click('[data-key="60"]')
    assert [midi[:2] for midi in await played(clara, 2)] == [KEY[:2], KEY_END[:2]]


async def click_record(page: Page) -> None:
    await page.click("#record")


async def enter_on_record(page: Page) -> None:
    await page.focus("#record")
    await page.keyboard.press("Enter")


async def space_on_record(page: Page) -> None:
    await page.focus("#record")
    await page.keyboard.press("Space")


@pytest.mark.parametrize("start", [click_record, enter_on_record, space_on_record])
async def test_keyboard_plays_after_a_button(page: Page, server: ServerProcess, room: str, start: Deed) -> None:
    await open_room(page, server.url, room)
    await start(page)
    await expect(page.locator("#recording")).to_have_text("recording")
    await page.keyboard.press("Space")
    await page.keyboard.down("q")
    await expect(page.locator(".key.lit")).to_have_count(1)
    await page.keyboard.up("q")
    await expect(page.locator("#recording")).to_have_text("recording")


async def click_and_close(page: Page, selector: str) -> None:
    await page.click(selector)
    await page.keyboard.press("Escape")


async def test_keyboard_plays_after_a_box_a_list_and_a_switch(page: Page, server: ServerProcess, room: str) -> None:
    await open_room(page, server.url, room)
    uses: list[Callable[[], Awaitable[object]]] = [
        lambda: page.click("#replay"),
        lambda: page.click("text=All may save"),
        lambda: click_and_close(page, "#metronome select"),
        lambda: page.click("#metronome button"),
    ]
    for use in uses:
        await use()
        await page.keyboard.press("Space")
        await page.keyboard.down("q")
        await expect(page.locator(".key.lit")).to_have_count(1)
        await page.keyboard.up("q")
        await expect(page.locator(".key.lit")).to_have_count(0)
    await expect(page.locator("#metronome button")).to_have_text("Stop")
    await expect(page.locator("#replay")).not_to_be_checked()


async def test_controls_can_be_reached_and_used_by_the_keyboard_alone(
    page: Page, server: ServerProcess, room: str
) -> None:
    await open_room(page, server.url, room)
    await page.focus("#metronome input")
    await page.keyboard.press("Tab")
    await page.keyboard.press("ArrowUp")  # 3/4
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.locator("#metronome button")).to_have_text("Stop")
    await expect(page.locator("#metronome select")).to_have_value("3/4")
    await page.keyboard.press("Tab")
    await expect(page.locator("#record")).to_be_focused()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.locator("#replay")).to_be_checked()
