"""Little said to many: what one sends in a room goes to all of it, and whoever comes is told of everybody."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from bench.abuse.attacker import SOCKETS, Attack, Attacker, message
from bench.abuse.wire import Line

__all__ = ["ATTACKS"]

_ALLOWED_PER_S: Final = 48.0
_CROWD: Final = {"max_players": 50}
_TYPING: Final = tuple(message("typing", {"typing": is_on}) for is_on in (True, False))
_CHAT: Final = tuple(message("chat-message", {"content": f"{number} " + "la" * 240}) for number in range(10))
_SHORT_CHAT: Final = (message("chat-message", {"content": "la"}),)
_USERS: Final = tuple(
    message("user-update", {"name": f"Stranger {number}", "colour": f"#{number:06x}", "status_text": "x" * 120})
    for number in range(50)
)
_SETTINGS: Final = tuple(
    message("room-update", {"settings": {"welcome_message": f"{number} " + "la" * 240, "stage": "s" * 60}})
    for number in range(20)
)
_METRONOME: Final = tuple(
    message("metronome", {"running": number % 2 == 0, "bpm": 60 + number}) for number in range(50)
)
_UNKNOWN: Final = (message("chat-message", {"content": "/nothing of the kind"}, 7), message("nonsense", {}, 8))


async def _together(
    attacker: Attacker,
    pieces: Sequence[bytes],
    sockets: int = SOCKETS,
    talkers: int = SOCKETS,
    settings: dict[str, Any] | None = None,
) -> None:
    """So many members of one room, of whom some talk at the allowed rate and all read."""
    crowd = {**_CROWD, **(settings or {})}

    async def one(number: int) -> None:
        line = await attacker.member(f"crowd {attacker.number}", crowd)
        try:
            if number < talkers:
                await attacker.pace(line, pieces, _ALLOWED_PER_S)
            else:
                await line.lost()
        finally:
            line.leave()

    await attacker.everywhere(one, sockets)


async def _typing(attacker: Attacker) -> None:
    await _together(attacker, _TYPING)


async def _chat(attacker: Attacker) -> None:
    await _together(attacker, _CHAT)


async def _users(attacker: Attacker) -> None:
    await _together(attacker, _USERS)


async def _settings(attacker: Attacker) -> None:
    await _together(attacker, _SETTINGS, talkers=1)


async def _metronome(attacker: Attacker) -> None:
    await _together(attacker, _METRONOME, talkers=1)


async def _errors(attacker: Attacker) -> None:
    await _together(attacker, _UNKNOWN)


async def _joins(attacker: Attacker) -> None:
    """Each comes and goes as often as the rate lets it."""
    room = f"door {attacker.number}"
    door = (message("join-room", {"room": room, "create": True, "settings": _CROWD}), message("leave-room", {}))

    async def one(number: int) -> None:
        line = await attacker.socket()
        try:
            await attacker.pace(line, door if number else door[:1], _ALLOWED_PER_S)
        finally:
            line.leave()

    await attacker.everywhere(one)


async def _reconnects(attacker: Attacker) -> None:
    """A new socket for each visit of a full room, which ends without a word."""

    async def one(number: int) -> None:
        line = await attacker.member(f"door {attacker.number}", _CROWD)
        if number < SOCKETS // 2:
            await line.lost()
        line.leave()

    await attacker.everywhere(one)


async def _whispers(attacker: Attacker) -> None:
    """All whisper to one who reads hardly anything."""
    room, name = f"whispers {attacker.number}", f"Victim {attacker.number}"
    victim: list[Line] = []

    async def reads_slowly() -> None:
        line = await attacker.member(room, _CROWD)
        line.write(message("user-update", {"name": name}))
        victim.append(line)
        line.transport.pause_reading()
        await line.lost()

    async def one(number: int) -> None:
        if number == 0:
            await reads_slowly()
            return
        line = await attacker.member(room, _CROWD)
        pieces = [message("chat-message", {"content": f"{count} " + "la" * 240, "to": name}) for count in range(10)]
        try:
            await attacker.pace(line, pieces, _ALLOWED_PER_S)
        finally:
            line.leave()

    with suppress(OSError):
        await attacker.everywhere(one)


async def _history(attacker: Attacker) -> None:
    """A room with a hundred long lines, which each newcomer is sent."""
    room = f"history {attacker.number}"
    teller = await attacker.member(room, {**_CROWD, "welcome_message": "w" * 500})
    for piece in (_CHAT * 10)[:100]:
        teller.write(piece)
    door = (message("join-room", {"room": room}), message("leave-room", {}))

    async def one(_number: int) -> None:
        line = await attacker.socket()
        try:
            await attacker.pace(line, door, _ALLOWED_PER_S)
        finally:
            line.leave()

    await attacker.everywhere(one, SOCKETS - 1)


ATTACKS: Final[dict[str, Attack]] = {
    "typing": Attack("50 members of a room begin and stop typing 48 times a second", _typing),
    "chat": Attack("50 members of a room each say 48 long lines a second", _chat),
    "user updates": Attack("50 members of a room each change name, colour and status 48 times a second", _users),
    "room settings": Attack("an owner changes the settings of a room of 50, 48 times a second", _settings),
    "metronome": Attack("an owner starts and stops the metronome of a room of 50, 48 times a second", _metronome),
    "errors to 50": Attack("50 members ask for what there is not, 48 times a second", _errors),
    "joins and leaves": Attack("50 sockets enter and leave one room, 48 times a second", _joins),
    "new sockets into a room": Attack("25 sockets enter a room of 25 and are cut off, again and again", _reconnects),
    "whispers": Attack("49 members whisper to one who does not read", _whispers),
    "history": Attack("49 sockets enter and leave a room with a hundred long lines of chat", _history),
}
