"""The client's half of OAuth 2's authorization code flow (RFC 6749, 4.1) with PKCE (RFC 7636)."""

import base64
import hashlib
from typing import Final
from urllib.parse import urlencode

import aiohttp
import msgspec
from msgspec import Struct

from rhythmd.auth.errors import CodeRefused, ProviderAnswer, ProviderUnavailable
from rhythmd.auth.providers import ExternalProfile, Provider
from rhythmd.telemetry import auth_log

__all__ = ["OAuthClient", "authorize_url"]

MAX_ANSWER_BYTES: Final = 262_144
TOO_MANY_REQUESTS: Final = 429
SERVER_ERROR: Final = 500
OK: Final = 200


def authorize_url(provider: Provider, redirect_uri: str, state: str, verifier: str) -> str:
    """Where to send the browser. The provider sees `verifier` only as its SHA-256 (RFC 7636, 4.2)."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(provider.scopes),
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return f"{provider.authorize_url}?{urlencode(query)}"


class _TokenAnswer(Struct):
    """RFC 6749, 5.1 and 5.2. GitHub sends errors with status 200."""

    access_token: str = ""
    token_type: str = ""
    error: str = ""


class OAuthClient:
    """Asks providers, each question within a time and a size.

    Args:
        timeout_s: for one question and its answer.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def profile(self, provider: Provider, code: str, verifier: str, redirect_uri: str) -> ExternalProfile:
        """The profile of the user who consented.

        Raises:
            CodeRefused: the code, or what came with it, is not accepted.
            ProviderUnavailable: down, too slow, or not willing now.
            ProviderAnswer: not what its documents say.
        """
        token = await self._exchange(provider, code, verifier, redirect_uri)
        headers = {"Authorization": f"Bearer {token}"}
        answers = [await self._get(provider, url, headers) for url in provider.profile_urls]
        try:
            return provider.read(answers)
        except (msgspec.DecodeError, LookupError) as error:
            auth_log.warning("%s: profile not understood: %s", provider.name, error)
            raise ProviderAnswer from error

    async def _exchange(self, provider: Provider, code: str, verifier: str, redirect_uri: str) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "client_id": provider.client_id,
            "client_secret": provider.client_secret,
            "code_verifier": verifier,
        }
        status, body = await self._ask(provider, "POST", provider.token_url, {}, form)
        try:
            answer = msgspec.json.decode(body, type=_TokenAnswer)
        except msgspec.DecodeError as error:
            auth_log.warning("%s: token answer %d not understood: %s", provider.name, status, error)
            raise ProviderAnswer from error
        if answer.error or status != OK:
            auth_log.info("%s: refused a code: %d %s", provider.name, status, answer.error)
            raise CodeRefused
        if not answer.access_token or answer.token_type.lower() != "bearer":
            raise ProviderAnswer
        return answer.access_token

    async def _get(self, provider: Provider, url: str, headers: dict[str, str]) -> bytes:
        status, body = await self._ask(provider, "GET", url, headers, None)
        if status != OK:
            auth_log.warning("%s: %s answered %d", provider.name, url, status)
            raise ProviderAnswer
        return body

    async def _ask(
        self, provider: Provider, method: str, url: str, headers: dict[str, str], form: dict[str, str] | None
    ) -> tuple[int, bytes]:
        """Status and body of an answer that is not a server's failure."""
        headers = {"Accept": "application/json", "User-Agent": "rhythmd"} | headers
        try:
            async with self._connected().request(
                method, url, headers=headers, data=form, allow_redirects=False
            ) as response:
                body = await _bounded(response)
        except (aiohttp.ClientError, TimeoutError) as error:
            auth_log.warning("%s: %s: %s", provider.name, url, str(error) or type(error).__name__)
            raise ProviderUnavailable from error
        if response.status >= SERVER_ERROR or response.status == TOO_MANY_REQUESTS:
            auth_log.warning("%s: %s answered %d", provider.name, url, response.status)
            raise ProviderUnavailable
        return response.status, body

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar())
        return self._session


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    """The body. Raises ProviderAnswer when it is too long."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise ProviderAnswer
    return bytes(body)
