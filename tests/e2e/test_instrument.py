"""What the page's own instrument does with the messages of the others: drums, pedals, volume and bend."""

from typing import Final

import pytest
from playwright.async_api import Page, expect

from rhythm_protocol.midi import CONTROL_CHANGE, NOTE_OFF, NOTE_ON, PITCH_BEND, MidiEvent
from tests.client import Client, note_off, note_on
from tests.e2e.pages import expect_sound, open_room
from tests.server import ServerProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")

Messages = list[list[int]]

VOLUME: Final = 7
DRUMS: Final = 9
RANGE_12: Final = [[0xB0, 101, 0], [0xB0, 100, 0], [0xB0, 6, 12]]
NULL: Final = [[0xB0, 101, 127], [0xB0, 100, 127]]
UP: Final = [0xE0, 0x7F, 0x7F]
FULL: Final = (0x3FFF - 0x2000) / 0x2000
STATE: Final = """async (messages) => {
    const { Channel } = await import("/static/channel.js");
    const channel = new Channel();
    for (const [status, data1, data2] of messages) {
        if (status === 0xe0) channel.bend = ((data2 << 7) + data1 - 0x2000) / 0x2000;
        else if (data1 === 121) channel.reset();
        else channel.control(data1, data2);
    }
    return [channel.bendCents, channel.loudness];
}"""
RINGING: Final = """async (messages) => {
    const { Synth } = await import("/static/synth.js");
    const synth = new Synth();
    await synth.start();
    for (const message of messages) synth.play(1, message, performance.now());
    const [channel] = synth.channels.values();
    const keys = [...channel.held.keys(), ...[...channel.ringing].map(({ key }) => key)].sort();
    synth.context.close();
    return keys;
}"""


def control(controller: int, value: int, channel: int = 0) -> MidiEvent:
    return MidiEvent(0, CONTROL_CHANGE | channel, controller, value)


@pytest.mark.parametrize(
    ("messages", "cents"),
    [
        ([UP], 200),
        ([*RANGE_12, UP], 1200),
        ([UP, *RANGE_12], 1200),
        ([*RANGE_12, [0xB0, 38, 50], UP], 1250),
        ([*RANGE_12, *NULL, [0xB0, 6, 24], UP], 1200),
        ([*RANGE_12, [0xB0, 99, 1], [0xB0, 98, 8], [0xB0, 6, 64], UP], 1200),
        ([*RANGE_12, [0xB0, 100, 1], [0xB0, 6, 64], UP], 1200),
        ([*RANGE_12, [0xB0, 121, 0], UP], 1200),
        ([*RANGE_12, UP, [0xB0, 121, 0]], 0),
        ([[0xB0, 6, 12], UP], 200),
    ],
)
async def test_bend_has_the_range_of_its_parameter(
    page: Page, server: ServerProcess, messages: Messages, cents: int
) -> None:
    await page.goto(server.url)
    assert (await page.evaluate(STATE, messages))[0] == pytest.approx(cents * FULL)


@pytest.mark.parametrize(
    ("messages", "loudness"),
    [
        ([], 1),
        ([[0xB0, VOLUME, 50]], 0.25),
        ([[0xB0, VOLUME, 0]], 0),
        ([[0xB0, 11, 0]], 0),
        ([[0xB0, VOLUME, 50], [0xB0, 11, 0], [0xB0, 121, 0]], 0.25),
    ],
)
async def test_volume_and_expression_make_the_loudness(
    page: Page, server: ServerProcess, messages: Messages, loudness: float
) -> None:
    await page.goto(server.url)
    assert (await page.evaluate(STATE, messages))[1] == pytest.approx(loudness)


@pytest.mark.parametrize(
    ("messages", "keys"),
    [
        ([[NOTE_ON, 60, 90], [0xB0, 66, 127], [NOTE_ON, 64, 90], [NOTE_OFF, 60, 0], [NOTE_OFF, 64, 0]], [60]),
        ([[NOTE_ON, 60, 90], [0xB0, 66, 127], [NOTE_OFF, 60, 0], [0xB0, 66, 0]], []),
        ([[0xB0, 69, 127], [NOTE_ON, 60, 90], [NOTE_OFF, 60, 0]], [60]),
        ([[0xB0, 69, 127], [0xB0, 64, 127], [NOTE_ON, 60, 90], [NOTE_OFF, 60, 0], [0xB0, 64, 0]], [60]),
        ([[0xB0, 64, 127], [NOTE_ON, 60, 90], [0xB0, 123, 0]], [60]),
        ([[0xB0, 64, 127], [NOTE_ON, 60, 90], [0xB0, 120, 0]], []),
        ([[0xB0, 64, 127], [NOTE_ON, 60, 90], [NOTE_OFF, 60, 0], [0xB0, 121, 0]], []),
        ([[NOTE_ON, 60, 90], [0xB0, 127, 0]], []),
    ],
    ids=["sostenuto", "sostenuto up", "hold 2", "two pedals", "notes off", "sound off", "reset", "mode"],
)
async def test_pedals_and_modes_keep_and_end_voices(
    page: Page, server: ServerProcess, messages: Messages, keys: list[int]
) -> None:
    await page.goto(server.url)
    assert await page.evaluate(RINGING, messages) == keys


async def test_volume_of_a_player_is_heard(page: Page, server: ServerProcess, room: str, clara: Client) -> None:
    await open_room(page, server.url, room)
    await clara.play([control(64, 127), note_on(36, 127)])
    await expect_sound(page, "on")
    await clara.play([control(VOLUME, 0)])
    await expect_sound(page, "off")
    await clara.play([control(VOLUME, 127)])
    await expect_sound(page, "on")


async def test_channel_10_is_drums(page: Page, server: ServerProcess, room: str, clara: Client) -> None:
    await open_room(page, server.url, room)
    await clara.play([MidiEvent(0, NOTE_ON | DRUMS, key, 127) for key in (36, 38, 42, 46, 49, 60)])
    await expect_sound(page, "on")
    await expect(page.locator(".person.playing")).to_have_count(1)
    await expect(page.locator(".key.lit")).to_have_count(0)
    await expect_sound(page, "off")  # though no key was let go
    assert sorted(await page.evaluate("starts.map(({ frequency }) => frequency)")) == [150, 230]  # of kick and snare


async def test_same_key_of_two_channels_is_lit_until_both_end(
    page: Page, server: ServerProcess, room: str, clara: Client
) -> None:
    await open_room(page, server.url, room)
    await clara.play([note_on(60), MidiEvent(0, NOTE_ON | 1, 60, 90), MidiEvent(0, PITCH_BEND, 0, 0x40)])
    await expect(page.locator(".key.lit")).to_have_count(1)
    await clara.play([note_off(60), note_on(72)])
    await expect(page.locator(".key.lit")).to_have_count(2)
    await clara.play([MidiEvent(0, NOTE_OFF | 1, 60, 0), note_off(72)])
    await expect(page.locator(".key.lit")).to_have_count(0)
