"""Connections that hold a place and do hardly anything: half a handshake, half a body, an answer that nobody reads."""

import asyncio
from collections.abc import Sequence
from typing import Final

from bench.abuse.attacker import Attack, Attacker
from bench.abuse.words import API, JSON_BODY, request, upgrade

__all__ = ["ATTACKS"]

_MANY: Final = 1_000
_DRIP_S: Final = 0.2
_PIPELINE: Final = 200
_SITE: Final = tuple(request("GET", path) for path in (f"{API}/openapi.json", "/", "/static/app.js", f"{API}/docs"))


class _Drip:
    """The attack that begins with so many bytes of `words` and sends the rest one by one."""

    def __init__(self, words: bytes, first: int, connections: int = _MANY) -> None:
        self._words = words
        self._first = first
        self._connections = connections

    async def __call__(self, attacker: Attacker) -> None:
        async def one(_number: int) -> None:
            line = await attacker.line(self._words[: self._first])
            try:
                for byte in self._words[self._first :]:
                    await asyncio.sleep(_DRIP_S)
                    line.write(byte.to_bytes())
                await line.lost()
            finally:
                line.leave()

        await attacker.everywhere(one, self._connections)


class _Idle:
    """The attack that sends `first` on each of so many connections, and then nothing."""

    def __init__(self, first: bytes, connections: int = _MANY, *, by_proxy: bool = False) -> None:
        self._first = first
        self._connections = connections
        self._by_proxy = by_proxy

    async def __call__(self, attacker: Attacker) -> None:
        async def one(_number: int) -> None:
            line = await attacker.line(self._first, by_proxy=self._by_proxy)
            try:
                await line.lost()
            finally:
                line.leave()

        await attacker.everywhere(one, self._connections)


class _Unread:
    """The attack that asks many times at once and reads nothing."""

    def __init__(self, words: Sequence[bytes], connections: int = 50) -> None:
        self._words = b"".join(words[number % len(words)] for number in range(_PIPELINE))
        self._connections = connections

    async def __call__(self, attacker: Attacker) -> None:
        async def one(_number: int) -> None:
            line = await attacker.line()
            line.transport.pause_reading()
            try:
                await attacker.flood(line, self._words)
            finally:
                line.leave()

        await attacker.everywhere(one, self._connections)


_LOGIN: Final = request("POST", f"{API}/auth/login", b'{"usertag":"a","password":"b"}' + b" " * 60_000, (JSON_BODY,))
_ROOMS: Final = request("GET", f"{API}/rooms/active", headers=(("X-Forwarded-For", "203.0.113.1"),))

ATTACKS: Final[dict[str, Attack]] = {
    "idle connections": Attack("1,000 connections that never say a word", _Idle(b"")),
    "idle after a request": Attack("1,000 connections that stay after one request", _Idle(request("GET", "/"))),
    "idle behind a proxy": Attack(
        "1,000 connections of a proxy that stay after one request", _Idle(_ROOMS, by_proxy=True)
    ),
    "slow handshakes": Attack("1,000 handshakes, a byte every 200 ms", _Drip(upgrade(), 40)),
    "slow bodies": Attack("1,000 logins whose body comes a byte every 200 ms", _Drip(_LOGIN, len(_LOGIN) - 60_000)),
    "unread answers": Attack("50 connections ask for the largest documents and read nothing", _Unread(_SITE)),
    "unread list of rooms": Attack(
        "50 connections ask for the list of rooms and read nothing", _Unread((request("GET", f"{API}/rooms/active"),))
    ),
}
