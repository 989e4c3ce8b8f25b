"""A client of TLS 1.3 that writes its records itself, so that it may write what no library does (RFC 8446).

The handshake is the library's, which tells the secrets of it; what comes after is sealed here.
"""

import hmac
import ssl
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["ALERT", "DATA", "HANDSHAKE", "KEY_UPDATE", "TlsClient"]

ALERT: Final = 21
HANDSHAKE: Final = 22
DATA: Final = 23
"""Types of content (RFC 8446, 5.1)."""
KEY_UPDATE: Final = b"\x18\x00\x00\x01\x01"
"""A handshake's message that asks the other side for new keys, too (RFC 8446, 4.6.3)."""
_RANDOM: Final = slice(11, 43)  # the client's, in the record of its hello
_TAG: Final = 16
_IV: Final = 12


@cache
def _folder() -> TemporaryDirectory[str]:
    """It is removed when the process ends."""
    return TemporaryDirectory(prefix="rhythmd-abuse-")


@cache
def _context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.keylog_filename = str(Path(_folder().name) / "secrets")
    return context


class TlsClient:
    """One connection, without its transport: bytes in, bytes out.

    Attributes:
        is_open: whether the handshake is over, after the last bytes of `answer` are sent.
    """

    def __init__(self) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._library = _context().wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")
        self._random = b""
        self._secret = b""
        self._hash = "sha256"
        self._number = 0
        self.is_open = False

    def hello(self) -> bytes:
        """What it says first."""
        words = self.answer(b"")
        self._random = words[_RANDOM]
        return words

    def answer(self, data: bytes) -> bytes:
        """What it says when the server has said `data` in the handshake."""
        self._incoming.write(data)
        try:
            self._library.do_handshake()
        except ssl.SSLWantReadError:
            return self._outgoing.read()
        if not self.is_open:
            self.is_open = True
            cipher = self._library.cipher()
            self._hash = "sha384" if cipher is not None and cipher[0].endswith("384") else "sha256"
            self._begin(_secret_of(self._random))
        return self._outgoing.read()

    def record(self, kind: int, content: bytes, padding: int = 0) -> bytes:
        """A record with this content, which may be nothing, and so many bytes of padding (RFC 8446, 5.4)."""
        nonce = (self._iv ^ self._number).to_bytes(_IV)
        self._number += 1
        head = b"\x17\x03\x03" + (len(content) + 1 + padding + _TAG).to_bytes(2)
        return head + self._aead.encrypt(nonce, content + kind.to_bytes() + bytes(padding), head)

    def key_update(self) -> bytes:
        """A record that changes this side's keys, and asks the server to change its own."""
        record = self.record(HANDSHAKE, KEY_UPDATE)
        self._begin(self._expand("traffic upd", len(self._secret)))
        return record

    def _begin(self, secret: bytes) -> None:
        self._secret, self._number = secret, 0
        self._aead = AESGCM(self._expand("key", 32 if self._hash == "sha384" else 16))
        self._iv = int.from_bytes(self._expand("iv", _IV))

    def _expand(self, label: str, size: int) -> bytes:
        """HKDF-Expand-Label without a context, of no more than one block (RFC 8446, 7.1)."""
        name = b"tls13 " + label.encode()
        info = size.to_bytes(2) + len(name).to_bytes() + name + b"\x00\x01"
        return hmac.digest(self._secret, info, self._hash)[:size]


def _secret_of(random: bytes) -> bytes:
    """The client's first secret of a connection, from what the library tells."""
    wanted = f"CLIENT_TRAFFIC_SECRET_0 {random.hex()} "
    for line in reversed(Path(_context().keylog_filename).read_text().splitlines()):
        if line.startswith(wanted):
            return bytes.fromhex(line[len(wanted) :])
    raise AssertionError("the library has told no secret")
