"""What a Cache owes."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from rhythmd.cluster.redis_cache import RedisCache
from rhythmd.ports import Cache
from rhythmd.store.cache import MemoryCache
from tests.deadline import within
from tests.services import Valkey, running_valkey

LONG_S = 600.0


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    with running_valkey(tmp_path_factory.mktemp("valkey")) as running:
        yield running


@pytest.fixture(params=["memory", "redis"])
async def cache(request: pytest.FixtureRequest) -> AsyncIterator[Cache]:
    if request.param == "memory":
        yield MemoryCache(1_000)
        return
    valkey: Valkey = request.getfixturevalue("valkey")
    shared = RedisCache(valkey.url, f"{request.node.name}:")
    yield shared
    await shared.close()


async def test_get_gives_what_was_set(cache: Cache) -> None:
    value = bytes(range(256)) * 100
    await cache.set("user:Ünïcødé *?[a]", value, LONG_S)
    assert await cache.get("user:Ünïcødé *?[a]") == value
    assert await cache.get("user:other") is None


async def test_get_empty_value_is_not_none(cache: Cache) -> None:
    await cache.set("key", b"", LONG_S)
    assert await cache.get("key") == b""


async def wait_until_gone(cache: Cache, key: str) -> None:
    while await cache.get(key) is not None:  # noqa: ASYNC110
        await asyncio.sleep(0.001)


async def test_get_after_its_time_is_none(cache: Cache) -> None:
    await cache.set("key", b"value", 0.01)
    await within(wait_until_gone(cache, "key"))
    assert await cache.take("key") is None


async def test_set_again_replaces_value_and_time(cache: Cache) -> None:
    await cache.set("key", b"old", 0.01)
    await cache.set("key", b"new", LONG_S)
    await cache.set("other", b"", 0.01)
    await within(wait_until_gone(cache, "other"))
    assert await cache.get("key") == b"new"


async def test_delete_takes_one_key(cache: Cache) -> None:
    await cache.set("key", b"value", LONG_S)
    await cache.set("key2", b"value", LONG_S)
    await cache.delete("key")
    await cache.delete("unknown")
    assert await cache.get("key") is None
    assert await cache.get("key2") == b"value"


async def test_take_gives_the_value_to_one(cache: Cache) -> None:
    await cache.set("ticket", b"value", LONG_S)
    taken = await asyncio.gather(*(cache.take("ticket") for _ in range(20)))
    assert sorted(value or b"" for value in taken) == [b""] * 19 + [b"value"]
    assert await cache.get("ticket") is None


async def test_memory_holds_no_more_than_it_may_and_drops_the_least_used() -> None:
    cache = MemoryCache(3)
    for key in ("a", "b", "c"):
        await cache.set(key, key.encode(), LONG_S)
    await cache.get("a")
    await cache.set("b", b"new", LONG_S)
    await cache.set("d", b"d", LONG_S)
    assert [await cache.get(key) for key in ("a", "b", "c", "d")] == [b"a", b"new", None, b"d"]
    assert len(cache) == 3


async def test_memory_value_lives_just_as_long_as_it_may() -> None:
    now = 100.0
    cache = MemoryCache(3, clock=lambda: now)
    await cache.set("key", b"value", 5.0)
    now = 104.9
    assert await cache.get("key") == b"value"
    now = 105.0
    assert await cache.get("key") is None
    assert len(cache) == 0
