"""Logins through a provider that is broken, slow, away or not configured."""

from urllib.parse import parse_qs, urlsplit

import pytest
from msgspec import structs

from rhythmd.auth.errors import (
    ProviderAnswer,
    ProviderUnavailable,
    UnknownProvider,
)
from rhythmd.auth.external import Callback
from rhythmd.auth.service import Auth
from rhythmd.config import AuthConfig
from rhythmd.ports import Store
from tests.auth.external import ANNA, BOTH, BROWSER, begin, login
from tests.auth.parts import CLIENT
from tests.auth.provider_app import CLIENT_ID, CLIENT_SECRET
from tests.services import free_port


@pytest.fixture
def config(external_config: AuthConfig) -> AuthConfig:
    return external_config


@BOTH
@pytest.mark.parametrize("place", ["token", "profile"])
@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("garbage", ProviderAnswer),
        ("empty", ProviderAnswer),
        ("huge", ProviderAnswer),
        ("error", ProviderUnavailable),
        ("busy", ProviderUnavailable),
    ],
)
async def test_finish_provider_in_trouble_is_told_and_makes_no_account(
    auth: Auth, store: Store, provider: str, place: str, kind: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await login(auth, provider, structs.replace(ANNA, trouble=f"{place}:{kind}"))
    assert (await store.accounts.page(10)).items == []


@pytest.mark.parametrize("kind", ["garbage", "empty", "redirect"])
async def test_finish_github_without_a_list_of_addresses_makes_no_account(auth: Auth, kind: str) -> None:
    with pytest.raises(ProviderAnswer):
        await login(auth, "github", structs.replace(ANNA, trouble=f"emails:{kind}"))


class TestSlowProvider:
    @pytest.fixture
    def config(self, config: AuthConfig) -> AuthConfig:
        return structs.replace(config, oauth_timeout_s=0.3)

    @BOTH
    @pytest.mark.parametrize("place", ["token", "profile"])
    async def test_finish_is_given_up_in_time(self, auth: Auth, provider: str, place: str) -> None:
        with pytest.raises(ProviderUnavailable):
            await login(auth, provider, structs.replace(ANNA, trouble=f"{place}:slow"))


class TestProviderDown:
    @pytest.fixture
    def config(self, config: AuthConfig) -> AuthConfig:
        down = f"http://127.0.0.1:{free_port()}"
        return structs.replace(config, discord_url=down, github_url=down)

    @BOTH
    async def test_finish_is_told(self, auth: Auth, provider: str) -> None:
        state = parse_qs(urlsplit(await begin(auth, provider)).query)["state"][0]
        with pytest.raises(ProviderUnavailable):
            await auth.external.finish(provider, BROWSER, Callback(state=state, code="code"), CLIENT)


class TestNotConfigured:
    @pytest.fixture
    def config(self) -> AuthConfig:
        return AuthConfig(github_client_id=CLIENT_ID, github_client_secret=CLIENT_SECRET)

    async def test_begin_is_refused_and_titles_leave_it_out(self, auth: Auth) -> None:
        assert auth.external.titles == {"github": "GitHub"}
        with pytest.raises(UnknownProvider):
            await begin(auth, "discord")
