"""The services on real parts: a SQLite file, argon2id and a key file."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from rhythmd.auth.keys import Keys
from rhythmd.auth.service import Auth, load_keys
from rhythmd.config import AuthConfig
from rhythmd.ports import Store
from rhythmd.store.cache import MemoryCache
from rhythmd.store.sqlite import SqliteStore
from tests.auth.parts import CountingHasher, Mailbox, ManualClock, Record
from tests.auth.provider import running_provider
from tests.auth.provider_app import CLIENT_ID, CLIENT_SECRET

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


@pytest.fixture(scope="module")
def provider_url() -> Iterator[str]:
    with running_provider() as url:
        yield url


@pytest.fixture
def external_config(provider_url: str) -> AuthConfig:
    """Logins through a provider that runs for these tests."""
    return AuthConfig(
        oauth_timeout_s=10.0,
        discord_client_id=CLIENT_ID,
        discord_client_secret=CLIENT_SECRET,
        discord_url=provider_url,
        github_client_id=CLIENT_ID,
        github_client_secret=CLIENT_SECRET,
        github_url=provider_url,
        github_api_url=provider_url,
    )


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
    auth.notifier.add(made)
    return made
