"""Loads of people: a class at one address, bots that greet, and everybody who comes back after a restart."""

import asyncio
from collections.abc import Iterator
from random import Random
from typing import Final

from bench.honest.music import Turn, notes, perform, saying
from bench.honest.people import Person, Room
from bench.honest.stage import Load, Stage
from rhythm_protocol.binary import encode_clock_request, encode_cursor
from rhythm_protocol.midi import CONTROL_CHANGE, NOTE_OFF, NOTE_ON, MidiEvent

__all__ = ["LOADS"]

_SCHOOL: Final = "203.0.113.80"
_CLASS: Final = 30
_WITHIN_S: Final = 1.0
_PRESSES_PER_S: Final = 10.0  # and as many releases
_CURSORS_PER_S: Final = 20.0
_PEDAL: Final = 64


def _piano(number: int, seconds: float, random: Random) -> Iterator[Turn]:
    """Fast piano, a pedal every half second, and the pointer."""
    phase = random.random() / _PRESSES_PER_S
    for press in range(int((seconds - 1.0) * _PRESSES_PER_S)):
        due, key = phase + press / _PRESSES_PER_S, random.randint(21, 108)
        yield notes(due, number, [MidiEvent(0, NOTE_ON, key, random.randint(1, 127))])
        yield notes(due + 0.09, number, [MidiEvent(0, NOTE_OFF, key, 0)])
        if press % 5 == 0:
            yield notes(due + 0.03, number, [MidiEvent(0, CONTROL_CHANGE, _PEDAL, 127 * (press % 2))])
    for move in range(int(seconds * _CURSORS_PER_S)):
        due = (move + random.random()) / _CURSORS_PER_S
        yield Turn(due, number, payload=encode_cursor(random.randrange(65_536), random.randrange(65_536)))
    for question in range(int(seconds)):
        yield Turn(question + phase, number, payload=encode_clock_request(question))


def _talk(number: int, seconds: float, random: Random) -> Iterator[Turn]:
    """A line of chat every few seconds, being typed before; a name of their own, and a colour."""
    at = random.random() * 3
    yield saying(at, number, "user-update", {"name": f"Pupil {number}", "colour": f"#{random.randrange(1 << 24):06x}"})
    while at < seconds - 1:
        yield saying(at, number, "typing", {"typing": True})
        yield saying(at + 0.5, number, "chat-message", {"content": f"look at this, it is bar {random.randrange(99)}"})
        at += random.uniform(2.0, 6.0)


def _teaching(pupils: list[Person], seconds: float) -> Iterator[Turn]:
    """The teacher, who owns the room, mutes one pupil's chat after the other, and the metronome ticks."""
    yield saying(0.5, 0, "metronome-update", {"running": True, "bpm": 96})
    for number in range(int(seconds) - 1):
        pupil = pupils[number % len(pupils)].welcome["user"]["id"]
        yield saying(number + 0.3, 0, "mute", {"user": pupil, "chat": True})
        yield saying(number + 0.4, 0, "mute", {"user": pupil, "chat": False, "notes": False})


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
    turns += [turn for number in range(1, len(people)) for turn in _talk(number, seconds, random)]
    stage.heard.append(await perform(people, [*turns, *_teaching(pupils, seconds)]))
    await teacher.ask("kick", {"user": pupils[0].welcome["user"]["id"]})


LOADS: Final = {
    "a class": Load(
        f"{_CLASS} people at one address open the page within a second and play fast piano in one room", _class
    ),
}
