"""HTTP: bodies that are inflated, searches, downloads that nobody reads, and many requests on few connections."""

import gzip
from collections.abc import Callable, Sequence
from typing import Final

import orjson

from bench.abuse.attacker import SOCKETS, Attack, Attacker
from bench.abuse.wire import ask
from bench.abuse.words import API, JSON_BODY, request

__all__ = ["ATTACKS"]

_GZIP: Final = ("Content-Encoding", "gzip")
_BOMB: Final = gzip.compress(b'{"usertag":"' + b"a" * 58_000_000 + b'"}', 9)[:58_000]


class _Requests:
    """The attack that sends these requests in turn, on so many connections, each when the last is answered."""

    def __init__(self, words: Sequence[bytes], connections: int) -> None:
        self._words = words
        self._connections = connections

    async def __call__(self, attacker: Attacker) -> None:
        async def one(number: int) -> None:
            line = await attacker.line()
            count = number
            try:
                while not attacker.is_over:
                    await ask(line, self._words[count % len(self._words)])
                    count += 1
            finally:
                line.leave()

        await attacker.everywhere(one, self._connections)


def _bomb(path: str, method: str = "POST") -> bytes:
    return request(method, path, _BOMB, (JSON_BODY, _GZIP))


_BOMBS: Final = (
    _bomb(f"{API}/nothing"),
    _bomb(f"{API}/auth/login"),
    _bomb(f"{API}/auth/guest"),
    _bomb("/nothing"),
    _bomb(f"{API}/rooms/create"),
)
_SEARCHES: Final = tuple(
    request("GET", f"{API}/sheet_music/search?text={words}&limit=100")
    for words in ("a", "a+b+c+d+e+f+g+h", "%22a%22", "e*", "a" * 200, "%E3%81%82")
)
_LISTS: Final = (request("GET", f"{API}/rooms/active"), request("GET", f"{API}/rooms/active?page=2&text=a"))


_SITE: Final = tuple(request("GET", path) for path in (f"{API}/openapi.json", "/static/app.js", f"{API}/docs", "/"))
_COOKIES: Final = tuple(
    request("GET", path, headers=(("Cookie", cookies),))
    for path in (f"{API}/rooms/active", f"{API}/users/profile", "/ws")
    for cookies in ("; ".join(f"c{number}=v" for number in range(800)), 'a="' + "\\\\" * 3_500 + '"')
)
_RANGES: Final = (
    request("GET", "/static/app.js", headers=(("Range", "bytes=" + ",".join(f"{n}-{n}" for n in range(1_000))),)),
    request("GET", f"{API}/openapi.json", headers=(("If-None-Match", ", ".join(f'"{n:08x}"' for n in range(600))),)),
)
_PARAMETERS: Final = (
    request("GET", f"{API}/rooms/active?" + "&".join(f"a{number}=1" for number in range(900))),
    request("GET", f"{API}/rooms/active?text=" + "%F0%9D%84%9E" * 600),
    request("GET", f"{API}/sheet_music/search?" + "tag=a&" * 1_200),
    request("GET", "/" + "a/" * 3_500),
    request("GET", "/%2e%2e" * 1_100),
)
_BODIES: Final = tuple(
    request("POST", f"{API}/auth/{path}", body.encode(), (JSON_BODY,))
    for path in ("login", "guest", "refresh")
    for body in ("[" * 60_000, '{"usertag":' + "9" * 60_000 + "}", '{"a":[' + "[]," * 20_000 + "1]}", '{"a":1,' * 8_000)
)


def _queries(make: Callable[[int], str], count: int = 2_000) -> tuple[bytes, ...]:
    return tuple(request("GET", make(number)) for number in range(count))


_AUTHORS: Final = 14
_TEXTS: Final = tuple(
    orjson.dumps({"description": text * (4_000 // len(text))})
    for text in ("\u2764\ufe0f", "a\u0301\u0323", "\u1780\u17d2", "\u0628\u200c", "\u202a", "\ufdd0")
)


async def _long_texts(attacker: Attacker) -> None:
    """Descriptions that are to be cleaned, of sheets that are not there."""
    tokens = [await attacker.account_token(f"texts{number}x{attacker.number}") for number in range(_AUTHORS)]
    words = [
        request("PATCH", f"{API}/sheet_music/nosuch", text, (JSON_BODY, ("Authorization", f"Bearer {token}")))
        for token in tokens
        if token is not None
        for text in _TEXTS
    ]
    await _Requests(words, SOCKETS)(attacker)


ATTACKS: Final[dict[str, Attack]] = {
    "gzip bodies": Attack(
        "58 KB that inflate to megabytes, to paths that are not there and to logins", _Requests(_BOMBS, SOCKETS)
    ),
    "list of rooms": Attack("the list of rooms on 50 connections, again and again", _Requests(_LISTS, SOCKETS)),
    "searches": Attack("searches of sheets that find much, on 50 connections", _Requests(_SEARCHES, SOCKETS)),
    "site": Attack("the page and the API's document, on 50 connections that read fast", _Requests(_SITE, SOCKETS)),
    "metrics": Attack(
        "metrics and readiness, on 50 connections",
        _Requests(tuple(request("GET", path) for path in ("/metrics", "/health/ready", "/health/live")), SOCKETS),
    ),
    "long cookies": Attack("hundreds of cookies with each request, on 50 connections", _Requests(_COOKIES, SOCKETS)),
    "many ranges": Attack("a thousand ranges and tags with each request", _Requests(_RANGES, SOCKETS)),
    "long queries": Attack("queries and paths of thousands of parts", _Requests(_PARAMETERS, SOCKETS)),
    "long texts": Attack("descriptions of 4,000 emoji, marks or joiners, by 14 accounts", _long_texts),
    "JSON bodies": Attack("64 KiB of depth and of numbers, to the paths for logins", _Requests(_BODIES, SOCKETS)),
    "many queries": Attack(
        "thousands of paths and query strings that nobody asked for before",
        _Requests(_queries(lambda number: f"{API}/rooms/{number}?a={number}"), SOCKETS),
    ),
}
