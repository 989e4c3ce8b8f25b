"""The cache that several nodes share, in Redis or Valkey."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.asyncio import Redis
from redis.exceptions import RedisError

from rhythmd.ports import StoreUnavailable
from rhythmd.telemetry import OutageLog

__all__ = ["RedisCache"]


class RedisCache:
    """`rhythmd.ports.Cache` in Redis. How many entries there may be is up to its `maxmemory`.

    Args:
        url: `redis://…`.
        prefix: of this cache's keys.
        timeout_s: for connecting, and for each answer.
    """

    def __init__(self, url: str, prefix: str = "rhythmd:cache:", *, timeout_s: float = 1.0) -> None:
        self._redis = Redis.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            driver_info=None,  # Otherwise each new connection reads the library's version from the disk.
        )
        self._prefix = prefix
        self._outage = OutageLog("Redis (cache)")

    async def get(self, key: str) -> bytes | None:
        try:
            with self._translated():
                return _bytes(await self._redis.get(self._prefix + key))
        except StoreUnavailable:
            return None

    async def set(self, key: str, value: bytes, ttl_s: float) -> None:
        with self._translated():
            await self._redis.set(self._prefix + key, value, px=max(1, round(ttl_s * 1000)))

    async def delete(self, key: str) -> None:
        with self._translated():
            await self._redis.delete(self._prefix + key)

    async def take(self, key: str) -> bytes | None:
        with self._translated():
            return _bytes(await self._redis.getdel(self._prefix + key))

    async def close(self) -> None:
        await self._redis.aclose()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except RedisError as error:
            self._outage.began(error)
            raise StoreUnavailable(f"Redis: {error}") from error
        else:
            self._outage.over()


def _bytes(answer: bytes | str | None) -> bytes | None:
    """The client's answer, which is text only where it was told to decode."""
    return answer.encode() if isinstance(answer, str) else answer
