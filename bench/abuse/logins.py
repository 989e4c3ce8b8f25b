"""Passwords and tokens: guessing costs the server a slow hash, a signature or a look into the store."""

from typing import Final

import msgspec

from bench.abuse.attacker import ALLOWED_PER_S, SOCKETS, Attack, Attacker
from bench.abuse.wire import TurnedAway, ask
from bench.abuse.words import API, JSON_BODY, bearer, message, request

__all__ = ["ATTACKS"]

_GUESSERS: Final = 40
_PRIVATE: Final = {"type": "private", "max_players": 16}


async def _room_passwords(attacker: Attacker) -> None:
    """All four-digit passwords of a guest's room, by 49 others."""
    room = f"secret {attacker.number}"
    owner = await attacker.socket()
    owner.write(message("join-room", {"room": room, "create": True, "password": "no digits", "settings": _PRIVATE}))
    guesses = [message("join-room", {"room": room, "password": f"{n:04}"}, n) for n in range(10_000)]

    await _guess(attacker, guesses, SOCKETS - 1, 200)


async def _hashed_room_passwords(attacker: Attacker) -> None:
    """The same in an account's room, whose password is hashed slowly, by 40 guests."""
    token = await attacker.account_token(f"Owner{attacker.number}")
    if token is None:
        raise TurnedAway("no account")
    line = await attacker.line()
    name = f"kept {attacker.number}"
    body = msgspec.json.encode({"name": name, "password": "no digits", "settings": _PRIVATE})
    await ask(line, request("POST", f"{API}/rooms/create", body, (JSON_BODY, bearer(token))))
    line.leave()
    guesses = [message("join-room", {"room": name, "password": f"{n:04}"}, n) for n in range(2_000)]

    await _guess(attacker, guesses, _GUESSERS, 40)


async def _guess(attacker: Attacker, guesses: list[bytes], guessers: int, step: int) -> None:
    """So many sockets say these, each beginning so many further on than the one before."""

    async def one(number: int) -> None:
        guesser = await attacker.socket()
        try:
            await attacker.pace(guesser, guesses[number * step :], ALLOWED_PER_S)
        finally:
            guesser.leave()

    await attacker.everywhere(one, guessers)


def _login(usertag: str, password: str) -> bytes:
    body = msgspec.json.encode({"usertag": usertag, "password": password})
    return request("POST", f"{API}/auth/login", body, (JSON_BODY,))


async def _logins(attacker: Attacker) -> None:
    """Guesses for the visitor's password and for users that are not there, on 50 connections."""

    async def one(number: int) -> None:
        line = await attacker.line()
        try:
            for guess in range(1_000):
                usertag = "Visitor" if guess % 2 else f"Nobody{number}.{guess}"
                await ask(line, _login(usertag, f"guess {guess}"))
        finally:
            line.leave()

    await attacker.everywhere(one)


async def _registrations(attacker: Attacker) -> None:
    """New accounts, as many as there may be."""

    async def one(number: int) -> None:
        for _ in range(100):
            tag = f"N{attacker.number}.{number}.{attacker.random.randrange(10**9)}"
            await attacker.account_token(tag)

    await attacker.everywhere(one)


async def _tickets(attacker: Attacker) -> None:
    """Handshakes with tickets and tokens that are none."""
    bad = "eyJhbGciOiJFZERTQSJ9." + "e30" * 200 + "." + "A" * 86

    async def one(number: int) -> None:
        if number % 2:
            await attacker.socket(target=f"/ws?ticket={attacker.random.randbytes(24).hex()}")
        else:
            await attacker.socket(token=bad)

    await attacker.everywhere(one)


async def _renewals(attacker: Attacker) -> None:
    """The message that renews a login, with what is none."""
    pieces = [message("authenticate", {"token": "a" * 4_096}, 1), message("authenticate", {"ticket": "b" * 128}, 2)]

    async def one(_number: int) -> None:
        line = await attacker.socket()
        try:
            await attacker.pace(line, pieces, ALLOWED_PER_S)
        finally:
            line.leave()

    await attacker.everywhere(one)


async def _resumes(attacker: Attacker) -> None:
    """Sessions of others, guessed."""
    keys = [attacker.random.randbytes(16).hex() for _ in range(100)]
    pieces = [message("resume", {"session": key, "received": 5}, 1) for key in keys]

    async def one(_number: int) -> None:
        line = await attacker.socket()
        try:
            await attacker.pace(line, pieces, ALLOWED_PER_S)
        finally:
            line.leave()

    await attacker.everywhere(one)


ATTACKS: Final[dict[str, Attack]] = {
    "passwords of rooms": Attack("49 guests guess the four digits of a guest's room, 48/s each", _room_passwords),
    "hashed passwords of rooms": Attack(
        "40 guests guess the password of an account's room", _hashed_room_passwords, errand="login"
    ),
    "logins": Attack("guesses for the password of a user and of nobody, on 50 connections", _logins, errand="login"),
    "registrations": Attack("new accounts, on 50 connections", _registrations, errand="login"),
    "bad tickets": Attack("handshakes with tickets and tokens that are none, 50 at a time", _tickets),
    "bad renewals": Attack("50 sockets renew a login with what is none, 48 times a second", _renewals),
    "wrong sessions": Attack("50 sockets guess the sessions of others, 48 times a second", _resumes),
}
