"""Accounts that log in through other sites, too."""

import asyncio

import pytest

from rhythmd.auth.errors import (
    AlreadyLinked,
    IdentityTaken,
    InvalidState,
    LastLogin,
    Unknown,
)
from rhythmd.auth.service import Auth
from rhythmd.config import AuthConfig
from tests.auth.external import ANNA, BOTH, BROWSER, begin, link, login
from tests.auth.parts import CLIENT, PASSWORD
from tests.auth.provider import consent
from tests.auth.provider_app import User


@pytest.fixture
def config(external_config: AuthConfig) -> AuthConfig:
    return external_config


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
