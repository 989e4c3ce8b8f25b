"""Logins through Discord and GitHub, against a provider in a process of its own."""

import asyncio
from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from msgspec import structs

from rhythmd.auth.errors import (
    AlreadyLinked,
    Banned,
    CodeRefused,
    ConsentDenied,
    IdentityTaken,
    InvalidState,
    LastLogin,
    LoginAndLink,
    ProviderAnswer,
    ProviderUnavailable,
    Unknown,
    UnknownProvider,
)
from rhythmd.auth.external import Callback
from rhythmd.auth.service import Auth
from rhythmd.auth.values import Login
from rhythmd.config import AuthConfig
from rhythmd.ports import Store
from rhythmd.rows import Identity
from tests.auth.parts import CLIENT, PASSWORD, ManualClock
from tests.auth.provider import consent, running_provider
from tests.auth.provider_app import CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, User
from tests.services import free_port

BROWSER: Final = "what only this browser has"
ANNA: Final = User(id="80351110224678912", name="Anna K.", email="anna@example.org")
BOTH: Final = pytest.mark.parametrize("provider", ["discord", "github"])


@pytest.fixture(scope="module")
def provider_url() -> Iterator[str]:
    with running_provider() as url:
        yield url


@pytest.fixture
def config(provider_url: str) -> AuthConfig:
    return AuthConfig(
        oauth_timeout_s=10.0,
        discord_client_id=CLIENT_ID,
        discord_client_secret=CLIENT_SECRET,
        discord_url=provider_url,
        github_client_id=CLIENT_ID,
        github_client_secret=CLIENT_SECRET,
        github_url=provider_url,
        github_api_url=provider_url,
    )


async def begin(auth: Auth, provider: str, linker: Login | None = None) -> str:
    """The URL that the browser is sent to."""
    principal = await auth.authenticator.by_token(linker.grant.access_token) if linker else None
    return await auth.external.begin(provider, BROWSER, REDIRECT_URI.format(provider=provider), principal)


async def login(auth: Auth, provider: str, user: User) -> Login:
    result = await auth.external.finish(provider, BROWSER, await consent(await begin(auth, provider), user), CLIENT)
    assert isinstance(result, Login)
    return result


async def link(auth: Auth, provider: str, user: User, linker: Login) -> Identity:
    result = await auth.external.finish(
        provider, BROWSER, await consent(await begin(auth, provider, linker), user), CLIENT
    )
    assert isinstance(result, Identity)
    return result


# Logging in


@BOTH
async def test_finish_first_login_makes_an_account_and_the_next_finds_it(auth: Auth, provider: str) -> None:
    first = await login(auth, provider, ANNA)
    assert (first.account.usertag, first.account.email) == ("Anna_K.", ANNA.email)
    assert first.account.email_verified
    assert first.account.password_hash is None
    assert (await auth.authenticator.by_token(first.grant.access_token)).account == first.account
    again = await login(auth, provider, structs.replace(ANNA, name="Another name", email="new@example.org"))
    assert again.account == first.account
    (identity,) = await auth.external.identities(first.account.id)
    assert (identity.provider, identity.subject, identity.name) == (provider, ANNA.id, ANNA.name)


async def test_finish_first_login_with_a_taken_usertag_makes_another_one(auth: Auth) -> None:
    await auth.accounts.register("anna_k.", PASSWORD, None, CLIENT)
    tags = {(await login(auth, "discord", User(id=str(i), name=ANNA.name))).account.usertag for i in range(3)}
    assert len(tags) == 3
    assert all(tag.startswith("Anna_K.") and len(tag) == len("Anna_K.") + 5 for tag in tags)


@BOTH
async def test_finish_first_logins_at_once_make_one_account(auth: Auth, store: Store, provider: str) -> None:
    logins = await asyncio.gather(*(login(auth, provider, ANNA) for _ in range(8)))
    assert len({each.account.id for each in logins}) == 1
    assert len({each.grant.session_id for each in logins}) == 8
    assert len((await store.accounts.page(10)).items) == 1


@BOTH
async def test_finish_same_subject_at_another_provider_is_another_account(auth: Auth, provider: str) -> None:
    other = "github" if provider == "discord" else "discord"
    first = await login(auth, provider, User(id="7", name="anna"))
    second = await login(auth, other, User(id="7", name="anna"))
    assert first.account.id != second.account.id


async def test_finish_banned_user_is_refused(auth: Auth) -> None:
    account = (await login(auth, "discord", ANNA)).account
    await auth.moderation.ban(None, account.usertag, 60, "noise", CLIENT)
    with pytest.raises(Banned):
        await login(auth, "discord", ANNA)


# E-mail addresses


@BOTH
async def test_finish_verified_email_of_an_account_asks_to_log_in_and_link(
    auth: Auth, store: Store, provider: str
) -> None:
    victim = await auth.accounts.register("victim", PASSWORD, ANNA.email.upper(), CLIENT)
    with pytest.raises(LoginAndLink):
        await login(auth, provider, ANNA)
    assert await auth.external.identities(victim.account.id) == []
    assert len((await store.accounts.page(10)).items) == 1


@BOTH
async def test_finish_unverified_email_is_not_taken_over(auth: Auth, provider: str) -> None:
    victim = await auth.accounts.register("victim", PASSWORD, ANNA.email, CLIENT)
    attacker = await login(auth, provider, structs.replace(ANNA, verified=False))
    assert attacker.account.id != victim.account.id
    assert attacker.account.email is None
    assert not attacker.account.email_verified


@BOTH
async def test_finish_user_without_email_gets_an_account_without(auth: Auth, provider: str) -> None:
    assert (await login(auth, provider, structs.replace(ANNA, email=""))).account.email is None


# State


async def test_begin_sends_what_the_provider_needs_and_no_secret(auth: Auth) -> None:
    url = await begin(auth, "discord")
    query = {key: values[0] for key, values in parse_qs(urlsplit(url).query).items()}
    assert set(query) == {
        "response_type",
        "client_id",
        "redirect_uri",
        "scope",
        "state",
        "code_challenge",
        "code_challenge_method",
    }
    assert query["code_challenge_method"] == "S256"
    assert CLIENT_SECRET not in url


@BOTH
async def test_finish_in_another_browser_is_refused_and_uses_the_state_up(auth: Auth, provider: str) -> None:
    callback = await consent(await begin(auth, provider), ANNA)
    for browser in ("another browser", BROWSER):
        with pytest.raises(InvalidState):
            await auth.external.finish(provider, browser, callback, CLIENT)


@pytest.mark.parametrize("state", ["", "unknown", "\ud800"])
async def test_finish_with_an_unknown_state_is_refused(auth: Auth, state: str) -> None:
    callback = await consent(await begin(auth, "discord"), ANNA)
    with pytest.raises(InvalidState):
        await auth.external.finish("discord", BROWSER, structs.replace(callback, state=state), CLIENT)


async def test_finish_twice_is_refused(auth: Auth) -> None:
    callback = await consent(await begin(auth, "discord"), ANNA)
    await auth.external.finish("discord", BROWSER, callback, CLIENT)
    with pytest.raises(InvalidState):
        await auth.external.finish("discord", BROWSER, callback, CLIENT)


async def test_finish_at_another_provider_is_refused(auth: Auth) -> None:
    callback = await consent(await begin(auth, "discord"), ANNA)
    with pytest.raises(InvalidState):
        await auth.external.finish("github", BROWSER, callback, CLIENT)


async def test_finish_after_ten_minutes_is_refused(auth: Auth, clock: ManualClock) -> None:
    callback = await consent(await begin(auth, "discord"), ANNA)
    clock.advance(600)
    with pytest.raises(InvalidState):
        await auth.external.finish("discord", BROWSER, callback, CLIENT)


@pytest.mark.parametrize("name", ["", "google", "Discord", "../github"])
async def test_begin_and_finish_at_an_unknown_provider_are_refused(auth: Auth, name: str) -> None:
    with pytest.raises(UnknownProvider):
        await begin(auth, name)
    with pytest.raises(UnknownProvider):
        await auth.external.finish(name, BROWSER, Callback(state="state", code="code"), CLIENT)


# What the provider refuses


@BOTH
async def test_finish_denied_consent_is_told_apart(auth: Auth, provider: str) -> None:
    callback = await consent(await begin(auth, provider), ANNA, deny=True)
    assert callback.error == "access_denied"
    with pytest.raises(ConsentDenied):
        await auth.external.finish(provider, BROWSER, callback, CLIENT)


@BOTH
async def test_finish_replayed_code_is_refused(auth: Auth, provider: str) -> None:
    """With a fresh state of one's own, as a thief of somebody's callback URL would."""
    used = await consent(await begin(auth, provider), ANNA)
    await auth.external.finish(provider, BROWSER, used, CLIENT)
    own = await consent(await begin(auth, provider), User(id="9", name="mallory"))
    with pytest.raises(CodeRefused):
        await auth.external.finish(provider, BROWSER, structs.replace(own, code=used.code), CLIENT)


@BOTH
async def test_finish_code_of_another_login_fails_on_the_verifier(auth: Auth, provider: str) -> None:
    stolen = await consent(await begin(auth, provider), ANNA)
    own = await consent(await begin(auth, provider), User(id="9", name="mallory"))
    with pytest.raises(CodeRefused):
        await auth.external.finish(provider, BROWSER, structs.replace(own, code=stolen.code), CLIENT)


@BOTH
@pytest.mark.parametrize("code", ["", "made up"])
async def test_finish_without_a_real_code_is_refused(auth: Auth, provider: str, code: str) -> None:
    state = parse_qs(urlsplit(await begin(auth, provider)).query)["state"][0]
    with pytest.raises(CodeRefused):
        await auth.external.finish(provider, BROWSER, Callback(state=state, code=code), CLIENT)


async def test_consent_to_a_redirect_uri_that_is_not_registered_is_refused(auth: Auth) -> None:
    url = urlsplit(await begin(auth, "discord"))
    query = {key: values[0] for key, values in parse_qs(url.query).items()}
    changed = urlencode(query | {"redirect_uri": "https://evil.example/"})
    with pytest.raises(AssertionError, match="not supported"):
        await consent(url._replace(query=changed).geturl(), ANNA)


class TestWrongSecret:
    """The operator mistyped the secret."""

    @pytest.fixture
    def config(self, config: AuthConfig) -> AuthConfig:
        return structs.replace(config, discord_client_secret="mistyped", github_client_secret="mistyped")

    @BOTH
    async def test_finish_is_refused(self, auth: Auth, provider: str) -> None:
        with pytest.raises(CodeRefused):
            await login(auth, provider, ANNA)


# A provider in trouble


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


# Linking


@BOTH
async def test_finish_link_adds_a_way_to_log_in_to_the_account(auth: Auth, provider: str) -> None:
    anna = await auth.accounts.register("anna", PASSWORD, ANNA.email, CLIENT)
    identity = await link(auth, provider, ANNA, anna)
    assert (identity.user_id, identity.provider) == (anna.account.id, provider)
    assert (await login(auth, provider, ANNA)).account.id == anna.account.id


async def test_finish_link_of_an_identity_of_another_account_is_refused(auth: Auth) -> None:
    owner = await login(auth, "discord", ANNA)
    thief = await auth.accounts.register("thief", PASSWORD, None, CLIENT)
    with pytest.raises(IdentityTaken):
        await link(auth, "discord", ANNA, thief)
    assert (await login(auth, "discord", ANNA)).account.id == owner.account.id


async def test_finish_link_of_a_second_identity_at_one_provider_is_refused(auth: Auth) -> None:
    anna = await login(auth, "discord", ANNA)
    with pytest.raises(AlreadyLinked):
        await link(auth, "discord", User(id="9", name="second"), anna)


async def test_finish_link_after_the_logout_is_refused(auth: Auth) -> None:
    anna = await auth.accounts.register("anna", PASSWORD, None, CLIENT)
    callback = await consent(await begin(auth, "discord", anna), ANNA)
    await auth.sessions.logout(anna.account.id, anna.grant.session_id, CLIENT)
    with pytest.raises(InvalidState):
        await auth.external.finish("discord", BROWSER, callback, CLIENT)
    assert await auth.external.identities(anna.account.id) == []


async def test_unlink_takes_the_way_to_log_in_away(auth: Auth) -> None:
    anna = await auth.accounts.register("anna", PASSWORD, None, CLIENT)
    await link(auth, "discord", ANNA, anna)
    await auth.external.unlink(anna.account.id, "discord", CLIENT)
    assert (await login(auth, "discord", ANNA)).account.id != anna.account.id
    with pytest.raises(Unknown):
        await auth.external.unlink(anna.account.id, "discord", CLIENT)


async def test_unlink_last_way_to_log_in_is_refused(auth: Auth) -> None:
    anna = await login(auth, "discord", ANNA)
    with pytest.raises(LastLogin):
        await auth.external.unlink(anna.account.id, "discord", CLIENT)
    await auth.accounts.change_password(anna.account, anna.grant.session_id, None, PASSWORD, CLIENT)
    await auth.external.unlink(anna.account.id, "discord", CLIENT)


async def test_unlink_both_at_once_leaves_one(auth: Auth) -> None:
    anna = await login(auth, "discord", ANNA)
    await link(auth, "github", ANNA, anna)
    both = [auth.external.unlink(anna.account.id, provider, CLIENT) for provider in ("discord", "github")]
    results = await asyncio.gather(*both, return_exceptions=True)
    assert [type(result) for result in results] == [type(None), LastLogin]
    assert len(await auth.external.identities(anna.account.id)) == 1
