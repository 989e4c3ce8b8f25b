"""A browser: it loads the page with all that the page imports, on some connections that it keeps, and asks the API."""

import asyncio
import re
from collections import Counter, deque
from time import monotonic
from typing import Any, Final
from urllib.parse import urljoin

import msgspec

from bench.abuse.wire import Line, Tally, ask, dial
from bench.abuse.words import API, JSON_BODY, bearer, request
from bench.honest.doings import Asked

__all__ = ["Browser"]

_CONNECTIONS: Final = 6
"""To one host at once, as all browsers do it with HTTP/1.1."""
_REFUSED: Final = 400
_LINKS: Final = re.compile(r"""(?:\sfrom\s|\shref=|\ssrc=)"([\w./-]+\.(?:js|css|svg))\"""")


class Browser:
    """Somebody's browser at an address.

    Args:
        host: of the server.
        port: of the server.
        source: the address.
        refused: counts what was refused, by status.
        asked: gets all requests.

    Attributes:
        token: of the login, if there is one.
        accepted_files: that were uploaded.
    """

    def __init__(self, host: str, port: int, source: str, refused: Counter[str], asked: list[Asked]) -> None:
        self._host = host
        self._port = port
        self._source = source
        self._refused = refused
        self._asked = asked
        self._member: str | None = None
        self._idle: deque[Line] = deque()
        self._places = asyncio.Semaphore(_CONNECTIONS)
        self.token: str | None = None
        self.accepted_files = 0

    async def get(self, path: str) -> bytes:
        """The body of the answer."""
        return await self._ask(request("GET", path, headers=self._headers()))

    async def post(self, path: str, data: dict[str, Any]) -> dict[str, Any]:
        """What the API answers to a POST."""
        headers = (JSON_BODY, *self._headers())
        body = await self._ask(request("POST", f"{API}/{path}", msgspec.json.encode(data), headers))
        answer: dict[str, Any] = msgspec.json.decode(body) if body else {}
        return answer

    async def send_file(self, path: str, name: str, content: bytes) -> None:
        """Upload a file."""
        mark = "-" * 20 + "honest"
        head = f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
        body = head + content + f"\r\n--{mark}--\r\n".encode()
        headers = (("Content-Type", f"multipart/form-data; boundary={mark}"), *self._headers())
        if await self._ask(request("POST", f"{API}/{path}", body, headers)):
            self.accepted_files += 1

    async def load(self) -> int:
        """Load the page and everything that it names; how many files that are."""
        seen, new = {"/"}, ["/"]
        while new:
            texts = await asyncio.gather(*(self.get(path) for path in new))
            found = {
                urljoin(path, link)
                for path, text in zip(new, texts, strict=True)
                for link in _LINKS.findall(text.decode(errors="replace"))
            }
            new = sorted(found - seen)
            seen.update(new)
        return len(seen)

    async def become_guest(self) -> None:
        """Get a guest's login."""
        self.token = (await self.post("auth/guest", {})).get("access_token")

    async def register(self, usertag: str) -> None:
        """Make an account, and log in to it."""
        answer = await self.post("auth/register", {"usertag": usertag, "password": "correct horse"})
        self.token, self._member = answer.get("access_token"), usertag

    def leave(self) -> None:
        """Close what is open."""
        while self._idle:
            self._idle.popleft().leave()

    def _headers(self) -> tuple[tuple[str, str], ...]:
        return () if self.token is None else (bearer(self.token),)

    async def _ask(self, words: bytes) -> bytes:
        """The body of an answer. One that is refused is counted, and has none."""
        async with self._places:
            line, sent = await self._line(), monotonic()
            try:
                status, body = await ask(line, words)
            except ConnectionResetError:
                self._refused["cut off"] += 1
                return b""
            path = words.split(b" ", 2)[1].decode()
            self._asked.append(Asked(self._source, self._member, path, sent, monotonic()))
            self._idle.append(line)
        if status < _REFUSED:
            return body
        self._refused[f"HTTP {status}"] += 1
        return b""

    async def _line(self) -> Line:
        while self._idle:
            line = self._idle.popleft()
            if not line.is_lost:
                return line
        return await dial(self._host, self._port, self._source, Tally())
