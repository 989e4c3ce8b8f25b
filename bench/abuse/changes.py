"""What an owner or a member may change, again and again: each change is told to the whole room."""

from collections.abc import Sequence
from typing import Final

from bench.abuse.attacker import ALLOWED_PER_S, SOCKETS, Attack, Attacker
from bench.abuse.wire import said
from bench.abuse.words import CROWD, message

__all__ = ["ATTACKS"]

_SETTINGS: Final = tuple(
    message("room-update", {"settings": {"welcome_message": f"{number} " + "la" * 240, "stage": "s" * 60}})
    for number in range(20)
)
_METRONOME: Final = tuple(
    message("metronome", {"running": number % 2 == 0, "bpm": 60 + number}) for number in range(50)
)
_SANCTIONS: Final = tuple(
    message(type_, {"user": "Victim 1", **more})
    for type_, more in (
        ("mute", {"notes": True, "chat": True}),
        ("mute", {"notes": False, "chat": False}),
        ("mute", {"notes": True, "seconds": 1}),
        ("sanctions", {}),
    )
)
_BANS: Final = tuple(
    message(type_, {"user": f"Victim {number}", **more})
    for number in range(1, 48)
    for type_, more in (("ban", {"seconds": 1}), ("kick", {}))
)
_RECORD: Final = tuple(message("record", {"on": is_on}) for is_on in (True, False))
_CLEAR: Final = (*(message("chat-message", {"content": "la" * 240}) for _ in range(5)), message("clear-chat", {}))
_TIMING: Final = tuple(message("timing", {"late_ms": late}) for late in (0, 60_000, 5, 900))
_COMMANDS: Final = tuple(
    message("chat-message", {"content": words})
    for words in ("/help", "/me " + "la" * 240, "/mute_self", "/status_text " + "x" * 100, "/help")
)
_SHEETS: Final = tuple(message("sheet-play", {"sheet": f"no such sheet {number}"}, number) for number in range(50))


class _Changes:
    """The attack in which some of a room's members say these in turn, and all others read.

    Args:
        pieces: what is said.
        talkers: how many say it; the first of them is the room's owner.
        returns: whether those who are sent away come again, once a second.
    """

    def __init__(self, pieces: Sequence[bytes], talkers: int = 1, *, returns: bool = False) -> None:
        self._pieces = pieces
        self._talkers = talkers
        self._returns = returns

    async def __call__(self, attacker: Attacker) -> None:
        room = f"changing {attacker.number}"
        owner = await attacker.member(room, CROWD)

        async def one(number: int) -> None:
            line = owner if number == 0 and not owner.is_lost else await attacker.member(room, CROWD)
            try:
                line.write(message("user-update", {"name": f"Victim {number}"}))
                if number < self._talkers:
                    await attacker.pace(line, self._pieces, ALLOWED_PER_S)
                if self._returns:
                    await attacker.pace(line, (message("join-room", {"room": room}),), 1.0)
                await line.lost()
            finally:
                line.leave()

        await attacker.everywhere(one)


async def _one_guest(attacker: Attacker) -> None:
    """Fifty sockets of one guest take the same seat from each other."""
    token = await attacker.guest_token()

    async def one(_number: int) -> None:
        line = await attacker.socket(token=token)
        try:
            room = f"seat {attacker.number}"
            while not attacker.is_over:
                await said(line, message("join-room", {"room": room, "create": True, "settings": CROWD}, 1))
        finally:
            line.leave()

    await attacker.everywhere(one)


ATTACKS: Final[dict[str, Attack]] = {
    "room settings": Attack("an owner changes the settings of a room of 50, 48 times a second", _Changes(_SETTINGS)),
    "metronome": Attack("an owner starts and stops the metronome of a room of 50, 48/s", _Changes(_METRONOME)),
    "sanctions": Attack("an owner mutes one of 50 and takes it back, 48 times a second", _Changes(_SANCTIONS)),
    "bans": Attack("an owner bans and kicks all others, who come again", _Changes(_BANS, returns=True)),
    "recording on and off": Attack("an owner begins and ends recordings of a room of 50, 48/s", _Changes(_RECORD)),
    "chat that is cleared": Attack("an owner fills the chat of a room of 50 and clears it", _Changes(_CLEAR)),
    "timing reports": Attack("50 members report any lateness of notes, 48 times a second", _Changes(_TIMING, SOCKETS)),
    "commands": Attack("50 members use chat commands with long answers, 48/s", _Changes(_COMMANDS, SOCKETS)),
    "missing sheets": Attack("50 members ask for sheets that are not there, 48/s", _Changes(_SHEETS, SOCKETS)),
    "one guest on 50 sockets": Attack("50 sockets of one guest take the same seat from each other", _one_guest),
}
