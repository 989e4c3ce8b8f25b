"""What a load has: a server on its defaults, people who come from addresses, and ways for real programs to come so."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.honest.browser import Browser
from bench.honest.music import Heard
from bench.honest.people import Person, Room
from bench.load.client import proxy_line
from bench.servers import Running

__all__ = ["Load", "Stage"]

_PIECE: Final = 65_536


class Stage:
    """Where a load happens.

    Attributes:
        server: that runs now.
        seconds: for which there is music.
        folder: for files.
        refused: requests by the status of the answer, and how often.
        heard: what became of the music, part by part.
        people: everybody who came with a socket.
    """

    def __init__(self, server: Running, seconds: float, folder: Path) -> None:
        self.server = server
        self.seconds = seconds
        self.folder = folder
        self.refused: Counter[str] = Counter()
        self.heard: list[Heard] = []
        self.people: list[Person] = []
        self._browsers: list[Browser] = []

    async def person(self, source: str, room: Room | None = None, token: str | None = None) -> Person:
        """Somebody with a socket, in a room if one is named. Raises Refused, TimeoutError or OSError."""
        person = await Person.arrive(self.server.host, self.server.port, source, token)
        self.people.append(person)
        if room is not None:
            await person.enter(room)
        return person

    def browser(self, source: str) -> Browser:
        """Somebody's browser."""
        browser = Browser(self.server.host, self.server.port, source, self.refused)
        self._browsers.append(browser)
        return browser

    def leave(self) -> None:
        """Everybody goes."""
        for person in self.people:
            person.close()
        for browser in self._browsers:
            browser.leave()

    async def play(self, path: Path, room: Room, source: str) -> None:
        """Play a file with `rhythmd play`. Raises RuntimeError with what it said if it fails."""
        async with self._street(source) as url:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "rhythmd", "play", str(path), "--room", room.name, "--url", url, "--no-create",
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            )  # fmt: skip
            output, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"rhythmd play: {output.decode()[-500:]}")

    @asynccontextmanager
    async def _street(self, source: str) -> AsyncIterator[str]:
        """The URL of a way to the server on which everybody comes from `source`."""

        async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there, back = await asyncio.open_connection(self.server.host, self.server.port)
            back.write(proxy_line(source))
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_pump(reader, back))
                tasks.create_task(_pump(there, writer))

        street = await asyncio.start_server(lead, "127.0.0.1")
        async with street:
            yield f"http://127.0.0.1:{street.sockets[0].getsockname()[1]}"


@dataclass(frozen=True)
class Load:
    """A row of the catalogue: what honest people do, in a sentence, and how they do it."""

    what: str
    act: Callable[[Stage], Awaitable[None]]


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry one direction to its end."""
    with suppress(ConnectionError):
        while data := await reader.read(_PIECE):
            writer.write(data)
            await writer.drain()
    writer.close()
