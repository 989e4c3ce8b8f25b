"""Requests, and what their answers must look like."""

from typing import Any, Final, NamedTuple

import aiohttp
import orjson

__all__ = ["RATE_HEADERS", "ApiFailure", "failure", "get"]

RATE_HEADERS: Final = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


class ApiFailure(NamedTuple):
    """A refusal in the one shape that all have."""

    status: int
    code: str
    message: str
    field: str | None
    request_id: str


async def get(http: aiohttp.ClientSession, path: str, **params: str) -> Any:
    """The body of a JSON answer with status 200."""
    async with http.get(path, params=params) as answer:
        assert (answer.status, answer.content_type) == (200, "application/json")
        return orjson.loads(await answer.read())


async def failure(http: aiohttp.ClientSession, path: str, method: str = "GET") -> ApiFailure:
    """The refusal of a request."""
    async with http.request(method, path) as answer:
        assert answer.content_type == "application/json"
        body = orjson.loads(await answer.read())
        assert list(body) == ["error"]
        return ApiFailure(answer.status, **body["error"])
