"""Logins through a provider, as a browser goes through them."""

from typing import Final

import pytest

from rhythmd.auth.service import Auth
from rhythmd.auth.values import Login
from rhythmd.rows import ExternalIdentity
from tests.auth.parts import CLIENT
from tests.auth.provider import consent
from tests.auth.provider_app import REDIRECT_URI, User

__all__ = ["ANNA", "BOTH", "BROWSER", "begin", "link", "login"]

BROWSER: Final = "what only this browser has"
ANNA: Final = User(id="80351110224678912", name="Anna K.", email="anna@example.org")
BOTH: Final = pytest.mark.parametrize("provider", ["discord", "github"])


async def begin(auth: Auth, provider: str, linker: Login | None = None) -> str:
    """The URL that the browser is sent to."""
    principal = await auth.authenticator.by_token(linker.grant.access_token) if linker else None
    return await auth.external.begin(provider, BROWSER, REDIRECT_URI.format(provider=provider), principal)


async def login(auth: Auth, provider: str, user: User) -> Login:
    result = await auth.external.finish(provider, BROWSER, await consent(await begin(auth, provider), user), CLIENT)
    assert isinstance(result, Login)
    return result


async def link(auth: Auth, provider: str, user: User, linker: Login) -> ExternalIdentity:
    result = await auth.external.finish(
        provider, BROWSER, await consent(await begin(auth, provider, linker), user), CLIENT
    )
    assert isinstance(result, ExternalIdentity)
    return result
