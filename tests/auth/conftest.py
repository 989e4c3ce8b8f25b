"""The services on real parts: a SQLite file, argon2id and a key file."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rhythmd.auth.keys import Keys
from rhythmd.auth.service import Auth, load_keys
from rhythmd.config import AuthConfig
from rhythmd.ports import Store
from rhythmd.store.cache import MemoryCache
from rhythmd.store.sqlite import SqliteStore
from tests.auth.parts import CountingHasher, Mailbox, ManualClock, Record

STOP_S = 5.0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    made = SqliteStore(tmp_path / "store.sqlite")
    await made.start()
    yield made
    await made.close()


@pytest.fixture
def cache(clock: ManualClock) -> MemoryCache:
    return MemoryCache(1_000, clock.seconds)


@pytest.fixture
def hasher() -> CountingHasher:
    return CountingHasher()


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def config() -> AuthConfig:
    """The defaults; a module that needs other values has a fixture of this name."""
    return AuthConfig()


@pytest.fixture
def keys(config: AuthConfig, tmp_path: Path, clock: ManualClock) -> Keys:
    return load_keys(config, tmp_path, clock)


@pytest.fixture
async def auth(
    config: AuthConfig,
    keys: Keys,
    store: Store,
    cache: MemoryCache,
    mailbox: Mailbox,
    hasher: CountingHasher,
    clock: ManualClock,
) -> AsyncIterator[Auth]:
    made = Auth(config, keys, store, cache, mailbox, hasher=hasher, clock=clock, steady_clock=clock)
    made.start()
    yield made
    await made.stop(STOP_S)


@pytest.fixture
def record(auth: Auth) -> Record:
    """What the holders of sockets are told."""
    made = Record()
    auth.changes.watch(made)
    return made
