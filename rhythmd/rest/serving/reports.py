"""Failures that nobody expected, posted to a webhook beside the requests."""

import asyncio
import contextlib
import traceback
from typing import Final

import aiohttp
from msgspec import Struct, json

from rhythmd.clock import unix_ms
from rhythmd.config import ErrorsConfig
from rhythmd.telemetry import request_id, rest_log

__all__ = ["Report", "Reports"]

TIMEOUT_S: Final = 10.0
OK: Final = range(200, 300)


class Report(Struct, frozen=True):
    """What is posted, as JSON. `time` is Unix ms, `error` the traceback."""

    time: int
    request_id: str
    method: str
    path: str
    error: str


class Reports:
    """Failures on their way to the webhook. A report that finds the queue full is dropped; the log has it anyway.

    Args:
        config: where to, and how many may wait.
    """

    def __init__(self, config: ErrorsConfig) -> None:
        self._url = config.webhook_url
        self._queue: asyncio.Queue[Report] = asyncio.Queue(config.webhook_queue)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._url:
            self._task = asyncio.create_task(self._run(), name="error reports")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def report(self, method: str, path: str, error: Exception) -> None:
        if self._task is None:
            return
        text = "".join(traceback.format_exception(error))
        with contextlib.suppress(asyncio.QueueFull):
            self._queue.put_nowait(Report(unix_ms(), request_id.get(), method, path, text))

    async def _run(self) -> None:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session:
            while True:
                await self._post(session, await self._queue.get())

    async def _post(self, session: aiohttp.ClientSession, report: Report) -> None:
        headers = {"Content-Type": "application/json"}
        try:
            async with session.post(
                self._url, data=json.encode(report), headers=headers, allow_redirects=False
            ) as answer:
                if answer.status not in OK:
                    rest_log.warning("errors.webhook_url answered %d", answer.status)
        except (aiohttp.ClientError, TimeoutError) as error:
            rest_log.warning("errors.webhook_url: %s", str(error) or type(error).__name__)
