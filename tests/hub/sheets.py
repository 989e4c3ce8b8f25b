"""A library for tests: sheets that a test makes up, in the place of what the server has."""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Final

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import RoomInfo, RoomUpdated, SheetInRoom
from rhythmd.errors import Refused
from rhythmd.hub.ports import Performance
from rhythmd.midi.score import Score
from rhythmd.midi.state import ChannelMessage
from tests.client import Client
from tests.hub.synthesizer import Synthesizer

__all__ = [
    "FOREVER_MS",
    "FakeLibrary",
    "Sounding",
    "begin",
    "hear",
    "held_chord",
    "medley",
    "over",
    "playing",
    "rings",
    "scale",
    "sheet",
]

Event = tuple[int, ChannelMessage]

FOREVER_MS: Final = 3_600_000


def sheet(id_: str, events: Sequence[Event], duration_ms: int | None = None) -> Performance:
    return Performance(id_, f"Title of {id_}", "Clara Schumann", Score.of(events, duration_ms))


def scale(id_: str, *, notes: int, step_ms: int = 20, first_key: int = 60) -> Performance:
    """Notes one after the other, each as long as a step."""
    events: list[Event] = []
    for number in range(notes):
        key = first_key + number % 12
        events += [(number * step_ms, (0x90, key, 80)), ((number + 1) * step_ms, (0x80, key, 0))]
    return sheet(id_, events)


def medley(id_: str, *, events: int = 150, longest_ms: int = 60) -> Performance:
    """Messages of all kinds, on two channels and few keys and controllers, the same ones for each id."""
    chance = random.Random(id_)
    made: list[Event] = []
    now = 0
    for _ in range(events):
        now += chance.choice((0, 0, chance.randrange(longest_ms)))
        channel = chance.randrange(2)
        message = chance.choice(
            [
                (0x90 | channel, chance.randrange(60, 66), chance.randrange(128)),
                (0x90 | channel, chance.randrange(60, 66), chance.randrange(128)),
                (0x80 | channel, chance.randrange(60, 66), 0),
                (0xB0 | channel, chance.choice((0, 1, 7, 11, 64, 66, 67)), chance.choice((0, 63, 64, 127))),
                (0xB0 | channel, chance.choice((120, 121, 123)), 0),
                (0xC0 | channel, chance.randrange(4), 0),
                (0xE0 | channel, 0, chance.choice((32, 64))),
            ]
        )
        made.append((now, message))
    return sheet(id_, made)


def held_chord(id_: str) -> Performance:
    """A chord with the pedal down, of another program, that nobody lets go of for an hour."""
    events: list[Event] = [(0, (0xC0, 5, 0)), (0, (0xB0, 64, 127)), *((0, (0x90, key, 90)) for key in (48, 55, 64))]
    return sheet(id_, events, FOREVER_MS)


class FakeLibrary:
    """Implements `hub.ports.SheetSource`.

    Attributes:
        asked: who asked for what: (sheet, user, roles).
        gate: cleared, it lets everybody wait.
    """

    def __init__(self, *sheets: Performance) -> None:
        self._sheets = {sheet.sheet_id: sheet for sheet in sheets}
        self.asked: list[tuple[str, str | None, frozenset[str]]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    def add(self, sheet: Performance) -> None:
        self._sheets[sheet.sheet_id] = sheet

    async def performance(self, sheet_id: str, user_id: str | None, roles: frozenset[str]) -> Performance:
        self.asked.append((sheet_id, user_id, roles))
        await self.gate.wait()
        if sheet_id == "away":
            raise Refused(ErrorCode.UNAVAILABLE, "the library is away")
        if sheet_id not in self._sheets:
            raise Refused(ErrorCode.NOT_FOUND, "there is no such sheet", "sheet")
        return self._sheets[sheet_id]


class Sounding:
    """What one slot holds, as a listener hears it, and all of its events with their times.

    Attributes:
        events: (time on the server's clock modulo 2^32, channel message) in the order in which they came.
    """

    def __init__(self, slot: int) -> None:
        self._slot = slot
        self.events: list[Event] = []

    async def listen(self, client: Client, until: Callable[["Sounding"], object]) -> None:
        """Hear music until `until` is so."""
        while not until(self):
            for block in await client.blocks():
                if block.slot == self._slot:
                    self.events += [(block.base_ms + event.offset_ms, event[1:]) for event in block.events]

    def keys(self) -> list[int]:
        """The keys that were pressed, in order."""
        return [data1 for _, (status, data1, data2) in self.events if status & 0xF0 == 0x90 and data2]

    def __len__(self) -> int:
        return len(self.events)


async def begin(client: Client, sheet_id: str, **how: object) -> SheetInRoom:
    """Start a sheet; what the room is told of it."""
    await client.ask("sheet-play", {"sheet": sheet_id, **how})
    return await playing(client)


async def playing(client: Client) -> SheetInRoom:
    """The next sheet that the room is told of."""
    while True:
        told = (await client.expect(RoomUpdated)).room.sheet
        if told is not None:
            return told


async def over(client: Client) -> RoomInfo:
    """The room, when it is told that no sheet is played any more."""
    while True:
        room = (await client.expect(RoomUpdated)).room
        if room.sheet is None:
            return room


async def hear(client: Client, slot: int, count: int) -> Sounding:
    sounding = Sounding(slot)
    await sounding.listen(client, lambda heard: len(heard) >= count)
    return sounding


def rings(sounding: Sounding) -> bool:
    synthesizer = Synthesizer()
    synthesizer.play(message for _, message in sounding.events)
    return synthesizer.rings
