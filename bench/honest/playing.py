"""Loads of music: black MIDI, messages as multiplayerpiano.net's clients send them, and controllers."""

import asyncio
from collections.abc import Iterator
from random import Random
from typing import Final

import numpy as np

from bench.honest.black import PIECES, write
from bench.honest.doings import Room
from bench.honest.music import Heard, Turn, blocks_of, notes, perform
from bench.honest.people import Person
from bench.honest.stage import Load, Stage
from rhythm_protocol.control import SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON
from rhythm_protocol.midi import (
    CHANNEL_PRESSURE,
    CONTROL_CHANGE,
    EVENT_SIZE,
    NOTE_OFF,
    NOTE_ON,
    PITCH_BEND,
    POLY_PRESSURE,
    MidiEvent,
)

__all__ = ["LOADS"]

_SETTLE_S: Final = 1.0
_HALF_WRAP: Final = 1 << 31
_MESSAGE_S: Final = 0.2
_CABLE_PER_S: Final = 1_000
_CABLES: Final = 4
_A_ROOM: Final = 20
_BOTS: Final = 3
_BOT_KEYS: Final = 780
_PLAYER_KEYS: Final = 36
_KEYS: Final = 88
_LOWEST: Final = 21


async def _heard_from_files(listener: Person, expected: int) -> Heard:
    """What came of files, each event of which says when it was played."""
    ahead, arrived, delays = await listener.server_clock_ahead(), 0, []
    for moment, _, base, events in blocks_of(listener):
        arrived += len(events) // EVENT_SIZE
        offset = int.from_bytes(events[:2], "little")
        # The server's clock, modulo 2^32 ms on the wire.
        late_ms = int((moment + ahead) * 1e3 - base - offset + _HALF_WRAP) % (2 * _HALF_WRAP) - _HALF_WRAP
        delays.append(late_ms / 1e3)
    return Heard(expected, arrived, np.array(delays))


async def _files(stage: Stage, names: list[str]) -> None:
    """Play files in one room, each by a `rhythmd play` at an address of its own, to one who listens."""
    room = Room(f"black {' '.join(names)}", {"max_players": 20, "allow_black_midi": True})
    listener = await stage.person("198.51.100.1", room)
    plays, expected = [], 0
    for number, name in enumerate(names):
        path = stage.folder / f"{name}.mid"
        expected += await asyncio.to_thread(write, path, name, stage.seconds)
        plays.append(stage.play(path, room, f"203.0.113.{number + 1}"))
    listener.reads.clear()
    await asyncio.gather(*plays)
    await asyncio.sleep(_SETTLE_S)
    stage.heard.append(await _heard_from_files(listener, expected))


async def _black_midi(stage: Stage) -> None:
    for name in PIECES:
        await _files(stage, [name])


async def _black_midi_together(stage: Stage) -> None:
    await _files(stage, ["rush", "walls"])


def _chord(random: Random, keys: int) -> list[MidiEvent]:
    """Keys pressed and released within the time of one message; those of more than one piano on further channels."""
    events = []
    for number in range(keys):
        channel, key = divmod(number, _KEYS)
        begin = random.randrange(100)
        events.append(MidiEvent(begin, NOTE_ON | channel, _LOWEST + key, random.randint(1, 127)))
        events.append(MidiEvent(begin + random.randrange(10, 99), NOTE_OFF | channel, _LOWEST + key, 0))
    return sorted(events)


def _messages(number: int, keys: int, seconds: float, random: Random) -> Iterator[Turn]:
    """What one client sends that gathers its notes for 200 ms."""
    phase = random.random() * _MESSAGE_S
    for message in range(int((seconds - phase) / _MESSAGE_S)):
        yield notes(phase + message * _MESSAGE_S, number, _chord(random, keys))


async def _gathered(stage: Stage) -> None:
    rooms = [Room(f"gathered {number}", {"max_players": _A_ROOM}) for number in range(2)]
    rooms.append(Room("gathered black", {"max_players": _A_ROOM, "allow_black_midi": True}))
    random, people, turns = Random(1), list[Person](), list[Turn]()
    for room in rooms:
        for seat in range(_A_ROOM):
            keys = _BOT_KEYS if seat < _BOTS and "allow_black_midi" in room.settings else _PLAYER_KEYS
            turns += _messages(len(people), keys, stage.seconds, random)
            protocol = SUBPROTOCOL_JSON if seat % 4 == 3 else SUBPROTOCOL_BINARY
            people.append(await stage.person(f"203.0.113.{1 + len(people)}", room, protocol=protocol))
    stage.heard.append(await perform(people, turns))


_WHEELS: Final = (
    (PITCH_BEND, 0),
    (CONTROL_CHANGE, 1),
    (POLY_PRESSURE, 60),
    (CONTROL_CHANGE, 11),
)


def _wheel(number: int) -> MidiEvent:
    """One position of one of four wheels."""
    if number % 5 == 4:
        return MidiEvent(0, CHANNEL_PRESSURE, number % 128, 0)
    status, first = _WHEELS[number % 4]
    return MidiEvent(0, status, first, number % 128)


async def _controllers(stage: Stage) -> None:
    room = Room("controllers", {"max_players": 8})
    people = [await stage.person(f"203.0.113.{1 + number}", room) for number in range(8)]
    turns = (
        notes((event + player / _CABLES) / _CABLE_PER_S, player, [_wheel(event)])
        for event in range(int(stage.seconds * _CABLE_PER_S))
        for player in range(_CABLES)
    )
    stage.heard.append(await perform(people, turns))


LOADS: Final = {
    "black MIDI": Load("made-up black MIDI, one file after the other, played by `rhythmd play`", _black_midi),
    "black MIDI, two at once": Load("two such files at once in one room", _black_midi_together),
    "200 ms a message": Load(
        "60 players gather their notes for 200 ms, as clients of multiplayerpiano.net do; three send 4,000 a second",
        _gathered,
    ),
    "controllers": Load(
        "four keyboards send wheels and pressure as fast as a MIDI cable may, 1,000/s each", _controllers
    ),
}
