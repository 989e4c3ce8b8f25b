"""Logins through Discord and GitHub, against a provider in a process of its own."""

import asyncio
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from msgspec import structs

from rhythm_protocol.errors import ErrorCode
from rhythmd.auth import external
from rhythmd.auth.errors import (
    Banned,
    CodeRefused,
    ConsentDenied,
    InvalidState,
    LoginAndLink,
    Taken,
    UnknownProvider,
    WrongCredentials,
)
from rhythmd.auth.external import Callback
from rhythmd.auth.service import Auth
from rhythmd.config import AuthConfig
from rhythmd.ports import Store
from tests.auth.external import ANNA, BOTH, BROWSER, begin, login
from tests.auth.parts import CLIENT, PASSWORD, ManualClock
from tests.auth.provider import consent
from tests.auth.provider_app import CLIENT_SECRET, User


@pytest.fixture
def config(external_config: AuthConfig) -> AuthConfig:
    return external_config


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


async def test_finish_when_no_usertag_is_free_is_refused_as_taken(auth: Auth, monkeypatch: pytest.MonkeyPatch) -> None:
    await auth.accounts.register("anna_k.", PASSWORD, None, CLIENT)
    monkeypatch.setattr(external, "with_suffix", lambda usertag: usertag)
    with pytest.raises(Taken) as caught:
        await login(auth, "discord", ANNA)
    assert caught.value.code is ErrorCode.TAKEN


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
async def test_finish_email_that_an_account_has_proved_asks_to_log_in_and_link(
    auth: Auth, store: Store, provider: str
) -> None:
    other = "github" if provider == "discord" else "discord"
    owner = await login(auth, other, structs.replace(ANNA, email=ANNA.email.upper()))
    with pytest.raises(LoginAndLink):
        await login(auth, provider, structs.replace(ANNA, id="7"))
    assert [identity.provider for identity in await auth.external.identities(owner.account.id)] == [other]
    assert len((await store.accounts.page(10)).items) == 1


@BOTH
async def test_finish_email_that_a_stranger_has_only_claimed_is_the_owners(
    auth: Auth, store: Store, provider: str
) -> None:
    stranger = (await auth.accounts.register("stranger", PASSWORD, ANNA.email.upper(), CLIENT)).account
    owner = (await login(auth, provider, ANNA)).account
    assert owner.id != stranger.id
    assert (owner.email, owner.email_verified, owner.password_hash) == (ANNA.email, True, None)
    assert await auth.external.identities(stranger.id) == []
    assert await store.accounts.get(stranger.id) == stranger  # The stranger does not see that the owner has come.
    assert await store.accounts.by_email(ANNA.email) == owner
    assert (await auth.accounts.login("stranger", PASSWORD, CLIENT)).account.id == stranger.id
    with pytest.raises(WrongCredentials):
        await auth.accounts.login(ANNA.email, PASSWORD, CLIENT)
    another = (await auth.accounts.register("another", PASSWORD, ANNA.email, CLIENT)).account
    assert (another.email, another.email_verified) == (ANNA.email, False)
    assert (await login(auth, provider, ANNA)).account.id == owner.id


@BOTH
async def test_finish_first_logins_at_once_with_a_claimed_email_make_one_account(
    auth: Auth, store: Store, provider: str
) -> None:
    await auth.accounts.register("stranger", PASSWORD, ANNA.email, CLIENT)
    logins = await asyncio.gather(*(login(auth, provider, ANNA) for _ in range(4)))
    assert len({each.account.id for each in logins}) == 1
    assert {each.account.email for each in logins} == {ANNA.email}


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
