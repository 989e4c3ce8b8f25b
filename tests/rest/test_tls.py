"""TLS from the configuration, for REST and for the socket."""

import hashlib
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.asyncio.client import connect

from rhythmd.app import Server
from rhythmd.errors import ConfigError
from tests.deadline import within
from tests.rest.api import open_api
from tests.server import Serve, make_config


class Certificate(NamedTuple):
    """Files, and the digest that says which one it is."""

    certificate: Path
    key: Path
    digest: bytes


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    """One for 127.0.0.1, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(hours=1))
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    made = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    files = tmp_path / "cert.pem", tmp_path / "key.pem"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    digest = hashlib.sha256(made.public_bytes(serialization.Encoding.DER)).digest()
    return Certificate(*files, digest)


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
        assert ticket.body["url"].startswith("wss://")


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
