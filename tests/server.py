"""Servers to test against: one in this process, one as a process of its own."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

from rhythmd.app import Server
from rhythmd.config import Config, load_config
from rhythmd.hub.ports import SheetSource
from tests.deadline import until, within

__all__ = [
    "AT_ONCE",
    "SMALL",
    "Serve",
    "ServerProcess",
    "Spawn",
    "make_config",
    "running_process",
    "running_server",
    "server_environment",
]

AT_ONCE: Final = "hub.resume_s=0"  # who is lost leaves at once
SMALL: Final = "hub.live_mb=1"  # a file of this size for each server of thousands of tests
INODE: Final = 9  # column of /proc/net/tcp
READY: Final = "rhythmd listening on http://127.0.0.1:"


def make_config(data_dir: Path, settings: Sequence[str] = ()) -> Config:
    """The defaults with a free port, and over them `settings`, each as `section.key=value`."""
    return load_config(None, {}, ["server.port=0", f"server.data_dir={data_dir}", SMALL, *settings])


@contextlib.asynccontextmanager
async def running_server(config: Config, sheets: SheetSource | None = None) -> AsyncIterator[Server]:
    """A server in this loop. After it has stopped no task and no socket of it may be left."""
    tasks, sockets = asyncio.all_tasks(), open_sockets()
    server = Server(config, sheets)
    await server.start()
    try:
        yield server
    finally:
        await within(server.stop())
        await until(lambda: asyncio.all_tasks() - tasks <= {asyncio.current_task()}, "no task is left")
        await until(lambda: open_sockets() <= sockets, "no socket is left")


def open_sockets() -> set[str]:
    """The TCP sockets that this process has open, as /proc names them."""
    rows = [row.split() for table in ("tcp", "tcp6") for row in Path("/proc/self/net", table).read_text().splitlines()]
    tcp = {f"socket:[{row[INODE]}]" for row in rows}
    links: set[str] = set()
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the folder's own descriptor
            links.add(str(entry.readlink()))
    return links & tcp


def server_environment() -> dict[str, str]:
    """This process's environment without settings for the server."""
    return {key: value for key, value in os.environ.items() if not key.startswith("RHYTHMD_")}


class ServerProcess:
    """`rhythmd serve` as a process of its own.

    Attributes:
        port: where it listens.
        pid: its process id.
    """

    def __init__(self, process: asyncio.subprocess.Process, port: int, log: Path) -> None:
        self._process = process
        self._log = log
        self.port = port
        self.pid = process.pid

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def wait(self) -> int:
        """Its exit status."""
        return await within(self._process.wait())

    def log(self) -> str:
        """What it has written to standard error."""
        return self._log.read_text()

    @property
    def resident_bytes(self) -> int:
        """Its resident memory."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


@contextlib.asynccontextmanager
async def running_process(folder: Path, settings: Sequence[str] = (), port: int = 0) -> AsyncIterator[ServerProcess]:
    """`rhythmd serve` on `port`, or a free one, with `settings`; its data and log in `folder`. Killed at the end."""
    log = folder / "stderr.log"
    options = [option for setting in (SMALL, *settings) for option in ("--set", setting)]
    with log.open("w") as stderr:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "rhythmd", "serve", "--port", str(port), "--data", str(folder / "data"), *options,
            stdout=asyncio.subprocess.PIPE, stderr=stderr, cwd=folder, env=server_environment(),
        )  # fmt: skip
    try:
        assert process.stdout is not None
        line = (await within(process.stdout.readline())).decode()
        assert line.startswith(READY), line + log.read_text()
        yield ServerProcess(process, int(line.removeprefix(READY)), log)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await within(process.wait())


Serve = Callable[..., Awaitable[Server]]
Spawn = Callable[..., Awaitable[ServerProcess]]
