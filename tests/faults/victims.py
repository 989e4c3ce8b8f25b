"""Servers to be killed, one after the other, on one data directory."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import aiohttp
from websockets.exceptions import WebSocketException

from tests.deadline import within
from tests.server import SMALL, server_environment

__all__ = ["KILLED", "Victims", "running_victims"]

KILLED: Final = (aiohttp.ClientError, WebSocketException, OSError)
"""What a client notices when the server is killed."""


class Victims:
    """Servers on one data directory, one after the other. `url`, `port` and `pid` are the last one's."""

    def __init__(self, process: asyncio.subprocess.Process, data: Path, settings: Sequence[str]) -> None:
        self._process = process
        self._arguments = ["serve", "--port", "0", "--data", str(data)]
        self._arguments += [part for setting in (SMALL, *settings) for part in ("--set", setting)]
        self.pid = 0
        self.url = ""

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    async def start(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(self._arguments).encode() + b"\n")
        self.pid = int(await self._line())
        self.url = (await self._line()).removeprefix("rhythmd listening on ")

    async def kill(self) -> None:
        await self.end(signal.SIGKILL)

    async def end(self, number: signal.Signals) -> None:
        """Send a signal, and wait until the server is gone."""
        os.kill(self.pid, number)
        assert await self._line() == "gone"

    async def _line(self) -> str:
        assert self._process.stdout is not None
        return (await within(self._process.stdout.readline())).decode().strip()


@asynccontextmanager
async def running_victims(folder: Path, settings: Sequence[str]) -> AsyncIterator[Victims]:
    """Servers with their data and log in `folder`. No traceback may be in their log."""
    log = folder / "victims.log"
    command = ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "tests.faults.server_child"]
    with log.open("w") as stderr:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=stderr,
            env=server_environment(),
        )  # fmt: skip
    try:
        yield Victims(process, folder / "data", settings)
    finally:
        process.kill()  # the server dies with it
        await within(process.wait())
        assert process.stdout is not None
        await within(process.stdout.read())  # to its end: then the server is gone
    assert "Traceback" not in log.read_text()
