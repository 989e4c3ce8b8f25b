"""Mutes in masses: guests who come and go and are all muted, and mutes that end one after the other."""

from typing import Final

from bench.abuse.attacker import ALLOWED_PER_S, SOCKETS, Attack, Attacker
from bench.abuse.wire import Line, said
from bench.abuse.words import CROWD, message

__all__ = ["ATTACKS"]

_LISTED: Final = 200
"""How many guests are muted and gone before the attack itself."""
_FIRST_SLOT: Final = 2
"""Of the first member after the owner; each newcomer has the next one."""
_PRESENT: Final = SOCKETS - 5
_FOR_GOOD: Final[dict[str, bool | int]] = {"notes": True, "chat": True}


async def _fill(attacker: Attacker, room: str) -> tuple[Line, list[Line], range]:
    """A room with a long list of mutes: its owner, the members who are there, and their slots."""
    owner = await attacker.member(room, CROWD)
    slot = _FIRST_SLOT
    while slot < _FIRST_SLOT + _LISTED and not attacker.is_over:
        line = await attacker.member(room)
        await said(owner, message("mute", {"user": f"#{slot}", **_FOR_GOOD}, slot))
        await said(line, message("leave-room", {}, 2))
        line.leave()
        slot += 1
    present = [await attacker.member(room) for _ in range(_PRESENT)]
    return owner, present, range(slot, slot + _PRESENT)


async def _many(attacker: Attacker) -> None:
    owner, _, slots = await _fill(attacker, f"muted {attacker.number}")
    pieces = [message("mute", {"user": f"#{slot}", **_FOR_GOOD}) for slot in slots]
    await attacker.pace(owner, pieces, ALLOWED_PER_S)


async def _ending(attacker: Attacker) -> None:
    owner, present, slots = await _fill(attacker, f"muted for a while {attacker.number}")
    pieces = [
        message("mute", {"user": f"#{slot}", **_FOR_GOOD, "seconds": 1 + number % 3})
        for number, slot in enumerate(slots)
    ]
    speaking = [message("typing", {"typing": True}), message("chat-message", {"content": "la"})]

    async def one(number: int) -> None:
        if number:
            await attacker.pace(present[number - 1], speaking, ALLOWED_PER_S)
        else:
            await attacker.pace(owner, pieces, ALLOWED_PER_S)

    await attacker.everywhere(one, len(present) + 1)


ATTACKS: Final[dict[str, Attack]] = {
    "long list of mutes": Attack("an owner mutes guests who come and go, then 45 who are there, 48/s", _many),
    "mutes that end": Attack("mutes of 45 members end one by one, who say something all the time", _ending),
}
