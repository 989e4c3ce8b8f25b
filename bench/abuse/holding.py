"""Rooms whose members hold all that can be held, for which everybody who comes has to be told."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import Any, Final

from bench.abuse.attacker import ALLOWED_PER_S, SOCKETS, Attack, Attacker
from bench.abuse.wire import Line
from bench.abuse.words import CROWD, MASK, message
from rhythm_protocol.binary import encode_midi
from rhythm_protocol.midi import CONTROL_CHANGE, NOTE_OFF, NOTE_ON, POLY_PRESSURE, MidiEvent
from rhythm_protocol.websocket import BINARY, client_frame

__all__ = ["ATTACKS"]

_DENSE: Final[dict[str, Any]] = {**CROWD, "allow_black_midi": True, "allow_replay": True}
_FILLS_PER_S: Final = 4.0
_CHANNELS: Final = range(16)
_KEYS: Final = range(128)
_NEWCOMERS: Final = 5
_SLOW: Final = 10
_RELEASES: Final = client_frame(
    BINARY, encode_midi(0, [MidiEvent(0, NOTE_OFF, number % 128, 0) for number in range(4_000)]), MASK
)
_RELEASES_PER_S: Final = 3.0
_SLOW_BYTES_PER_S: Final = 400_000.0


@cache
def _everything() -> tuple[bytes, ...]:
    """Messages after which a player holds every key of every channel, each with a pressure, and all controllers."""
    states = (
        [
            *(MidiEvent(0, NOTE_ON | channel, key, 64) for key in _KEYS),
            *(MidiEvent(0, POLY_PRESSURE | channel, key, 9) for key in _KEYS),
            *(MidiEvent(0, CONTROL_CHANGE | channel, number, 5) for number in range(120)),
        ]
        for channel in _CHANNELS
    )
    return tuple(client_frame(BINARY, encode_midi(0, state), MASK) for state in states)


async def _full_room(attacker: Attacker, members: int) -> list[Line]:
    """The members of a room, the owner first, each of whom holds everything after some seconds."""
    room = f"heavy {attacker.number}"
    lines = [await attacker.member(room, _DENSE) for _ in range(members)]
    await _fill(lines)
    return lines


async def _fill(lines: Sequence[Line]) -> None:
    """Let each of them hold everything."""
    for piece in _everything():
        for line in lines:
            with suppress(OSError):
                line.write(piece)
        await asyncio.sleep(1 / _FILLS_PER_S)


async def _owner_says(attacker: Attacker, pieces: Sequence[bytes]) -> None:
    owner, *_ = await _full_room(attacker, SOCKETS)
    with suppress(OSError):
        await attacker.pace(owner, pieces, ALLOWED_PER_S)


async def _replays(attacker: Attacker) -> None:
    """Each time a tape begins with all that is held."""
    switch = (message("room-update", {"settings": {"allow_replay": is_on}}) for is_on in (False, True))
    await _owner_says(attacker, tuple(switch))


async def _recordings(attacker: Attacker) -> None:
    """Recordings of nothing but what is held."""
    await _owner_says(attacker, tuple(message("record", {"on": is_on}, 1) for is_on in (True, False)))


async def _releases(attacker: Attacker) -> None:
    """All that is held ends when only the owner may play."""
    switch = (message("room-update", {"settings": {"only_owner_can_play": is_on}}) for is_on in (True, False))
    await _owner_says(attacker, tuple(switch))


async def _newcomers(attacker: Attacker) -> None:
    """Each newcomer is told of all, while the members go on changing it."""
    room = f"heavy {attacker.number}"
    lines = await _full_room(attacker, SOCKETS - _NEWCOMERS)
    door = (message("join-room", {"room": room}), message("leave-room", {}))

    async def come_and_go(_number: int) -> None:
        line = await attacker.socket()
        try:
            await attacker.pace(line, door, ALLOWED_PER_S)
        finally:
            line.leave()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(attacker.everywhere(come_and_go, _NEWCOMERS))
        for line in lines:
            tasks.create_task(_play_on(attacker, line))


async def _play_on(attacker: Attacker, line: Line) -> None:
    with suppress(OSError):
        await attacker.pace(line, _everything(), 1.0)


async def _returning(attacker: Attacker) -> None:
    """Members who read too slowly are told of all when they have caught up."""
    lines = await _full_room(attacker, SOCKETS - _SLOW)
    for _ in range(_SLOW):
        line = await attacker.member(f"heavy {attacker.number}", _DENSE)
        line.read_slowly(_SLOW_BYTES_PER_S)
    async with asyncio.TaskGroup() as tasks:
        for line in lines:
            tasks.create_task(_play_on(attacker, line))


async def _tapes(attacker: Attacker) -> None:
    """Replays of many rooms are full in the same second, and each next tape begins with all that is held."""
    lines = [await attacker.member(f"tape {attacker.number} {number}", _DENSE) for number in range(SOCKETS)]
    await _fill(lines)
    async with asyncio.TaskGroup() as tasks:
        for line in lines:
            tasks.create_task(_pace_while_there(attacker, line))


async def _pace_while_there(attacker: Attacker, line: Line) -> None:
    with suppress(OSError):
        await attacker.pace(line, (_RELEASES,), _RELEASES_PER_S)


ATTACKS: Final[dict[str, Attack]] = {
    "replays of much held": Attack("the owner of 50 who hold everything switches replays 48 times a second", _replays),
    "recordings of much held": Attack("the owner of such a room records, and does not, 48 times a second", _recordings),
    "releases of much held": Attack("the owner of such a room silences it 24 times a second", _releases),
    "newcomers to much held": Attack("5 sockets enter and leave such a room while its members play", _newcomers),
    "slow readers of much held": Attack("10 members of such a room read slowly while the others play", _returning),
    "tapes that are full at once": Attack("50 rooms of one who holds everything fill their replays at once", _tapes),
}
