"""TLS from the configuration, for REST and for the socket."""

import ssl
from pathlib import Path

import aiohttp
import pytest
from websockets.asyncio.client import connect

from rhythmd.app import Server
from rhythmd.errors import ConfigError
from tests.certificates import Certificate
from tests.deadline import within
from tests.rest.api import open_api
from tests.server import Serve, make_config


@pytest.fixture
async def secure(serve: Serve, certificate: Certificate) -> Server:
    return await serve(f"server.tls_cert={certificate.certificate}", f"server.tls_key={certificate.key}")


async def test_rest_through_tls_has_secure_cookies_and_says_to_stay(secure: Server, certificate: Certificate) -> None:
    assert secure.url.startswith("https://")
    async with open_api(secure, aiohttp.Fingerprint(certificate.digest)) as api:
        answer = await api.call("POST", "/auth/guest", {"cookies": True})
        assert answer.cookies["__Host-rhythm_access"]["secure"]
        assert answer.headers["Strict-Transport-Security"].startswith("max-age=")
        cookie = f"__Host-rhythm_access={answer.cookies['__Host-rhythm_access'].value}"
        headers = {"Cookie": cookie, "Origin": secure.url}
        ticket = await api.call("POST", "/auth/ticket", headers=headers)
        assert ticket.body["url"] == f"/ws?ticket={ticket.body['ticket']}"


async def test_socket_through_tls_is_welcomed(secure: Server, certificate: Certificate) -> None:
    context = ssl.create_default_context(cafile=certificate.certificate)
    url = f"wss://127.0.0.1:{secure.port}/ws"
    socket = await within(connect(url, ssl=context, proxy=None))
    assert '"welcome"' in str(await within(socket.recv()))
    await within(socket.close())


async def test_certificate_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    config = make_config(tmp_path, ["server.tls_cert=nowhere.pem", "server.tls_key=nowhere.pem"])
    with pytest.raises(ConfigError, match="tls_cert"):
        Server(config)
