"""A client of the API: requests in, statuses and bodies out."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from http.cookies import SimpleCookie
from typing import Any, BinaryIO, Final, NamedTuple, Protocol

import aiohttp
import orjson
from multidict import CIMultiDictProxy

from tests.deadline import within

__all__ = ["PASSWORD", "UNLIMITED", "Answer", "Api", "Download", "User", "open_api"]

PASSWORD: Final = "correct horse"
UNLIMITED: Final = (
    "limits.requests_per_minute=1000000",
    "limits.auth_requests_per_minute=1000000",
    "limits.uploads_per_minute=1000000",
    "limits.accounts_per_hour=1000000",
)


class Answer(NamedTuple):
    """`body` is what the JSON says; None if there is none."""

    status: int
    headers: CIMultiDictProxy[str]
    cookies: SimpleCookie
    body: Any

    @property
    def code(self) -> str:
        """Of the refusal that this is."""
        code: str = self.body["error"]["code"]
        return code

    @property
    def field(self) -> str | None:
        field: str | None = self.body["error"]["field"]
        return field


class Download(NamedTuple):
    """A file, or what came in its place."""

    status: int
    headers: CIMultiDictProxy[str]
    content: bytes


class User(NamedTuple):
    """Somebody with an account."""

    usertag: str
    id: str
    session: str
    access_token: str
    refresh_token: str


class Api:
    """Sends what it is told, and keeps no cookies."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self.url = url

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        data: bytes | BinaryIO | aiohttp.FormData | None = None,
    ) -> Answer:
        """One request to `/api/v1` and `path`.

        Args:
            method: of HTTP.
            path: behind `/api/v1`.
            body: sent as JSON, unless it is None.
            token: sent as the bearer.
            headers: sent as they are.
            data: sent as it is, instead of `body`; a file, if it is large.
        """
        sent = dict(headers or {})
        if body is not None:
            sent["Content-Type"] = "application/json"
            data = orjson.dumps(body)
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        request = self._session.request(
            method, f"{self.url}/api/v1{path}", data=data, headers=sent, allow_redirects=False
        )
        async with await within(request) as answer:
            content = await answer.read()
            is_json = answer.content_type == "application/json" and content
            return Answer(answer.status, answer.headers, answer.cookies, orjson.loads(content) if is_json else None)

    async def download(
        self, path: str, *, token: str | None = None, headers: Mapping[str, str] | None = None
    ) -> Download:
        """What is at a whole path of this server."""
        sent = {**(headers or {}), **({} if token is None else {"Authorization": f"Bearer {token}"})}
        async with await within(self._session.get(f"{self.url}{path}", headers=sent)) as answer:
            return Download(answer.status, answer.headers, await answer.read())

    async def register(self, usertag: str = "Clara", password: str = PASSWORD) -> User:
        """A new account with a session."""
        answer = await self.call("POST", "/auth/register", {"usertag": usertag, "password": password})
        assert answer.status == 201, answer.body
        body = answer.body
        return User(usertag, body["user"]["id"], body["session"], body["access_token"], body["refresh_token"])

    async def login(self, usertag: str = "Clara", password: str = PASSWORD) -> User:
        """A new session of an account."""
        answer = await self.call("POST", "/auth/login", {"usertag": usertag, "password": password})
        assert answer.status == 200, answer.body
        body = answer.body
        return User(usertag, body["user"]["id"], body["session"], body["access_token"], body["refresh_token"])

    async def guest(self) -> str:
        """A new guest's access token."""
        answer = await self.call("POST", "/auth/guest", {})
        assert answer.status == 200, answer.body
        token: str = answer.body["access_token"]
        return token

    async def socket_path(self, token: str) -> str:
        """Where a socket opens, once, with a ticket that is bought with this access token."""
        answer = await self.call("POST", "/auth/ticket", token=token)
        assert answer.status == 200, answer.body
        return f"/ws?ticket={answer.body['ticket']}"


class Addressed(Protocol):
    """A server, wherever it runs."""

    @property
    def url(self) -> str: ...


@contextlib.asynccontextmanager
async def open_api(server: Addressed, ssl: aiohttp.Fingerprint | bool = True) -> AsyncIterator[Api]:
    """A client for as long as the block lasts. `ssl` says which certificate is accepted."""
    connector = aiohttp.TCPConnector(limit=0, ssl=ssl)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield Api(session, server.url)
