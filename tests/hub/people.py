"""Users with an account, the sockets that they open, and a database that keeps them waiting."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final, NamedTuple

from rhythm_protocol.control import SUBPROTOCOL_BINARY
from rhythmd.app import Server
from rhythmd.auth.values import Client as Origin
from rhythmd.auth.values import Grant, Principal
from rhythmd.rows import Account, Role
from tests.client import Client, Connect
from tests.sqlite import locked

__all__ = ["ORIGIN", "PASSWORD", "Person", "Register", "socket_path", "stalled"]

ORIGIN: Final = Origin("127.0.0.1", "tests")
PASSWORD: Final = "correct horse battery"
PROBE_S: Final = 0.1


async def socket_path(server: Server, principal: Principal) -> str:
    """Where `principal` opens a socket, once."""
    return f"/ws?ticket={await server.auth.tickets.issue(principal)}"


class Person(NamedTuple):
    """A user with an account, and one login."""

    server: Server
    connect: Connect
    account: Account
    grant: Grant

    @property
    def id(self) -> str:
        return self.account.id

    @property
    def token(self) -> str:
        return self.grant.access_token

    async def principal(self) -> Principal:
        return await self.server.auth.authenticator.by_token(self.token)

    async def open(self, subprotocol: str = SUBPROTOCOL_BINARY) -> Client:
        """A socket of this login."""
        path = await socket_path(self.server, await self.principal())
        return await self.connect(self.server, subprotocol, path=path)

    async def log_in(self, server: Server | None = None) -> "Person":
        """Another login of the same user, at this server or another one with the same data."""
        there = server or self.server
        login = await there.auth.accounts.login(self.account.usertag, PASSWORD, ORIGIN)
        return self._replace(server=there, grant=login.grant)

    async def become(self, *roles: Role) -> None:
        """Have exactly these roles."""
        await self.server.auth.moderation.set_roles(None, self.account.usertag, frozenset(roles), ORIGIN)


Register = Callable[[Server, str], Awaitable[Person]]
"""The fixture `register`: makes an account and logs in to it."""


@contextlib.asynccontextmanager
async def stalled(person: Person, path: Path) -> AsyncIterator[None]:
    """The server's store waits for another process: nothing is answered until the end, and then everything."""
    with locked(path):
        person.server.auth.auditor.record("test.stall")
        probe = asyncio.create_task(person.principal())
        while (await asyncio.wait([probe], timeout=PROBE_S))[0]:
            probe = asyncio.create_task(person.principal())
        yield
    await probe
