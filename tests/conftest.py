"""What all tests share: production's event loop, servers and clients, and what no test may leave behind."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest
import uvloop
from blockbuster import BlockBuster

from rhythm_protocol.control import SUBPROTOCOL_BINARY
from rhythmd.addresses import set_customer_prefix
from rhythmd.app import Server
from rhythmd.config import Config
from rhythmd.net import peer, transports
from tests.certificates import Certificate, make_certificate
from tests.client import Client, Connect, open_client
from tests.raw import ConnectRaw, RawClient, open_raw
from tests.server import Serve, ServerProcess, Spawn, make_config, running_process, running_server

LONGEST: Final = [Path(__file__).with_name(name) for name in ("e2e", "faults")]


def pytest_configure() -> None:
    """A shell has what it starts in the background ignore SIGINT, with all that this starts in turn."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Tests run on the loop of production."""
    return {"uvloop": uvloop.new_event_loop}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The folders whose tests take longest come first: two processes that share the tests then end together."""
    items.sort(key=lambda item: item.path.parent not in LONGEST)


@pytest.fixture(scope="session")
def blocking_calls() -> BlockBuster:
    """Finds calls by the server's own code that block the loop."""
    detector = BlockBuster(["rhythmd", "rhythm_protocol"])
    for function in detector.functions.values():
        function.can_block_in("rhythmd/app.py", "__init__")  # files are read at start
    # PyMongo looks for /.dockerenv when it meets a server: microseconds.
    detector.functions["os.stat"].can_block_in("pymongo/pool_options.py", "get_container_env_info")
    return detector


@pytest.fixture(autouse=True)
def customers_as_by_default() -> Iterator[None]:
    """What one customer has is known to the whole process, and a server of another configuration may have been here."""
    yield
    set_customer_prefix(Config().limits.network_prefix_v4)


@pytest.fixture(autouse=True)
def nothing_blocks(blocking_calls: BlockBuster, request: pytest.FixtureRequest) -> Iterator[None]:
    """A blocking call in the loop fails; it costs too much for tests without a loop."""
    if request.node.get_closest_marker("asyncio") is None:
        yield
        return
    blocking_calls.activate()
    yield
    blocking_calls.deactivate()


class ErrorLog(logging.Handler):
    """Keeps what is logged as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[logging.LogRecord] = []
        self.setFormatter(logging.Formatter("%(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def texts(self) -> list[str]:
        """The records as text, tracebacks included."""
        return [self.format(record) for record in self.records]


@pytest.fixture(autouse=True)
def errors_logged() -> Iterator[ErrorLog]:
    """No test may leave an error in the log; one that provokes it takes it out of `records`."""
    log = ErrorLog()
    logging.getLogger().addHandler(log)
    yield log
    logging.getLogger().removeHandler(log)
    assert not log.records, "\n".join(log.texts())


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Serve]:
    """Starts servers in this process: `await serve("limits.connections=5", …)`."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(*settings: str) -> Server:
            return await stack.enter_async_context(running_server(make_config(tmp_path / "data", settings)))

        yield start


@pytest.fixture
async def server(serve: Serve) -> Server:
    """A server in this process with the defaults."""
    return await serve()


@pytest.fixture
def hasty_close(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers in this process do not wait for long for the answer to their close."""
    for module in (peer, transports):
        monkeypatch.setattr(module, "CLOSE_S", 0.1)


@pytest.fixture
async def spawn(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Spawn]:
    """Starts servers as processes of their own: `await spawn("limits.connections=5", …)`."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(*settings: str) -> ServerProcess:
            folder = tmp_path_factory.mktemp("server")
            return await stack.enter_async_context(running_process(folder, settings))

        yield start


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    """One for 127.0.0.1, signed by itself."""
    return make_certificate(tmp_path)


@pytest.fixture
async def connect(serve: Serve, spawn: Spawn) -> AsyncIterator[Connect]:
    """Opens clients, and closes them before the servers stop: `await connect(server, SUBPROTOCOL_JSON)`."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(
            server: Server | ServerProcess,
            subprotocol: str | None = SUBPROTOCOL_BINARY,
            *,
            path: str = "/ws",
            headers: Mapping[str, str] | None = None,
        ) -> Client:
            return await stack.enter_async_context(open_client(server.port, subprotocol, path=path, headers=headers))

        yield start


@pytest.fixture
async def connect_raw(serve: Serve, spawn: Spawn) -> AsyncIterator[ConnectRaw]:
    """Opens plain sockets, and closes them before the servers stop."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(server: Server | ServerProcess, receive_buffer: int | None = None) -> RawClient:
            return await stack.enter_async_context(open_raw(server.port, receive_buffer))

        yield start
