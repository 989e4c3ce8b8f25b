"""Logging in through another site, over HTTP and against a provider in a process of its own."""

from collections.abc import AsyncIterator, Iterator
from typing import Final
from urllib.parse import urlencode

import msgspec
import pytest

from tests.auth.provider import consent, running_provider
from tests.auth.provider_app import CLIENT_ID, CLIENT_SECRET, User
from tests.rest.api import PASSWORD, UNLIMITED, Answer, Api, open_api
from tests.server import Serve

ANNA: Final = User(id="80351110224678912", name="Anna K.", email="anna@example.org")
BROWSER: Final = "rhythm_oauth"
GITHUB: Final = "/auth/oauth/github"


@pytest.fixture(scope="module")
def provider_url() -> Iterator[str]:
    with running_provider() as url:
        yield url


@pytest.fixture
async def api(serve: Serve, provider_url: str) -> AsyncIterator[Api]:
    server = await serve(
        "server.public_url=http://127.0.0.1", f"auth.github_client_id='{CLIENT_ID}'",
        f'auth.github_client_secret="{CLIENT_SECRET}"', f"auth.github_url={provider_url}",
        f"auth.github_api_url={provider_url}", *UNLIMITED,
    )  # fmt: skip
    async with open_api(server) as client:
        yield client


async def begin(api: Api, query: str = "", token: str | None = None) -> tuple[str, str]:
    """Where the browser is sent, and the secret it gets."""
    answer = await api.call("GET", GITHUB + query, token=token)
    assert answer.status == 302, answer.body
    return answer.headers["Location"], answer.cookies[BROWSER].value


async def finish(api: Api, url: str, browser: str, user: User = ANNA, *, deny: bool = False) -> Answer:
    """Come back from the provider."""
    query = msgspec.to_builtins(await consent(url, user, deny=deny))
    return await api.call("GET", f"{GITHUB}/callback?{urlencode(query)}", headers={"Cookie": f"{BROWSER}={browser}"})


async def test_login_sets_cookies_and_goes_to_the_page(api: Api) -> None:
    assert (await api.call("GET", "/auth/providers")).body == {"providers": [{"name": "github", "title": "GitHub"}]}
    answer = await finish(api, *await begin(api))
    assert (answer.status, answer.headers["Location"]) == (302, "/")
    cookie = f"rhythm_access={answer.cookies['rhythm_access'].value}"
    me = (await api.call("GET", "/users/profile", headers={"Cookie": cookie})).body
    assert (me["usertag"], me["email"], me["email_verified"]) == ("Anna_K.", ANNA.email, True)
    identities = (await api.call("GET", "/auth/identities", headers={"Cookie": cookie})).body["identities"]
    assert [identity["provider"] for identity in identities] == ["github"]


async def test_address_is_the_owners_whoever_registers_with_it_before_and_after(api: Api) -> None:
    async def claim(usertag: str, email: str) -> Answer:
        return await api.call("POST", "/auth/register", {"usertag": usertag, "password": PASSWORD, "email": email})

    stranger = await claim("stranger", ANNA.email)
    owner = await finish(api, *await begin(api))
    assert (owner.status, owner.headers["Location"]) == (302, "/")
    known, unknown = await claim("known", ANNA.email.upper()), await claim("unknown", "nobody@example.org")
    assert known.status == unknown.status == stranger.status == 201
    assert sorted(known.body) == sorted(unknown.body)
    assert not known.body["user"]["email_verified"]
    seen = (await api.call("GET", "/users/profile", token=stranger.body["access_token"])).body
    assert seen == stranger.body["user"]
    again = await finish(api, *await begin(api))
    cookie = f"rhythm_access={again.cookies['rhythm_access'].value}"
    me = (await api.call("GET", "/users/profile", headers={"Cookie": cookie})).body
    assert (me["usertag"], me["email"], me["email_verified"]) == ("Anna_K.", ANNA.email, True)
    refused = await api.call("POST", "/auth/login", {"usertag": ANNA.email, "password": PASSWORD})
    assert (refused.status, refused.code) == (401, "wrong-credentials")


async def test_callback_in_another_browser_is_refused(api: Api) -> None:
    url, _ = await begin(api)
    answer = await finish(api, url, "another browser's secret")
    assert (answer.status, answer.code) == (400, "invalid-state")


async def test_callback_after_a_refusal_says_so(api: Api) -> None:
    answer = await finish(api, *await begin(api), deny=True)
    assert (answer.status, answer.code) == (403, "consent-denied")


async def test_callback_from_nowhere_is_refused(api: Api) -> None:
    answer = await api.call("GET", f"{GITHUB}/callback?code=x&state=y&scope=z")
    assert (answer.status, answer.code) == (400, "invalid-state")


async def test_unknown_provider_is_not_found(api: Api) -> None:
    answer = await api.call("GET", "/auth/oauth/nowhere")
    assert (answer.status, answer.code) == (404, "unknown-provider")


async def test_link_and_unlink_an_identity(api: Api) -> None:
    user = await api.register()
    answer = await finish(api, *await begin(api, "?link=true", user.access_token))
    assert answer.status == 302
    assert not answer.cookies
    listed = await api.call("GET", "/auth/identities", token=user.access_token)
    assert [row["provider"] for row in listed.body["identities"]] == ["github"]
    assert (await api.call("DELETE", "/auth/identities/github", token=user.access_token)).status == 204
    gone = await api.call("DELETE", "/auth/identities/github", token=user.access_token)
    assert (gone.status, gone.code) == (404, "not-found")


async def test_link_without_a_login_or_from_another_site_is_refused(api: Api) -> None:
    assert (await api.call("GET", f"{GITHUB}?link=true")).code == "login-required"
    user = await api.register()
    headers = {"Sec-Fetch-Site": "cross-site"}
    answer = await api.call("GET", f"{GITHUB}?link=true", token=user.access_token, headers=headers)
    assert (answer.status, answer.code) == (403, "cross-site")
