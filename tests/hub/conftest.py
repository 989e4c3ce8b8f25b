"""What tests of the hub share."""

import pytest

from rhythm_protocol.control import SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON
from rhythmd.app import Server
from tests.server import Serve


@pytest.fixture
async def server(serve: Serve) -> Server:
    """A server that flushes at the end of every tick, however busy: a round trip then proves what came before it."""
    return await serve("hub.flush_max_ms=0")


@pytest.fixture(params=[SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON], ids=["binary", "json"])
def subprotocol(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name
