"""Start a server for a measurement and stop it again: rhythmd, an earlier rhythmd, or one of the peers."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final
from urllib.parse import urlsplit

from bench.load.spec import Dialect
from bench.peers import PEERS
from bench.system import pinned

__all__ = ["LIBRARY", "RHYTHMD", "Running", "earlier", "is_rhythmd", "remote", "running", "title_of"]

RHYTHMD: Final = "rhythmd"
LIBRARY: Final = "rhythmd with sheets"  # to play in rooms
_EARLIER: Final = f"{RHYTHMD} at "
_READY: Final = re.compile(r"listening on (http://\S+)")
_STOP_S: Final = 15.0


@dataclass(frozen=True)
class Running:
    """A server that listens. `pid` and `log` are None for one that was not started here."""

    name: str
    url: str
    dialect: Dialect
    pid: int | None
    log: Path | None

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or "127.0.0.1"

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 80


def remote(url: str) -> Running:
    """A rhythmd that somebody else runs; `url` is `http://host:port` or `ws://host:port/ws`."""
    return Running(RHYTHMD, url, Dialect.RHYTHMD, None, None)


def earlier(revision: str) -> str:
    """The name of the rhythmd of another commit."""
    return _EARLIER + revision


def is_rhythmd(name: str) -> bool:
    """Whether it is rhythmd, of this commit or of another."""
    return name in (RHYTHMD, LIBRARY) or name.startswith(_EARLIER)


def title_of(name: str) -> str:
    return name if is_rhythmd(name) else PEERS[name].title


def _command(name: str, settings: Sequence[str], folder: Path, port: int) -> list[str]:
    if not is_rhythmd(name):
        return list(PEERS[name].command)
    sets = [word for setting in settings for word in ("--set", setting)]
    if name == LIBRARY:
        return [sys.executable, "-m", "bench.library", "--data", str(folder), *sets]
    return [sys.executable, "-m", "rhythmd", "serve", "--port", str(port), "--data", str(folder), *sets]


def _wait_until_ready(process: subprocess.Popen[str], log: Path) -> str:
    """The server's URL, from the line that it prints when it listens."""
    assert process.stdout is not None
    for line in process.stdout:
        if found := _READY.search(line):
            return found[1]
    raise RuntimeError(f"the server ended before it listened: {log.read_text()[-2000:]}")


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _environment(source: Path | None) -> dict[str, str]:
    """With `source` its packages come before those that are installed; `rhythmd` itself comes from the work folder."""
    return dict(os.environ) if source is None else {**os.environ, "PYTHONPATH": str(source / "protocol")}


def _spawn(command: list[str], core: int | None, source: Path | None, log: IO[str]) -> subprocess.Popen[str]:
    with pinned(core):
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=source, env=_environment(source)
        )


@contextmanager
def running(
    name: str,
    settings: Sequence[str] = (),
    core: int | None = None,
    source: Path | None = None,
    folder: Path | None = None,
    port: int = 0,
) -> Iterator[Running]:
    """Run a server, on `core` alone if given, for as long as the block lasts.

    Args:
        name: "rhythmd", `LIBRARY`, `earlier(revision)` or a key of `PEERS`.
        settings: `section.key=value`, for rhythmd only.
        core: number of the only core that it may use.
        source: a checkout of rhythmd to run instead of this one.
        folder: for its data and its log, if they are to outlive it.
        port: of rhythmd; 0 takes a free one.

    Raises:
        PeerMissing: the peer cannot run here.
        RuntimeError: the server did not come up; the text has the end of its log.
    """
    if not is_rhythmd(name):
        PEERS[name].prepare()
    dialect = Dialect.RHYTHMD if is_rhythmd(name) else Dialect.RELAY
    with tempfile.TemporaryDirectory(prefix="bench-") if folder is None else nullcontext(folder) as place:
        path = Path(place) / "server.log"
        command = _command(name, settings, Path(place) / "data", port)
        with path.open("a") as log, _spawn(command, core, source, log) as process:
            try:
                url = _wait_until_ready(process, path)
                yield Running(name, url, dialect, process.pid, path)
            finally:
                _stop(process)
