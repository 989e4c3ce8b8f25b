"""Users with an account, over REST: what a client does before it opens a socket."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, NamedTuple

import aiohttp
import orjson

from tests.deadline import DEADLINE_S

__all__ = ["PASSWORD", "UNLIMITED", "Member", "Reply", "Rest", "open_rest"]

API: Final = "/api/v1"
PASSWORD: Final = "correct horse battery"
UNLIMITED: Final = (
    "limits.requests_per_minute=1000000",
    "limits.auth_requests_per_minute=1000000",
    "limits.messages_per_s=100000",
    "limits.messages_burst=100000",
)
"""Settings that let one address do all that a test has to do."""


class Member(NamedTuple):
    """A user who is logged in."""

    id: str
    usertag: str
    token: str


class Reply(NamedTuple):
    """What the server answered."""

    status: int
    body: dict[str, Any]

    @property
    def code(self) -> str | None:
        """Why it refused; None if it did not."""
        return self.body["error"]["code"] if self.status >= 400 else None


class Rest:
    """An HTTP client of one server."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def call(
        self, method: str, path: str, body: Mapping[str, object] | None = None, *, token: str | None = None
    ) -> Reply:
        """Send a request of the API, as whoever `token` says."""
        return await self.ask(method, API + path, body, {"Authorization": f"Bearer {token}"} if token else {})

    async def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send any request that is answered in JSON."""
        async with self._session.request(method, path, json=body, headers=headers) as answer:
            text = await answer.read()
            return Reply(answer.status, orjson.loads(text) if text else {})

    async def done(
        self, method: str, path: str, body: Mapping[str, object] | None = None, *, token: str | None = None
    ) -> dict[str, Any]:
        """Send a request of the API: what it answers. A refusal fails the test."""
        reply = await self.call(method, path, body, token=token)
        assert reply.status < 300, reply
        return reply.body

    async def register(self, usertag: str) -> Member:
        login = await self.done("POST", "/auth/register", {"usertag": usertag, "password": PASSWORD})
        return Member(login["user"]["id"], usertag, login["access_token"])

    async def socket_path(self, member: Member) -> str:
        """Where a socket opens, once, with a ticket of `member`'s."""
        ticket = await self.done("POST", "/auth/ticket", token=member.token)
        return f"/ws?ticket={ticket['ticket']}"


@contextlib.asynccontextmanager
async def open_rest(port: int) -> AsyncIterator[Rest]:
    timeout = aiohttp.ClientTimeout(DEADLINE_S)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", timeout=timeout) as session:
        yield Rest(session)
