"""What all share and one takes: rooms, lobbies, seats, recordings, the file with what survives a restart."""

import asyncio
from itertools import count
from typing import Final

import msgspec

from bench.abuse.attacker import ALLOWED_PER_S, Attack, Attacker
from bench.abuse.wire import ask, said
from bench.abuse.words import API, CROWD, JSON_BODY, NOTE, bearer, message, request

__all__ = ["ATTACKS"]

_BURST: Final = 190
_PER_USER: Final = 20
_TOKENS: Final = 20
_LONG: Final = "\N{MUSICAL SYMBOL G CLEF}" * 500
_LINGERING: Final = {**CROWD, "welcome_message": _LONG}


async def _rooms(attacker: Attacker) -> None:
    """Rooms are made and left, and linger: as many as the rate allows."""
    numbers = count()

    async def one(_number: int) -> None:
        line = await attacker.socket()
        try:
            while not attacker.is_over:
                name = f"mine {attacker.number} {next(numbers)}"
                line.write(message("join-room", {"room": name, "create": True}))
                await line.drain()
                await asyncio.sleep(1 / ALLOWED_PER_S)
        finally:
            line.leave()

    await attacker.everywhere(one)


async def _room_bursts(attacker: Attacker) -> None:
    """A new guest makes all the rooms of its first burst, and goes for the next one to come."""
    numbers = count()

    async def one(_number: int) -> None:
        line = await attacker.socket()
        names = (f"burst {attacker.number} {next(numbers)}" for _ in range(_BURST))
        line.write(b"".join(message("join-room", {"room": name, "create": True}) for name in names))
        await said(line, message("join-room", {"room": f"burst {attacker.number} {next(numbers)}", "create": True}, 9))
        line.leave()

    await attacker.everywhere(one)


async def _lobbies(attacker: Attacker) -> None:
    """All sockets sit in lobbies, go without a word and come as somebody else: their seats are reserved."""

    async def one(_number: int) -> None:
        line = await attacker.member("lobby")
        line.leave()

    await attacker.everywhere(one)


async def _seats(attacker: Attacker) -> None:
    """Guests without a socket reserve seats in lobbies by REST, and renew them."""
    tokens = list(filter(None, [await attacker.guest_token() for _ in range(_TOKENS)]))

    async def one(number: int) -> None:
        if not tokens:
            await asyncio.sleep(1.0)
            return
        line = await attacker.line()
        try:
            _, body = await ask(line, request("GET", f"{API}/rooms/active?type=lobby"))
            rooms = [room["id"] for room in msgspec.json.decode(body).get("rooms", ())]
            for room in rooms:
                path = f"{API}/rooms/{room}/join"
                await ask(line, request("POST", path, b"{}", (JSON_BODY, bearer(tokens[number % len(tokens)]))))
        finally:
            line.leave()

    await attacker.everywhere(one)


async def _recordings(attacker: Attacker) -> None:
    """Each new guest records silence as often as a user may, and the next one comes."""
    numbers = count()
    tape = b"".join(message("record", {"on": is_on}) for _ in range(_PER_USER) for is_on in (True, False))

    async def one(_number: int) -> None:
        line = await attacker.member(f"tapes {attacker.number} {next(numbers)}")
        line.write(tape)
        await said(line, message("sanctions", {}, 2))
        await asyncio.sleep(0.2)
        line.leave()

    await attacker.everywhere(one)


async def _recorded_notes(attacker: Attacker) -> None:
    """Each new guest records a note as often as that is allowed, and the next one comes."""
    numbers = count()

    async def one(_number: int) -> None:
        line = await attacker.member(f"notes {attacker.number} {next(numbers)}")
        for id_ in range(_PER_USER):
            await said(line, message("record", {"on": True}, id_ + 2))
            line.write(NOTE + message("record", {"on": False}))
        line.leave()

    await attacker.everywhere(one)


async def _live_file(attacker: Attacker) -> None:
    """Each new guest fills a room with the longest lines of chat, and leaves it behind."""
    numbers = count()
    lines = b"".join(message("chat-message", {"content": _LONG}) for _ in range(100))

    async def one(_number: int) -> None:
        line = await attacker.member(f"full {attacker.number} {next(numbers)}", _LINGERING)
        line.write(lines)
        await said(line, message("sanctions", {}, 2))
        line.leave()

    await attacker.everywhere(one)


async def _names(attacker: Attacker) -> None:
    """An owner gives a room one name after the other, and others take those that look like them."""
    names = [message("room-update", {"settings": {"name": f"name {attacker.number} {n}"}}) for n in range(1_000)]

    async def one(number: int) -> None:
        line = await attacker.member(f"named {attacker.number} {number}")
        try:
            await attacker.pace(line, names[number * 20 :] + names[: number * 20], ALLOWED_PER_S)
        finally:
            line.leave()

    await attacker.everywhere(one)


ATTACKS: Final[dict[str, Attack]] = {
    "rooms": Attack("50 guests make a room each 48 times a second, up to the limit of the server", _rooms),
    "rooms by new guests": Attack("each guest makes 190 rooms at once and is followed by the next", _room_bursts),
    "lobbies": Attack("50 sockets at a time take seats in lobbies and go without a word", _lobbies),
    "seats by REST": Attack("20 guests without a socket reserve seats in lobbies, and renew them", _seats),
    "recordings": Attack(
        "new guests record silence, 20 times each", _recordings, errand="record", counts=("recording-ready",)
    ),
    "recordings of a note": Attack(
        "new guests record one note, 20 times each", _recorded_notes, errand="record", counts=("recording-ready",)
    ),
    "live file": Attack("new guests leave rooms behind that are full of the longest lines", _live_file),
    "names of rooms": Attack("50 owners rename their rooms 48 times a second", _names),
}
