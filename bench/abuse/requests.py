"""HTTP: bodies that are inflated, searches, downloads that nobody reads, and many requests on few connections."""

import gzip
from collections.abc import Callable, Sequence
from typing import Final

from bench.abuse.attacker import SOCKETS, Attack, Attacker, request

__all__ = ["ATTACKS"]

_JSON: Final = ("Content-Type", "application/json")
_GZIP: Final = ("Content-Encoding", "gzip")
_BOMB: Final = gzip.compress(b'{"usertag":"' + b"a" * 58_000_000 + b'"}', 9)[:58_000]
_API: Final = "/api/v1"


class _Requests:
    """The attack that sends these requests in turn, on so many connections, so many at once without waiting."""

    def __init__(self, words: Sequence[bytes], connections: int, at_once: int = 4) -> None:
        self._words = words
        self._connections = connections
        self._at_once = at_once

    async def __call__(self, attacker: Attacker) -> None:
        async def one(number: int) -> None:
            line = await attacker.line()
            try:
                count = number
                while not attacker.is_over:
                    for _ in range(self._at_once):
                        words = self._words[count % len(self._words)]
                        last = await attacker.ask(line, words)
                        count += 1
                    del last
            finally:
                line.leave()

        await attacker.everywhere(one, self._connections)


def _bomb(path: str, method: str = "POST") -> bytes:
    return request(method, path, _BOMB, (_JSON, _GZIP))


_BOMBS: Final = (
    _bomb(f"{_API}/nothing"),
    _bomb(f"{_API}/auth/login"),
    _bomb(f"{_API}/auth/guest"),
    _bomb("/nothing"),
    _bomb(f"{_API}/rooms/create"),
)
_SEARCHES: Final = tuple(
    request("GET", f"{_API}/sheet_music/search?q={words}&limit=100")
    for words in ("a", "a+b+c+d+e+f+g+h", "%22a%22", "e*", "a" * 200, "%E3%81%82")
)
_LISTS: Final = (request("GET", f"{_API}/rooms/active"), request("GET", f"{_API}/rooms/active?page=2"))


def _queries(make: Callable[[int], str], count: int = 2_000) -> tuple[bytes, ...]:
    return tuple(request("GET", make(number)) for number in range(count))


ATTACKS: Final[dict[str, Attack]] = {
    "gzip bodies": Attack(
        "58 KB that inflate to megabytes, to paths that are not there and to logins", _Requests(_BOMBS, SOCKETS)
    ),
    "list of rooms": Attack("the list of rooms on 50 connections, again and again", _Requests(_LISTS, SOCKETS)),
    "searches": Attack("searches of sheets that find much, on 50 connections", _Requests(_SEARCHES, SOCKETS)),
    "many queries": Attack(
        "thousands of paths and query strings that nobody asked for before",
        _Requests(_queries(lambda number: f"{_API}/rooms/{number}?a={number}"), SOCKETS),
    ),
}
