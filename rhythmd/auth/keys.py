"""The keys that access tokens are signed and checked with.

- `SecretKeys`: HS256 with a secret from the configuration, and the one before it while its tokens live.
- `KeyFile`: EdDSA (Ed25519) with keys in a file that the first start makes and `rotate` renews.
"""

import asyncio
import hashlib
import os
import secrets
from pathlib import Path
from typing import Final, Literal, Protocol

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Struct

from rhythmd.auth.values import Clock
from rhythmd.errors import ConfigError
from rhythmd.folders import make_private
from rhythmd.telemetry import auth_log

__all__ = ["KeyFile", "Keys", "SecretKeys", "SigningKey", "VerifyKey", "follow_key_file"]

FOLLOW_S: Final = 5.0
# A server that runs while its keys are rotated signs with the old one until it looks at the file again.
ROTATION_GRACE_MS: Final = 60_000
KEY_ID_BYTES: Final = 8

VerifyKey = Ed25519PublicKey | bytes


class SigningKey(Struct, frozen=True):
    """`kid` names the key in a token's header."""

    kid: str
    key: Ed25519PrivateKey | bytes


class Keys(Protocol):
    """The keys that access tokens are signed and checked with."""

    @property
    def algorithm(self) -> Literal["EdDSA", "HS256"]:
        """The only one that tokens are signed with and accepted in."""

    @property
    def current(self) -> SigningKey: ...

    def find(self, kid: str, now: int) -> VerifyKey | None:
        """The key that checks tokens signed under `kid`, as long as one of them may be valid (`now` in Unix ms)."""


class SecretKeys:
    """HS256.

    Args:
        secret: at least 32 characters.
        previous: the secret before it, or nothing.
    """

    algorithm: Literal["HS256"] = "HS256"

    def __init__(self, secret: str, previous: str = "") -> None:
        known = [text.encode() for text in (secret, previous) if text]
        self._keys = {hashlib.sha256(key).hexdigest()[: 2 * KEY_ID_BYTES]: key for key in known}
        self.current = SigningKey(next(iter(self._keys)), known[0])

    def find(self, kid: str, now: int) -> VerifyKey | None:
        return self._keys.get(kid)


class _Retired(Struct, frozen=True):
    """A key that signs no more; `until` (Unix ms) its last token is dead."""

    kid: str
    public: bytes
    until: int


class _Content(Struct, frozen=True):
    """The file: one private key in use, and the public keys of those before it."""

    kid: str
    private: bytes
    retired: list[_Retired]


def _new_content(retired: list[_Retired]) -> _Content:
    return _Content(secrets.token_hex(KEY_ID_BYTES), Ed25519PrivateKey.generate().private_bytes_raw(), retired)


class KeyFile:
    """Ed25519 keys in a file that only its owner may read. Every method that touches it blocks.

    Args:
        path: of the file; its directory is made if need be.
        lifetime_ms: that a token signed now may still be accepted.
        clock: Unix ms.

    Raises:
        ConfigError: the file cannot be read, made or understood.
    """

    algorithm: Literal["EdDSA"] = "EdDSA"

    def __init__(self, path: Path, lifetime_ms: int, clock: Clock) -> None:
        self._path = path
        self._lifetime_ms = lifetime_ms
        self._clock = clock
        self._stamp = (0, 0)
        try:
            self._create()
        except OSError as error:
            raise ConfigError(f"{path}: cannot be made: {error.strerror}") from error
        self.reload()

    def find(self, kid: str, now: int) -> VerifyKey | None:
        key, until = self._public.get(kid, (None, None))
        return key if until is None or now < until else None

    def rotate(self) -> str:
        """Sign with a new key from now on; tokens of the old one stay good for their time. Returns its `kid`."""
        content = self._read()
        now = self._clock()
        public = Ed25519PrivateKey.from_private_bytes(content.private).public_key().public_bytes_raw()
        retired = [key for key in content.retired if key.until > now]
        retired.append(_Retired(content.kid, public, now + self._lifetime_ms + ROTATION_GRACE_MS))
        temporary = self._write(_new_content(retired))
        temporary.replace(self._path)
        _sync_directory(self._path.parent)
        self.reload()
        return self.current.kid

    def reload(self) -> bool:
        """Read the file if it is another one than before; whether it was."""
        status = self._path.stat()
        stamp = (status.st_ino, status.st_mtime_ns)
        if stamp == self._stamp:
            return False
        content = self._read()
        private = Ed25519PrivateKey.from_private_bytes(content.private)
        self._public: dict[str, tuple[Ed25519PublicKey, int | None]] = {
            key.kid: (Ed25519PublicKey.from_public_bytes(key.public), key.until) for key in content.retired
        }
        self._public[content.kid] = (private.public_key(), None)
        self.current = SigningKey(content.kid, private)
        self._stamp = stamp
        return True

    def _read(self) -> _Content:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Content)
        except OSError as error:
            raise ConfigError(f"{self._path}: cannot be read: {error.strerror}") from error
        except msgspec.DecodeError as error:
            raise ConfigError(f"{self._path}: not a file of keys: {error}") from error

    def _create(self) -> None:
        """Make the file unless it is there. Of two processes that start at once, both use the first one's."""
        if self._path.exists():
            return
        make_private(self._path.parent)
        temporary = self._write(_new_content([]))
        try:
            os.link(temporary, self._path)
            _sync_directory(self._path.parent)
        except FileExistsError:
            pass
        finally:
            temporary.unlink()

    def _write(self, content: _Content) -> Path:
        """A whole file beside the real one, on the disk."""
        temporary = self._path.with_name(f"{self._path.name}.{secrets.token_hex(KEY_ID_BYTES)}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(content))
            file.flush()
            os.fsync(file.fileno())
        return temporary


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


async def follow_key_file(keys: KeyFile, interval_s: float = FOLLOW_S) -> None:
    """Notice, until cancelled, that another process has rotated the keys."""
    while True:
        await asyncio.sleep(interval_s)
        try:
            if await asyncio.to_thread(keys.reload):
                auth_log.info("signing with key %s", keys.current.kid)
        except (ConfigError, OSError) as error:
            auth_log.error("keys not read again: %s", error)
