"""What tests of the REST side share."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from rhythmd.app import Server, open_store
from rhythmd.rows import AccountChanges, Role
from tests.rest.api import UNLIMITED, Api, User, open_api
from tests.server import Serve, make_config

__all__ = ["Promote"]

Promote = Callable[[User, Role], Awaitable[None]]


@pytest.fixture
async def http(server: Server) -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client of the server."""
    async with aiohttp.ClientSession(server.url, timeout=aiohttp.ClientTimeout(20)) as session:
        yield session


@pytest.fixture
async def patient(serve: Serve) -> Server:
    """A server that counts no requests."""
    return await serve(*UNLIMITED)


@pytest.fixture
async def api(patient: Server) -> AsyncIterator[Api]:
    """A client of a server that counts no requests."""
    async with open_api(patient) as client:
        yield client


@pytest.fixture
async def promote(tmp_path: Path) -> Promote:
    """Gives a user a role as an operator would, past the server: `await promote(user, Role.ADMIN)`."""

    async def give(user: User, role: Role) -> None:
        store = open_store(make_config(tmp_path / "data"))
        await store.start()
        roles = frozenset({Role.MEMBER, role})
        await store.accounts.update(user.id, AccountChanges(updated=0, roles=roles))
        await store.close()

    return give


@pytest.fixture
async def clara(api: Api) -> User:
    return await api.register("Clara")


@pytest.fixture
async def robert(api: Api) -> User:
    return await api.register("Robert")


@pytest.fixture
async def editor(api: Api, promote: Promote) -> User:
    user = await api.register("Eduard")
    await promote(user, Role.EDITOR)
    return user


@pytest.fixture
async def moderator(api: Api, promote: Promote) -> User:
    user = await api.register("Moritz")
    await promote(user, Role.MODERATOR)
    return user
