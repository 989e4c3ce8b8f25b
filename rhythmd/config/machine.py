"""What the configuration wants of this machine: packages that are extras, and files that can be read."""

import ssl
from collections.abc import Callable, Collection, Iterator
from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple

from rhythmd.config.sections import Config, ServerConfig
from rhythmd.errors import ConfigError

__all__ = ["check_packages", "lacking", "load_tls"]


class Extra(NamedTuple):
    """A package that only some configurations need.

    Attributes:
        package: as it is imported.
        name: of the extra that brings it.
        keys: of the configuration, as far as they decide it.
        wanted_by: what it is needed for; nothing if it is not needed.
    """

    package: str
    name: str
    keys: tuple[str, ...]
    wanted_by: Callable[[Config], str | None]


def _mongo_store(config: Config) -> str | None:
    return 'store.backend = "mongo"' if config.store.backend == "mongo" else None


def _gridfs(config: Config) -> str | None:
    return 'blobs.backend = "gridfs"' if config.blobs.backend == "gridfs" else None


def _motor(config: Config) -> str | None:
    is_used = config.mongo.driver == "motor" and (_mongo_store(config) or _gridfs(config))
    return 'mongo.driver = "motor"' if is_used else None


def _s3(config: Config) -> str | None:
    return 'blobs.backend = "s3"' if config.blobs.backend == "s3" else None


def _redis(config: Config) -> str | None:
    return "redis.url" if config.redis.url else None


EXTRAS: Final = (
    Extra("pymongo", "mongo", ("store.backend",), _mongo_store),
    Extra("pymongo", "mongo", ("blobs.backend",), _gridfs),
    Extra("motor", "mongo", ("store.backend", "blobs.backend", "mongo.driver"), _motor),
    Extra("obstore", "s3", ("blobs.backend",), _s3),
    Extra("redis", "redis", ("redis.url",), _redis),
)
TLS_KEYS: Final = ("server.tls_cert", "server.tls_key")


def lacking(config: Config, doubtful: Collection[str] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """What this machine lacks: the keys that want it, and what is missing. None of them is `doubtful`. Blocks."""
    yield from _missing_packages(config, doubtful)
    data = Path(config.server.data_dir)
    if data.exists() and not data.is_dir():
        yield ("server.data_dir",), f"server.data_dir: {data} is no folder"
    if not any(key in doubtful for key in TLS_KEYS) and config.server.tls_key:
        try:
            load_tls(config.server)
        except ConfigError as error:
            for text in str(error).split("\n"):
                yield tuple(key for key in TLS_KEYS if key in text), text


def check_packages(config: Config) -> None:
    """Raise ConfigError, which names the extra to install, if a package is not there that `config` needs."""
    missing = [text for _, text in _missing_packages(config, ())]
    if missing:
        raise ConfigError("\n".join(missing))


def _missing_packages(config: Config, doubtful: Collection[str]) -> Iterator[tuple[tuple[str, ...], str]]:
    for extra in EXTRAS:
        reason = None if any(key in doubtful for key in extra.keys) else extra.wanted_by(config)
        if reason is not None and not _can_be_imported(extra.package):
            yield extra.keys, f"{reason} needs the package {extra.package}: pip install 'rhythmd[{extra.name}]'"


def _can_be_imported(package: str) -> bool:
    try:
        import_module(package)
    except ImportError:
        return False
    return True


def load_tls(server: ServerConfig) -> ssl.SSLContext | None:
    """What the port is encrypted with. Blocks. Raises ConfigError."""
    if not server.tls_cert:
        return None
    unreadable = [text for key in TLS_KEYS if (text := _unreadable(key, server))]
    if unreadable:
        raise ConfigError("\n".join(unreadable))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["http/1.1"])
    try:
        # Without a passphrase OpenSSL would ask for one at the terminal, which a server has not.
        context.load_cert_chain(server.tls_cert, server.tls_key, password="")
    except (OSError, ValueError) as error:
        raise ConfigError(f"server.tls_cert, server.tls_key: {_explained(error, server)}") from error
    return context


def _unreadable(key: str, server: ServerConfig) -> str | None:
    path = Path(getattr(server, key.partition(".")[2]))
    try:
        path.open("rb").close()
    except OSError as error:
        return f"{key}: {path}: {error.strerror}"
    return None


def _explained(error: Exception, server: ServerConfig) -> str:
    if b"ENCRYPTED" in Path(server.tls_key).read_bytes():  # RFC 7468, 11, and the older form of OpenSSL
        return "the key has a passphrase, which a server cannot be asked for"
    if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
        return "the key is not the certificate's"
    return f"a certificate or a key is not in PEM: {error}"
