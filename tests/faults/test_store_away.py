"""Database servers that are killed and come back: nothing acknowledged is lost, and nobody restarts anything."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from rhythmd.cluster.redis_cache import RedisCache
from rhythmd.errors import ConfigError
from rhythmd.ports import Store, StoreUnavailable
from rhythmd.store.documents import MongoStore
from rhythmd.store.mongo import DriverName
from tests.conftest import ErrorLog
from tests.contracts.rows import NOW, make_account, make_entry, make_line
from tests.deadline import until, within
from tests.services import Mongod, running_mongod, running_valkey

ROOM = "room"
FIND_S = 0.5

# PyMongo leaves the socket of a connection that it gave up half-way to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def abandoned_sockets() -> Iterator[None]:
    """They are collected within the test that they belong to."""
    yield
    gc.collect()


@pytest.fixture(scope="module")
def mongod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mongod]:
    """Tests that kill it start it again."""
    with running_mongod(tmp_path_factory.mktemp("mongod")) as running:
        yield running


class Load:
    """Writers that go on whatever happens, and note what was acknowledged and what was refused."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.accounts: set[str] = set()
        self.entries: set[str] = set()
        self.lines: set[str] = set()
        self.refused = 0
        self.over = False

    async def acknowledge_more(self, count: int) -> None:
        """Return when so many further lines were acknowledged."""
        goal = len(self.lines) + count
        await until(lambda: len(self.lines) >= goal, "writes are acknowledged")

    async def refuse_more(self, count: int) -> None:
        """Return when so many further writes were refused."""
        goal = self.refused + count
        await until(lambda: self.refused >= goal, "writes are refused")

    async def run(self) -> None:
        while not self.over:
            try:
                await self._write()
            except StoreUnavailable:
                self.refused += 1
                await asyncio.sleep(0.01)

    async def _write(self) -> None:
        account, entry, line = make_account(), make_entry(), make_line(make_account().id)
        await self._store.accounts.create(account)
        self.accounts.add(account.id)
        await self._store.audit.append([entry])
        self.entries.add(entry.id)
        await self._store.chat.append(ROOM, [line], 1_000_000)
        self.lines.add(line.content)


@contextlib.asynccontextmanager
async def applied(load: Load) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(load.run()) for _ in range(8)]
    try:
        yield
    finally:
        load.over = True
        await within(asyncio.gather(*tasks))


async def assert_kept(store: Store, load: Load) -> None:
    assert load.lines <= {line.content for line in await store.chat.last(ROOM, 1_000_000)}
    assert load.entries <= {entry.id for entry in (await store.audit.page(NOW, 1_000_000)).items}
    assert load.accounts <= {account.id for account in (await store.accounts.page(1_000_000)).items}


@pytest.mark.parametrize("driver", ["motor", "pymongo"])
async def test_mongod_killed_under_load_loses_nothing_and_heals(
    mongod: Mongod, driver: DriverName, errors_logged: ErrorLog
) -> None:
    store = MongoStore(mongod.url, "faults", driver, find_s=FIND_S)
    await store.start()
    load = Load(store)
    async with applied(load):
        await load.acknowledge_more(30)
        await asyncio.to_thread(mongod.kill)
        await load.refuse_more(16)
        with pytest.raises(StoreUnavailable):
            await within(store.ping())
        mongod.spawn()
        await asyncio.to_thread(mongod.await_primary)
        await load.acknowledge_more(30)
    await assert_kept(store, load)
    assert await store.check() == []
    await within(store.close())
    assert "MongoDB is away" in errors_logged.texts()[0]
    errors_logged.records.clear()


@pytest.mark.parametrize("driver", ["motor", "pymongo"])
async def test_mongod_that_hangs_is_given_up_and_heals(
    mongod: Mongod, driver: DriverName, errors_logged: ErrorLog
) -> None:
    store = MongoStore(mongod.url, "faults", driver, find_s=FIND_S, timeout_s=1.0)
    await store.start()
    account = make_account()
    await store.accounts.create(account)
    mongod.pause()
    calls = (store.accounts.get(account.id) for _ in range(50))
    outcomes = await within(asyncio.gather(*calls, return_exceptions=True))  # one after the other would take longer
    assert {type(outcome) for outcome in outcomes} == {StoreUnavailable}
    mongod.go_on()
    await within(ping_until_answered(store))
    assert await store.accounts.get(account.id) == account
    await within(store.close())
    errors_logged.records.clear()


async def ping_until_answered(store: Store) -> None:
    while True:
        with contextlib.suppress(StoreUnavailable):
            await store.ping()
            return


async def test_mongo_refuses_more_calls_than_may_wait(mongod: Mongod, errors_logged: ErrorLog) -> None:
    store = MongoStore(mongod.url, "faults", find_s=FIND_S, timeout_s=20.0, high_mark=10)
    await store.start()
    mongod.pause()
    waiting = [asyncio.create_task(store.ping()) for _ in range(10)]
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable, match="10 calls wait"):
        await store.ping()
    mongod.go_on()
    await within(asyncio.gather(*waiting))
    await store.ping()
    await within(store.close())
    assert errors_logged.records == []


async def test_mongo_start_without_a_server_is_refused_and_can_be_repeated(
    mongod: Mongod, errors_logged: ErrorLog
) -> None:
    mongod.kill()
    store = MongoStore(mongod.url, "faults", find_s=FIND_S)
    with pytest.raises(StoreUnavailable):
        await within(store.start())
    mongod.spawn()
    await asyncio.to_thread(mongod.await_primary)
    await store.start()
    await store.ping()
    await within(store.close())
    errors_logged.records.clear()


@pytest.mark.parametrize("driver", ["motor", "pymongo"])
async def test_mongo_start_with_a_bad_url_names_the_setting(driver: DriverName) -> None:
    for url in ("mongodb://", "http://127.0.0.1", "mongodb://127.0.0.1:port"):
        with pytest.raises(ConfigError, match=r"mongo\.url"):
            await MongoStore(url, "faults", driver).start()


async def test_redis_cache_without_a_server_misses_and_heals(tmp_path: Path, errors_logged: ErrorLog) -> None:
    with running_valkey(tmp_path) as valkey:
        cache = RedisCache(valkey.url)
        await cache.set("key", b"value", 600.0)
        valkey.kill()
        assert await cache.get("key") is None
        for call in (cache.set("key", b"value", 600.0), cache.delete("key"), cache.take("key")):
            with pytest.raises(StoreUnavailable):
                await call
        valkey.start()
        await cache.set("key", b"new", 600.0)
        assert await cache.get("key") == b"new"
        await cache.close()
    assert len(errors_logged.records) == 1
    errors_logged.records.clear()
