"""A real mongod for as long as it is measured."""

import importlib.util
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from pymongo import MongoClient
from pymongo.errors import PyMongoError

__all__ = ["MongodMissing", "running_mongod"]

START_S: Final = 60.0
_POLL_S: Final = 0.1


class MongodMissing(Exception):
    """There is no mongod here, or it does not start."""


def _program() -> str:
    """The mongod in the path, or the one that the extra `dev` brings."""
    found = shutil.which("mongod")
    if found is not None:
        return found
    spec = importlib.util.find_spec("fiftyone")
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        program = Path(folder) / "db" / "bin" / "mongod"
        if program.exists():
            return str(program)
    raise MongodMissing("no mongod is in the path; the extra `dev` brings one, or give the URL of a running one")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_primary(port: int) -> bool:
    """Whether it takes writes by now; a new one is made the only member of its replica set."""
    with MongoClient[dict[str, Any]]("127.0.0.1", port, directConnection=True, timeoutMS=2_000) as client:
        hello = client.admin.command("hello")
        if "setName" not in hello:
            members = [{"_id": 0, "host": f"127.0.0.1:{port}"}]
            client.admin.command("replSetInitiate", {"_id": "rs0", "members": members})
        return bool(hello["isWritablePrimary"])


def _await_primary(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if _is_primary(port):
                return
        except PyMongoError:
            pass  # It has not started to listen.
        time.sleep(_POLL_S)
    raise MongodMissing(f"mongod did not start: {log.read_text(errors='replace')[-2000:]}")


@contextmanager
def running_mongod() -> Iterator[str]:
    """The URL of an empty replica set of one member, which dies with this process. Raises MongodMissing."""
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="bench-mongod-") as folder:
        log = Path(folder) / "log.txt"
        command = [
            "setpriv",
            "--pdeathsig",
            "KILL",
            _program(),
            "--bind_ip",
            "127.0.0.1",
            "--port",
            str(port),
            "--nounixsocket",
            "--replSet",
            "rs0",
        ]
        command += ["--dbpath", folder, "--oplogSize", "256", "--wiredTigerCacheSizeGB", "0.5"]
        with log.open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            _await_primary(process, port, log)
            yield f"mongodb://127.0.0.1:{port}/?replicaSet=rs0"
        finally:
            process.kill()
            process.wait()
