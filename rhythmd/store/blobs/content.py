"""What all stores of files share: the form of a key, and parts of one size."""

import asyncio
import re
from collections.abc import AsyncIterable, AsyncIterator, Awaitable
from typing import Final, TypeVar

from rhythmd.ports import TooLarge

__all__ = ["check_key", "finished", "is_key", "resized"]

T = TypeVar("T")

KEY: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*(/[a-z0-9_-]+(\.[a-z0-9_-]+)*)*")
LONGEST_KEY: Final = 200


def is_key(text: str) -> bool:
    return len(text) <= LONGEST_KEY and KEY.fullmatch(text) is not None


def check_key(key: str) -> str:
    """`key`. Raises ValueError if it is none."""
    if not is_key(key):
        raise ValueError(f"{key[:LONGEST_KEY]!r} is no key of a blob")
    return key


async def resized(content: AsyncIterable[bytes], size: int, limit: int | None) -> AsyncIterator[bytes]:
    """`content` in parts of `size` bytes; the last one is shorter, if need be empty, so that the end is seen.

    Raises TooLarge as soon as there are more than `limit` bytes.
    """
    total = 0
    kept = bytearray()
    async for part in content:
        total += len(part)
        if limit is not None and total > limit:
            raise TooLarge(limit)
        for begin in range(0, len(part), size):
            kept += part[begin : begin + size]
            if len(kept) >= size:
                with memoryview(kept) as view:
                    whole = bytes(view[:size])
                del kept[:size]
                yield whole
    yield bytes(kept)


async def finished(awaitable: Awaitable[T]) -> T:
    """The result. When it is cancelled, it waits for the end first: nothing goes on behind the caller's back."""
    running = asyncio.ensure_future(awaitable)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait({running})
        running.exception()  # it is of no more interest
        raise
