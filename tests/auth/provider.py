"""Starts the provider's process, and is the browser that goes there."""

import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Final
from urllib.parse import parse_qs, urlsplit

import aiohttp
import msgspec

from rhythmd.auth.external import Callback
from tests.auth.provider_app import User

__all__ = ["consent", "running_provider"]

# authlib insists on TLS otherwise.
ENVIRONMENT: Final = {"AUTHLIB_INSECURE_TRANSPORT": "1"}


@contextlib.contextmanager
def running_provider() -> Iterator[str]:
    """The URL of a provider in a process of its own."""
    command = ("setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "tests.auth.provider_app")
    with subprocess.Popen(
        command, env=os.environ | ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


@contextlib.asynccontextmanager
async def _post(url: str, form: dict[str, str]) -> AsyncIterator[aiohttp.ClientResponse]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=form, allow_redirects=False) as response,
    ):
        yield response


async def consent(url: str, user: User, *, deny: bool = False) -> Callback:
    """Go to `url` as that user, say yes (or no), and tell what the browser brings back."""
    form = {"id": user.id, "name": user.name, "email": user.email, "trouble": user.trouble}
    form |= {"verified": "yes"} if user.verified else {}
    form |= {"deny": "yes"} if deny else {}
    async with _post(url, form) as response:
        assert response.status == 302, await response.text()
        query = parse_qs(urlsplit(response.headers["Location"]).query)
    return msgspec.convert({key: values[0] for key, values in query.items()}, Callback)
