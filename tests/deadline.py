"""Waiting that ends: every test waits for something to happen, never for time to pass."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

__all__ = ["DEADLINE_S", "POLL_S", "until", "within"]

DEADLINE_S: Final = 20.0  # generous: the machine may be busy
POLL_S: Final = 0.005

T = TypeVar("T")


async def within(awaitable: Awaitable[T], seconds: float = DEADLINE_S) -> T:
    """The result of `awaitable`. Raises TimeoutError when it is not there in time."""
    async with asyncio.timeout(seconds):
        return await awaitable


async def until(condition: Callable[[], object], what: str, seconds: float = DEADLINE_S) -> None:
    """Return as soon as `condition()` is true; fail with `what` when it does not become so in time."""
    try:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - what is waited for is no event of this process
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise AssertionError(f"not in time: {what}") from None
