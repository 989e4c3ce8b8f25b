"""TLS: handshakes, of which each costs the server a signature, and the client some bytes that it need not even make."""

import asyncio
import re
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from time import time
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from bench.abuse.attacker import SOCKETS, Attack, Attacker
from bench.abuse.records import DATA, HANDSHAKE, TlsClient
from bench.abuse.wire import Line
from bench.abuse.words import MASK, upgrade
from rhythm_protocol.websocket import client_frame

__all__ = ["ATTACKS", "make_certificate"]

_RSA_BITS: Final = 2_048
_ANSWERED: Final = re.compile(rb"(?s).")
_MANY: Final = 1_000
_DRIP_S: Final = 0.2
_DRIP_BYTES: Final = 16
_BATCH: Final = 64
_EMPTY: Final = 30
_PADDING: Final = 1_000
_RECORD_HEAD: Final = 5
_PING: Final = client_frame(0x89, b"", MASK)


def make_certificate(folder: Path) -> list[str]:
    """The settings of a server with a certificate, which is signed by itself, in files in `folder`."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=_RSA_BITS)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    files = {"cert": folder / "cert.pem", "key": folder / "key.pem"}
    files["cert"].write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    files["key"].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return [f"server.tls_{kind}={path}" for kind, path in files.items()]


@cache
def _hello() -> bytes:
    """What a client says first. It may be said again and again."""
    context = ssl.create_default_context()
    said = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), said, server_hostname="localhost").do_handshake()
    except ssl.SSLWantReadError:
        return said.read()
    raise AssertionError("nobody has answered")


async def _again(attacker: Attacker) -> None:
    async def one(_number: int) -> None:
        line = await attacker.line()
        line.expect()
        line.write(_hello())
        try:
            await line.hear(_ANSWERED)
        finally:
            line.leave()

    await attacker.everywhere(one)


async def _at_once(attacker: Attacker) -> None:
    async def one(_number: int) -> None:
        line = await attacker.line(_hello()[:-1])
        line.expect()
        try:
            await asyncio.sleep(1.0 - time() % 1.0)
            line.write(_hello()[-1:])
            await line.hear(_ANSWERED)
        finally:
            line.leave()

    await attacker.everywhere(one)


async def _slowly(attacker: Attacker) -> None:
    async def one(_number: int) -> None:
        line = await attacker.line()
        try:
            for at in range(0, len(_hello()), _DRIP_BYTES):
                line.write(_hello()[at : at + _DRIP_BYTES])
                await asyncio.sleep(_DRIP_S)
            await line.lost()
        finally:
            line.leave()

    await attacker.everywhere(one, _MANY)


async def _encrypted(attacker: Attacker, line: Line) -> TlsClient:
    """A handshake on this connection. Raises TimeoutError or ConnectionResetError."""
    client = TlsClient()
    line.expect()
    line.write(client.hello())
    heard = 0
    while not client.is_open:
        known = await line.hear(re.compile(rb"(?s).{%d}" % (heard + 1)))
        line.write(client.answer(known[heard:]))
        heard = len(known)
    return client


class _Records:
    """The attack that opens a socket through TLS and sends what `make` returns, again and again.

    With `reads` False it reads nothing meanwhile.
    """

    def __init__(self, make: Callable[[TlsClient], bytes], *, reads: bool = True) -> None:
        self._make = make
        self._reads = reads

    async def __call__(self, attacker: Attacker) -> None:
        async def one(_number: int) -> None:
            line = await attacker.line()
            try:
                client = await _encrypted(attacker, line)
                line.write(client.record(DATA, upgrade()))
                if not self._reads:
                    line.transport.pause_reading()
                while not attacker.is_over:
                    line.write(self._make(client))
                    await line.drain()
                    await asyncio.sleep(0)
            finally:
                line.leave()

        await attacker.everywhere(one)


def _tiny(client: TlsClient) -> bytes:
    return b"".join(client.record(DATA, byte.to_bytes()) for byte in _PING * _BATCH)


def _empty(client: TlsClient) -> bytes:
    """More of them in a row are none that the library lets pass."""
    return b"".join(client.record(DATA, b"" if number % _EMPTY else b"\x89") for number in range(_BATCH * _EMPTY))


def _padded(client: TlsClient) -> bytes:
    return b"".join(client.record(DATA, b"" if number % _EMPTY else b"\x89", _PADDING) for number in range(_BATCH))


def _new_keys(client: TlsClient) -> bytes:
    return b"".join(client.key_update() for _ in range(_BATCH))


def _again_from_the_start(client: TlsClient) -> bytes:
    """Another hello where there may be none: each ends its connection."""
    return client.record(HANDSHAKE, _hello()[_RECORD_HEAD:]) * 2


ATTACKS: Final[dict[str, Attack]] = {
    "tiny TLS records": Attack(f"{SOCKETS} sockets whose pings come in records of one byte", _Records(_tiny), tls=True),
    "empty TLS records": Attack(f"{SOCKETS} sockets that send records of nothing", _Records(_empty), tls=True),
    "padded TLS records": Attack(
        f"{SOCKETS} sockets that send records of {_PADDING:,} bytes of padding", _Records(_padded), tls=True
    ),
    "new TLS keys": Attack(f"{SOCKETS} sockets that change keys and ask for new ones", _Records(_new_keys), tls=True),
    "new TLS keys unread": Attack(
        f"{SOCKETS} sockets that ask for new keys and do not read the answers",
        _Records(_new_keys, reads=False),
        tls=True,
    ),
    "second TLS hellos": Attack(
        f"{SOCKETS} sockets that begin TLS again within it", _Records(_again_from_the_start), tls=True
    ),
    "TLS handshakes": Attack(f"{SOCKETS} connections that begin TLS and go, again and again", _again, tls=True),
    "TLS handshakes at once": Attack(
        f"{SOCKETS} handshakes that wait, and come to their costly step in the same moment", _at_once, tls=True
    ),
    "slow TLS handshakes": Attack(f"{_MANY:,} handshakes, {_DRIP_BYTES} bytes every 200 ms", _slowly, tls=True),
}
