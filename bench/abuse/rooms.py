"""Little said to many: what one sends in a room goes to all of it, and whoever comes is told of everybody."""

from collections.abc import Sequence
from typing import Final

from bench.abuse.attacker import ALLOWED_PER_S, SOCKETS, Attack, Attacker
from bench.abuse.words import CROWD, message

__all__ = ["ATTACKS"]

_TYPING: Final = tuple(message("typing", {"typing": is_on}) for is_on in (True, False))
_CHAT: Final = tuple(message("chat-message", {"content": f"{number} " + "la" * 240}) for number in range(10))
_SHORT_CHAT: Final = (message("chat-message", {"content": "la"}),)
_USERS: Final = tuple(
    message("user-update", {"name": f"Stranger {number}", "colour": f"#{number:06x}", "status_text": "x" * 120})
    for number in range(50)
)
_VICTIM_BYTES_PER_S: Final = 60_000.0
_UNKNOWN: Final = (message("chat-message", {"content": "/nothing of the kind"}, 7), message("nonsense", {}, 8))


async def _together(attacker: Attacker, pieces: Sequence[bytes]) -> None:
    """All sockets in one room, where each talks at the allowed rate and reads what the others say."""

    async def one(_number: int) -> None:
        line = await attacker.member(f"crowd {attacker.number}", CROWD)
        try:
            await attacker.pace(line, pieces, ALLOWED_PER_S)
        finally:
            line.leave()

    await attacker.everywhere(one)


async def _typing(attacker: Attacker) -> None:
    await _together(attacker, _TYPING)


async def _chat(attacker: Attacker) -> None:
    await _together(attacker, _CHAT)


async def _users(attacker: Attacker) -> None:
    await _together(attacker, _USERS)


async def _errors(attacker: Attacker) -> None:
    await _together(attacker, _UNKNOWN)


async def _joins(attacker: Attacker) -> None:
    """Each comes and goes as often as the rate lets it."""
    room = f"door {attacker.number}"
    door = (message("join-room", {"room": room, "create": True, "settings": CROWD}), message("leave-room", {}))

    async def one(number: int) -> None:
        line = await attacker.socket()
        try:
            await attacker.pace(line, door if number else door[:1], ALLOWED_PER_S)
        finally:
            line.leave()

    await attacker.everywhere(one)


async def _reconnects(attacker: Attacker) -> None:
    """A new socket for each visit of a full room, which ends without a word."""

    async def one(number: int) -> None:
        line = await attacker.member(f"door {attacker.number}", CROWD)
        if number < SOCKETS // 2:
            await line.lost()
        line.leave()

    await attacker.everywhere(one)


async def _whispers(attacker: Attacker) -> None:
    """All whisper to somebody whose line carries 60 KB/s."""
    room, name = f"whispers {attacker.number}", f"Victim {attacker.number}"
    pieces = [message("chat-message", {"content": f"{count} " + "la" * 240, "to": name}) for count in range(10)]

    async def one(number: int) -> None:
        if number == 0:
            await attacker.victim(room, name, _VICTIM_BYTES_PER_S)
            return
        line = await attacker.member(room, CROWD)
        try:
            await attacker.pace(line, pieces, ALLOWED_PER_S)
        finally:
            line.leave()

    await attacker.everywhere(one)


async def _history(attacker: Attacker) -> None:
    """A room with a hundred long lines, which each newcomer is sent."""
    room = f"history {attacker.number}"
    teller = await attacker.member(room, {**CROWD, "welcome_message": "w" * 500})
    for piece in (_CHAT * 10)[:100]:
        teller.write(piece)
    door = (message("join-room", {"room": room}), message("leave-room", {}))

    async def one(_number: int) -> None:
        line = await attacker.socket()
        try:
            await attacker.pace(line, door, ALLOWED_PER_S)
        finally:
            line.leave()

    await attacker.everywhere(one, SOCKETS - 1)


ATTACKS: Final[dict[str, Attack]] = {
    "typing": Attack("50 members of a room begin and stop typing 48 times a second", _typing),
    "chat": Attack("50 members of a room each say 48 long lines a second", _chat),
    "user updates": Attack("50 members of a room each change name, colour and status 48 times a second", _users),
    "errors to 50": Attack("50 members ask for what there is not, 48 times a second", _errors),
    "joins and leaves": Attack("50 sockets enter and leave one room, 48 times a second", _joins),
    "new sockets into a room": Attack("25 sockets enter a room of 25 and are cut off, again and again", _reconnects),
    "whispers": Attack("49 members whisper to an honest one who reads 60 KB/s", _whispers),
    "history": Attack("49 sockets enter and leave a room with a hundred long lines of chat", _history),
}
