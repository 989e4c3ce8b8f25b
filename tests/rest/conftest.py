"""What tests of the REST side share."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from rhythmd.app import Server


@pytest.fixture
async def http(server: Server) -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client of the server."""
    async with aiohttp.ClientSession(server.url, timeout=aiohttp.ClientTimeout(20)) as session:
        yield session
