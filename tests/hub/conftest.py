"""What tests of the hub share."""

from pathlib import Path

import pytest

from rhythm_protocol.control import SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON
from rhythmd.app import SQLITE_FILE, Server
from tests.client import Connect
from tests.hub.people import ORIGIN, PASSWORD, Person, Register
from tests.server import Serve


@pytest.fixture
async def server(serve: Serve) -> Server:
    """A server that flushes at the end of every tick, however busy: a round trip then proves what came before it."""
    return await serve("hub.flush_max_ms=0")


@pytest.fixture(params=[SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON], ids=["binary", "json"])
def subprotocol(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def register(connect: Connect) -> Register:
    """Makes accounts: `await register(server, "clara")`."""

    async def make(server: Server, usertag: str) -> Person:
        login = await server.auth.accounts.register(usertag, PASSWORD, None, ORIGIN)
        return Person(server, connect, login.account, login.grant)

    return make


@pytest.fixture
async def clara(server: Server, register: Register) -> Person:
    """Somebody with an account."""
    return await register(server, "clara")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """The SQLite file of the servers that `serve` starts."""
    return tmp_path / "data" / SQLITE_FILE
