"""What `docs/deploying.md` says, with the programs that it is for, each before a real server."""

import asyncio
import contextlib
import logging
import re
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import aiohttp
import pytest
from websockets.asyncio.client import connect as connect_socket
from websockets.typing import Origin, Subprotocol

from rhythm_protocol.control import SUBPROTOCOL_BINARY
from rhythm_protocol.messages import RoomLeft
from rhythmd.app import Server
from rhythmd.config import load_config
from tests.certificates import Certificate
from tests.client import Client
from tests.deadline import within
from tests.deploying.document import blocks, settings
from tests.deploying.proxies import PROXIES, Place, Proxy, found, running
from tests.rest.api import PASSWORD
from tests.server import Serve
from tests.services import free_port

PUBLIC: Final = "https://piano.example"
SCRIPT: Final = re.compile(r'<script[^>]* src="([^"]+)"')


class Site(NamedTuple):
    """A server behind a proxy, as its visitors see it."""

    proxy: Proxy
    server: Server
    url: str
    tls: ssl.SSLContext

    @property
    def port(self) -> int:
        port = urlsplit(self.url).port
        assert port is not None
        return port

    def session(self) -> aiohttp.ClientSession:
        """A browser: one connection, and cookies also for an address of numbers."""
        connector = aiohttp.TCPConnector(ssl=self.tls, limit=1)
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.CookieJar(unsafe=True))


class Stage:
    """Puts proxies before servers."""

    def __init__(self, serve: Serve, certificate: Certificate, folder: Path) -> None:
        self._serve = serve
        self._certificate = certificate
        self._folder = folder

    @contextlib.asynccontextmanager
    async def site(self, name: str, *more: str, before: bool = False) -> AsyncIterator[Site]:
        """`before`: another proxy on this machine stands before this one, and is believed."""
        proxy = PROXIES[name]
        if found(proxy.program) is None:
            pytest.skip(f"there is no {proxy.program} here")
        port = free_port()
        changes = [(PUBLIC, f"https://127.0.0.1:{port}"), ("port = 8080", "port = 0")]
        if proxy.toml == "tcp":
            changes.append(("/etc/ssl/piano/fullchain.pem", str(self._certificate.certificate)))
            changes.append(("/etc/ssl/piano/privkey.pem", str(self._certificate.key)))
        server = await self._serve(*settings(proxy.toml, *changes), *more)
        tls = ssl.create_default_context(cafile=str(self._certificate.certificate))
        place = Place(self._folder, port, server.port, self._certificate, before)
        async with running(proxy, place):
            yield Site(proxy, server, f"https://127.0.0.1:{port}{proxy.path}", tls)


@pytest.fixture
def stage(serve: Serve, certificate: Certificate, tmp_path: Path) -> Stage:
    folder = tmp_path / "proxy"
    folder.mkdir()
    return Stage(serve, certificate, folder)


async def _client_of(site: Site, stack: contextlib.AsyncExitStack, address: str) -> Client:
    """A socket of a visitor from `address`, for whom a trusted proxy before the proxy speaks."""
    headers: Mapping[str, str] = {"X-Forwarded-For": address} if site.proxy.speaks_headers else {}
    socket = None if site.proxy.speaks_headers else await _announced(site.port, address)
    connection = await within(
        connect_socket(
            f"{site.url.replace('http', 'ws', 1)}/ws", ssl=site.tls, sock=socket, proxy=None, compression=None,
            server_hostname="127.0.0.1", subprotocols=[Subprotocol(SUBPROTOCOL_BINARY)], additional_headers=headers,
            origin=Origin(f"https://127.0.0.1:{site.port}"),
        )
    )  # fmt: skip
    await stack.enter_async_context(connection)
    client = Client(connection)
    await client.be_welcomed()
    return client


async def _announced(port: int, address: str) -> socket.socket:
    """A connection that begins with a PROXY header, as one that a balancer before the balancer makes."""
    made = socket.socket()
    made.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(made, ("127.0.0.1", port))
    await loop.sock_sendall(made, f"PROXY TCP4 {address} 192.0.2.200 4711 443\r\n".encode())
    return made


@pytest.mark.parametrize("name", PROXIES)
async def test_page_api_and_socket_behind_a_proxy(stage: Stage, name: str) -> None:
    async with stage.site(name) as site, site.session() as browser:
        base = f"{site.url}/"
        async with browser.get(base) as page:
            assert (page.status, page.content_type) == (200, "text/html")
            scripts = SCRIPT.findall(await page.text())
        assert scripts
        async with browser.get(base + scripts[0].lstrip("/")) as script:
            assert script.status == 200
        body = {"usertag": "Clara", "password": PASSWORD, "cookies": True}
        async with browser.post(f"{base}api/v1/auth/register", json=body, headers={"Origin": PUBLIC}) as strange:
            assert strange.status == 403
        own = {"Origin": f"https://127.0.0.1:{site.port}"}
        async with browser.post(f"{base}api/v1/auth/register", json=body, headers=own) as registered:
            assert registered.status == 201
            cookies = registered.headers.getall("Set-Cookie")
        assert all("Secure" in cookie for cookie in cookies)
        assert all(f"Path={site.proxy.path or '/'}" in cookie for cookie in cookies)
        for _ in range(3):
            async with browser.get(f"{base}api/v1/auth/sessions") as sessions:
                assert sessions.status == 200
        # Every request so far was one of the same connection, to the proxy and from it to the server.
        async with browser.ws_connect(f"{base}ws", origin=own["Origin"]) as socket_:
            welcome = await within(socket_.receive_json())
            assert welcome["data"]["user"]["name"] == "Clara"
        async with browser.post(f"{base}api/v1/auth/ticket", json={}, headers=own) as ticket:
            assert (await ticket.json())["url"].startswith(f"wss://127.0.0.1:{site.port}{site.proxy.path}/ws?ticket=")


@pytest.mark.parametrize("name", PROXIES)
async def test_guests_behind_a_proxy_are_told_apart(stage: Stage, name: str) -> None:
    """A ban of one is none of the other, and holds for whoever comes from the first one's address again."""
    async with stage.site(name, before=True) as site, contextlib.AsyncExitStack() as stack:
        owner = await _client_of(site, stack, "198.51.100.1")
        guest = await _client_of(site, stack, "203.0.113.7")
        for client in (owner, guest):
            await client.join("Salon")
        await owner.ask("ban", {"user": guest.welcome.user.id})
        await guest.expect(RoomLeft)
        again = await (await _client_of(site, stack, "203.0.113.7")).answer("join-room", {"room": "Salon"})
        assert again.error is not None
        assert again.error.code == "banned"
        other = await (await _client_of(site, stack, "203.0.113.8")).answer("join-room", {"room": "Salon"})
        assert other.error is None


@pytest.mark.parametrize("name", [name for name in PROXIES if "path" not in name])
async def test_what_a_client_says_of_itself_is_not_believed(
    stage: Stage, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Only the proxy is trusted here; the client comes from another address of this machine."""
    caplog.set_level(logging.INFO, "rhythmd.net")
    async with stage.site(name, 'server.trusted_proxies=["127.0.0.1"]') as site:
        connector = aiohttp.TCPConnector(ssl=site.tls, local_addr=("127.0.0.5", 0))
        forged = {"X-Forwarded-For": "203.0.113.7", "Forwarded": "for=203.0.113.7"}
        async with (
            aiohttp.ClientSession(connector=connector) as browser,
            browser.ws_connect(f"{site.url}/ws", headers=forged) as socket_,
        ):
            await within(socket_.receive_json())
    assert any(record.getMessage().startswith("127.0.0.5 connected") for record in caplog.records), caplog.messages


@pytest.mark.parametrize("name", [name for language, name in blocks() if language == "toml"])
def test_configuration_in_the_page_is_valid(name: str) -> None:
    load_config(None, {}, settings(name))


async def test_ipv4_and_ipv6_share_a_port(serve: Serve, certificate: Certificate) -> None:
    server = await serve(
        *settings(
            "direct",
            ("port = 443", "port = 0"),
            ("/etc/ssl/piano/fullchain.pem", str(certificate.certificate)),
            ("/etc/ssl/piano/privkey.pem", str(certificate.key)),
        )
    )
    assert server.url == f"https://127.0.0.1:{server.port}"
    tls = ssl.create_default_context(cafile=str(certificate.certificate))
    connector = aiohttp.TCPConnector(ssl=tls)
    async with aiohttp.ClientSession(connector=connector) as browser:
        async with browser.get(f"{server.url}/health/live") as answer:
            assert answer.status == 200
        async with browser.get(f"https://[::1]:{server.port}/health/live", server_hostname="127.0.0.1") as answer:
            assert answer.status == 200
