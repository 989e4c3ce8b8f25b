"""PublicAccounts as others see them: kept for a moment, and never for longer than until a change."""

import asyncio

import pytest

from rhythmd.auth.public_accounts import KEPT_S, PublicAccounts
from rhythmd.auth.service import Auth
from rhythmd.cluster.redis_cache import RedisCache
from rhythmd.ports import Store
from rhythmd.rows import Account, AccountChanges, Preferences, Privacy, Role
from rhythmd.store.cache import MemoryCache
from tests.auth.parts import CLIENT, PASSWORD, ManualClock
from tests.conftest import ErrorLog
from tests.services import free_port


@pytest.fixture
def people(store: Store, cache: MemoryCache) -> PublicAccounts:
    return PublicAccounts(store.accounts, cache)


@pytest.fixture
async def clara(auth: Auth) -> Account:
    return (await auth.accounts.register("Clara", PASSWORD, "clara@example.org", CLIENT)).account


async def roles(people: PublicAccounts) -> frozenset[Role]:
    found = await people.find("clara")
    assert found is not None
    return found.roles


async def test_find_shows_nothing_that_is_secret(people: PublicAccounts, clara: Account) -> None:
    for usertag in ("Clara", "CLARA"):
        found = await people.find(usertag)
        assert found is not None
        assert (found.id, found.usertag, found.created) == (clara.id, "Clara", clara.created)
        assert (found.email, found.password_hash) == (None, None)


async def test_find_of_nobody_is_not_kept(people: PublicAccounts, auth: Auth) -> None:
    assert await people.find("clara") is None
    await auth.accounts.register("Clara", PASSWORD, None, CLIENT)
    assert await people.find("clara") is not None


async def test_change_past_the_cache_is_seen_after_its_time(
    people: PublicAccounts, store: Store, clara: Account, clock: ManualClock
) -> None:
    before = await roles(people)
    await store.accounts.update(clara.id, AccountChanges(updated=1, roles=frozenset({Role.PRO})))
    assert await roles(people) == before
    clock.advance(KEPT_S)
    assert await roles(people) == {Role.PRO}


async def test_change_at_one_server_is_seen_at_once_at_another(
    people: PublicAccounts, store: Store, cache: MemoryCache, auth: Auth, clara: Account
) -> None:
    there = PublicAccounts(store.accounts, cache)
    for number, given in enumerate((frozenset({Role.PRO}), frozenset({Role.ADMIN}))):
        await asyncio.gather(roles(people), roles(there))
        await people.update(clara.id, AccountChanges(updated=number, roles=given))
        assert await roles(there) == await roles(people) == given
    await auth.moderation.set_roles(None, "clara", frozenset({Role.MEMBER}), CLIENT)
    assert await roles(there) == {Role.MEMBER}


async def test_find_while_it_changes_keeps_nothing_old(people: PublicAccounts, clara: Account) -> None:
    for number in range(50):
        given = frozenset({Role.PRO if number % 2 else Role.MODERATOR})
        finds = [asyncio.create_task(roles(people)) for _ in range(3)]
        await people.update(clara.id, AccountChanges(updated=number, roles=given))
        await asyncio.gather(*finds)
        assert await roles(people) == given


async def test_profile_that_becomes_private_is_hidden_at_once(people: PublicAccounts, clara: Account) -> None:
    assert await people.find("clara") is not None
    await people.update(clara.id, AccountChanges(updated=1, settings=Preferences(privacy=Privacy.PRIVATE)))
    found = await people.find("clara")
    assert found is not None
    assert found.settings.privacy is Privacy.PRIVATE


async def test_cache_that_is_away_is_in_nobodys_way(store: Store, clara: Account, errors_logged: ErrorLog) -> None:
    cache = RedisCache(f"redis://127.0.0.1:{free_port()}", timeout_s=0.2)
    people = PublicAccounts(store.accounts, cache)
    assert await roles(people) == clara.roles
    await people.update(clara.id, AccountChanges(updated=1, roles=frozenset({Role.PRO})))
    assert await roles(people) == {Role.PRO}
    await cache.close()
    errors_logged.records.clear()
