"""Loads of people: a class at one address, bots that greet, and everybody who comes back after a restart."""

import asyncio
from asyncio import TaskGroup
from collections.abc import Iterator
from random import Random
from typing import Final

import numpy as np

from bench.abuse.words import MASK, message
from bench.honest.doings import Room
from bench.honest.music import Heard, Turn, notes, perform, saying
from bench.honest.people import Person
from bench.honest.stage import Load, Stage
from rhythm_protocol.binary import encode_clock_request, encode_cursor
from rhythm_protocol.midi import CONTROL_CHANGE, NOTE_OFF, NOTE_ON, MidiEvent
from rhythm_protocol.websocket import BINARY, client_frame

__all__ = ["LOADS"]

_SCHOOL: Final = "203.0.113.80"
_CLASS: Final = 30
_WITHIN_S: Final = 1.0
_PRESSES_PER_S: Final = 10.0  # and as many releases
_CURSORS_PER_S: Final = 20.0
_PEDAL: Final = 64
_WELCOME_LINES: Final = 50
_AT_ONCE: Final = 3
_BETWEEN_S: Final = 2.0
_RETURNING: Final = 200
_OF_ONE_ADDRESS: Final = 10
_MEMBERS: Final = 20


def _binary(payload: bytes) -> bytes:
    return client_frame(BINARY, payload, MASK)


def _presses(number: int, seconds: float, per_s: float, random: Random) -> Iterator[Turn]:
    """Keys and, every half second of fast piano, a pedal."""
    phase = random.random() / per_s
    for press in range(int((seconds - 1.0) * per_s)):
        due, key = phase + press / per_s, random.randint(21, 108)
        yield notes(due, number, [MidiEvent(0, NOTE_ON, key, random.randint(1, 127))])
        yield notes(due + 0.09, number, [MidiEvent(0, NOTE_OFF, key, 0)])
        if press % 5 == 0:
            yield notes(due + 0.03, number, [MidiEvent(0, CONTROL_CHANGE, _PEDAL, 127 * (press % 2))])


def _piano(number: int, seconds: float, random: Random) -> Iterator[Turn]:
    """Fast piano, the pointer, and a question for the time each second."""
    yield from _presses(number, seconds, _PRESSES_PER_S, random)
    phase = random.random()
    for move in range(int(seconds * _CURSORS_PER_S)):
        due = (move + random.random()) / _CURSORS_PER_S
        yield Turn(due, number, frame=_binary(encode_cursor(random.randrange(65_536), random.randrange(65_536))))
    for question in range(int(seconds)):
        yield Turn(question + phase, number, frame=_binary(encode_clock_request(question)))


def _talk(number: int, seconds: float, random: Random) -> Iterator[Turn]:
    """A line of chat every few seconds, being typed before; a name of their own, and a colour."""
    at = random.random() * 3
    yield saying(at, number, "user-update", {"name": f"Pupil {number}", "colour": f"#{random.randrange(1 << 24):06x}"})
    while at < seconds - 1:
        yield saying(at, number, "typing", {"typing": True})
        yield saying(at + 0.5, number, "chat-message", {"content": f"look at this, it is bar {random.randrange(99)}"})
        at += random.uniform(2.0, 6.0)


def _teaching(quiet: Person, seconds: float) -> Iterator[Turn]:
    """The teacher, who owns the room, starts the metronome, and mutes one who says nothing, again and again."""
    yield saying(0.5, 0, "metronome", {"running": True, "bpm": 96})
    user = quiet.user
    for number in range(int(seconds) - 1):
        yield saying(number + 0.3, 0, "mute", {"user": user, "notes": False, "chat": True})
        yield saying(number + 0.6, 0, "mute", {"user": user, "notes": False, "chat": False})
        yield saying(number + 0.7, 0, "chat-message", {"content": f"bar {number}, please"})


async def _come(stage: Stage, room: Room, after_s: float) -> Person:
    """Open the page as anybody does, and enter the room."""
    await asyncio.sleep(after_s)
    browser = stage.browser(_SCHOOL)
    await browser.load()
    await browser.become_guest()
    await browser.get("/api/v1/rooms/active")
    return await stage.person(_SCHOOL, room, browser.token)


async def _class(stage: Stage) -> None:
    room, random = Room("class 4b", {"max_players": 40, "type": "unlisted"}), Random(1)
    teacher = await _come(stage, room, 0.0)
    pupils = list(await asyncio.gather(*(_come(stage, room, random.random() * _WITHIN_S) for _ in range(_CLASS - 1))))
    people, seconds = [teacher, *pupils], stage.seconds
    turns = [turn for number in range(len(people)) for turn in _piano(number, seconds, random)]
    turns += [turn for number in range(1, len(pupils)) for turn in _talk(number, seconds, random)]
    stage.heard.append(await perform(people, [*turns, *_teaching(pupils[-1], seconds)]))
    await teacher.ask("kick", {"user": pupils[-1].user})


async def _load_again(stage: Stage, after_s: float) -> None:
    await asyncio.sleep(after_s)
    await stage.browser(_SCHOOL).load()


async def _reload(stage: Stage) -> None:
    """All of a class load the page again, while the sockets of all are open, and those who are first play on."""
    room, random = Room("class 4c", {"max_players": 40, "type": "unlisted"}), Random(1)
    people = [await stage.person(_SCHOOL, room) for _ in range(_CLASS)]
    turns = [turn for number in range(_CLASS) for turn in _presses(number, stage.seconds, 2.0, random)]
    async with TaskGroup() as tasks:
        for _ in people:
            tasks.create_task(_load_again(stage, 0.5 + random.random() * _WITHIN_S))
        stage.heard.append(await perform(people, turns))


async def _greet(bot: Person, *, whispers: bool) -> None:
    """Say fifty lines to each newcomer at once, in whispers or to all."""
    while True:
        newcomer = await bot.newcomers.get()
        for number in range(_WELCOME_LINES):
            line = {"content": f"{number + 1}. Welcome! This is a line of what there is to know here."}
            bot.write(message("chat-message", {**line, "to": newcomer} if whispers else line))


async def _greeted(stage: Stage, room: Room, *, whispers: bool) -> None:
    """Some come at once, then one after the other; each asks the bot something, too."""
    bot = await stage.person("203.0.113.1", room)
    greeting = asyncio.create_task(_greet(bot, whispers=whispers))
    guests: list[Person] = []
    for number in range(_AT_ONCE + int(stage.seconds / _BETWEEN_S)):
        guests.append(await stage.person(f"198.51.100.{1 + number}", room))
        guests[-1].write(message("chat-message", {"content": "!help"}))
        if number >= _AT_ONCE:
            await asyncio.sleep(_BETWEEN_S)
    await asyncio.sleep(_BETWEEN_S)
    greeting.cancel()
    heard = sum(min(guest.told["chat-message"], _WELCOME_LINES) for guest in guests)
    stage.heard.append(Heard(_WELCOME_LINES * len(guests), heard, np.zeros(0)))


async def _bots(stage: Stage) -> None:
    async with TaskGroup() as tasks:
        for whispers in (True, False):
            room = Room(f"bot {whispers}", {"max_players": 40})
            tasks.create_task(_greeted(stage, room, whispers=whispers))


async def _back(stage: Stage, number: int, earlier: Person) -> Person:
    person = await stage.person(_address(number))
    await person.go_on_as(earlier)
    return person


def _address(number: int) -> str:
    return f"203.0.113.{1 + number // _OF_ONE_ADDRESS}"


async def _restart(stage: Stage) -> None:
    rooms = [Room(f"before {number}", {"max_players": _MEMBERS}) for number in range(_RETURNING // _MEMBERS)]
    people = [await stage.person(_address(number), rooms[number % len(rooms)]) for number in range(_RETURNING)]
    await stage.restart()
    stage.people.clear()
    back = await asyncio.gather(*(_back(stage, number, person) for number, person in enumerate(people)))
    random = Random(1)
    turns = [turn for number in range(len(back)) for turn in _presses(number, stage.seconds / 2, 2.0, random)]
    stage.heard.append(await perform(back, turns))


LOADS: Final = {
    "a class": Load(
        f"{_CLASS} people at one address open the page within a second and play fast piano in one room", _class
    ),
    "a class that reloads": Load(
        f"{_CLASS} people at one address, who are in a room, load the page again within a second", _reload
    ),
    "bots": Load(
        f"bots that greet each newcomer with {_WELCOME_LINES} lines at once, and answer what is asked",
        _bots,
    ),
    "a restart": Load(
        f"{_RETURNING} people at {_RETURNING // _OF_ONE_ADDRESS} addresses come back at once after a restart",
        _restart,
    ),
}
