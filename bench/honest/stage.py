"""What a load has: a server on its defaults, people who come from addresses, and ways for real programs to come so."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.honest.browser import Browser
from bench.honest.doings import Asked, Doings, Room
from bench.honest.music import Heard
from bench.honest.people import Person
from bench.load.client import proxy_line
from bench.metrics import hindered
from bench.servers import RHYTHMD, Running, running
from rhythm_protocol.control import SUBPROTOCOL_BINARY

__all__ = ["House", "Load", "Stage"]

_PIECE: Final = 65_536


class House:
    """Has a server, which may be stopped and started again on the same port and with the same data.

    Args:
        folder: of its data.
        settings: `section.key=value`.
        core: the only one that it may use.
    """

    def __init__(self, folder: Path, settings: Sequence[str], core: int | None) -> None:
        self._folder = folder
        self._settings = settings
        self._core = core
        self._open = ExitStack()

    def start(self, port: int = 0) -> Running:
        """Raises RuntimeError."""
        server = running(RHYTHMD, self._settings, self._core, folder=self._folder, port=port)
        return self._open.enter_context(server)

    def stop(self) -> None:
        """As for an update."""
        self._open.close()


class Stage:
    """Where a load happens.

    Attributes:
        server: that runs now.
        hindrances: whom an earlier one refused, slowed or closed.
        seconds: for which there is music.
        folder: for files.
        refused: requests by the status of the answer, and how often.
        heard: what became of the music, part by part.
        people: everybody who came with a socket.
        doings: what was done on each socket.
        asked: what was asked for over HTTP.
    """

    def __init__(self, house: House, seconds: float, folder: Path) -> None:
        self._house = house
        self.server = house.start()
        self.hindrances: Counter[str] = Counter()
        self.seconds = seconds
        self.folder = folder
        self.refused: Counter[str] = Counter()
        self.heard: list[Heard] = []
        self.people: list[Person] = []
        self.doings: list[Doings] = []
        self.asked: list[Asked] = []
        self._browsers: list[Browser] = []

    async def person(
        self,
        source: str,
        room: Room | None = None,
        token: str | None = None,
        protocol: str = SUBPROTOCOL_BINARY,
    ) -> Person:
        """Somebody with a socket, in a room if one is named. Raises Refused, TimeoutError or OSError."""
        person = await Person.arrive(self.server.host, self.server.port, source, token, protocol)
        self.people.append(person)
        self.doings.append(person.doings)
        if room is not None:
            await person.enter(room)
        return person

    async def restart(self) -> None:
        """Stop the server, and start it again."""
        self.hindrances.update(await asyncio.to_thread(hindered, self.server))
        await asyncio.to_thread(self._house.stop)
        self.server = await asyncio.to_thread(self._house.start, self.server.port)

    def browser(self, source: str) -> Browser:
        """Somebody's browser."""
        browser = Browser(self.server.host, self.server.port, source, self.refused, self.asked)
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
        async with self._street(source, room) as url:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "rhythmd", "play", str(path), "--room", room.name, "--url", url, "--no-create",
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            )  # fmt: skip
            output, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"rhythmd play: {output.decode()[-500:]}")

    @asynccontextmanager
    async def _street(self, source: str, room: Room) -> AsyncIterator[str]:
        """The URL of a way to the server on which everybody comes from `source`, to enter a room of somebody else's."""

        async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there, back = await asyncio.open_connection(self.server.host, self.server.port)
            back.write(proxy_line(source))
            doings = Doings(source, room)
            self.doings.append(doings)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_pump(reader, back, doings.note))
                tasks.create_task(_pump(there, writer, len))
            doings.end()

        street = await asyncio.start_server(lead, "127.0.0.1")
        async with street:
            yield f"http://127.0.0.1:{street.sockets[0].getsockname()[1]}"


@dataclass(frozen=True)
class Load:
    """A row of the catalogue: what honest people do, in a sentence, and how they do it."""

    what: str
    act: Callable[[Stage], Awaitable[None]]


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, note: Callable[[bytes], object]) -> None:
    """Carry one direction to its end, and note what goes there."""
    with suppress(ConnectionError):
        while data := await reader.read(_PIECE):
            note(data)
            writer.write(data)
            await writer.drain()
    writer.close()
