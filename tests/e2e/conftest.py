"""One server in a process of its own and one browser for the tests of a module."""

import itertools
from collections.abc import AsyncIterator
from typing import Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.client import Client, open_client
from tests.e2e.pages import new_page, running_browser
from tests.server import ServerProcess, running_process

NUMBERS: Final = itertools.count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    async with running_process(tmp_path_factory.mktemp("server")) as process:
        yield process


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with running_browser("--autoplay-policy=no-user-gesture-required") as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser) -> AsyncIterator[Page]:
    async with new_page(browser) as opened:
        yield opened


@pytest.fixture
def room() -> str:
    """A room that no other test is in."""
    return f"salon {next(NUMBERS)}"


@pytest_asyncio.fixture(loop_scope="module")
async def clara(server: ServerProcess, room: str) -> AsyncIterator[Client]:
    """Another member of the room."""
    async with open_client(server.port) as client:
        await client.ask("user-update", {"name": "Clara", "colour": "#8ecae6"})
        await client.join(room)
        yield client
