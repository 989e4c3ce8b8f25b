"""What an AccountStore and an ExternalIdentityStore owe."""

import asyncio
from typing import Any

import pytest
from msgspec import structs

from rhythmd.ports import Conflict, LastIdentity, NotFound, Store
from rhythmd.rows import FOREVER, Account, AccountChanges, Preferences, Privacy, Profile, Role
from tests.contracts.rows import NOW, make_account, make_identity, make_session
from tests.contracts.texts import AWKWARD_TEXTS


def full_account() -> Account:
    """Every field set to something else than its default."""
    return make_account(
        "Ada#0001",
        username="ada",
        nickname="Ada ♪",
        email="Ada@Example.org",
        email_verified=True,
        password_hash="$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA",
        roles=frozenset({Role.MEMBER, Role.ADMIN}),
        colour="#a0b1c2",
        status_text="playing",
        profile=Profile(avatar="https://example.org/a.png", bio="I play.", location="London"),
        settings=Preferences(theme="dark", notifications=False, privacy=Privacy.PRIVATE),
        banned_until=FOREVER,
        ban_reason="spam",
        muted_until=NOW + 1,
    )


async def test_create_keeps_every_field(store: Store) -> None:
    account = full_account()
    await store.accounts.create(account)
    assert await store.accounts.get(account.id) == account


async def test_get_unknown_is_none(store: Store) -> None:
    assert await store.accounts.get("nobody") is None
    assert await store.accounts.by_usertag("nobody") is None
    assert await store.accounts.by_email("nobody@example.org") is None


async def test_delete_takes_identities_and_sessions_with_it(store: Store) -> None:
    account, other = make_account("Clara"), make_account("Robert")
    identity = make_identity(account)
    await store.accounts.create(account, identity)
    await store.accounts.create(other)
    sessions = make_session(account, "hers"), make_session(other, "his")
    for session in sessions:
        await store.sessions.create(session)
    assert await store.accounts.delete(account.id)
    assert not await store.accounts.delete(account.id)
    assert await store.accounts.get(account.id) is None
    assert await store.identities.find(identity.provider, identity.subject) is None
    assert await store.sessions.get(sessions[0].id, NOW) is None
    assert await store.sessions.revoked([each.id for each in sessions]) == [sessions[0].id]
    assert await store.sessions.get(sessions[1].id, NOW) == sessions[1]
    again = make_account("Clara")
    await store.accounts.create(again, make_identity(again, identity.provider, identity.subject))


async def test_by_usertag_in_any_case_finds_shown_form(store: Store) -> None:
    account = make_account("Ada#0001")
    await store.accounts.create(account)
    for asked in ("Ada#0001", "ADA#0001", "ada#0001", "Ａｄａ#0001"):
        assert await store.accounts.by_usertag(asked) == account


async def test_by_email_in_any_case_finds_shown_form(store: Store) -> None:
    account = make_account(email="Straße@Example.org", email_verified=True)
    await store.accounts.create(account)
    assert await store.accounts.by_email("STRASSE@example.ORG") == account


async def test_create_usertag_of_other_case_conflicts(store: Store) -> None:
    await store.accounts.create(make_account("Clara"))
    with pytest.raises(Conflict) as conflict:
        await store.accounts.create(make_account("cLARA"))
    assert conflict.value.field == "usertag"


async def test_create_email_of_other_case_conflicts(store: Store) -> None:
    await store.accounts.create(make_account(email="clara@example.org", email_verified=True))
    with pytest.raises(Conflict) as conflict:
        await store.accounts.create(make_account(email="Clara@Example.org", email_verified=True))
    assert conflict.value.field == "email"


async def test_create_many_with_an_email_of_which_one_has_verified_it(store: Store) -> None:
    owner = make_account(email="Clara@example.org", email_verified=True)
    before, after = (make_account(email="clara@example.org") for _ in range(2))
    await store.accounts.create(before)
    assert await store.accounts.by_email("clara@example.org") is None
    await store.accounts.create(owner)
    await store.accounts.create(after)
    assert await store.accounts.by_email("clara@example.org") == owner
    for claimant in (before, after):
        assert await store.accounts.get(claimant.id) == claimant


async def test_update_verifies_an_email_at_one_account_only(store: Store) -> None:
    first, second = (make_account(email="clara@example.org") for _ in range(2))
    verify = AccountChanges(updated=NOW + 1, email="clara@example.org", email_verified=True)
    for account in (first, second):
        await store.accounts.create(account)
    verified = await store.accounts.update(first.id, verify)
    assert await store.accounts.by_email("clara@example.org") == verified
    with pytest.raises(Conflict) as conflict:
        await store.accounts.update(second.id, verify)
    assert conflict.value.field == "email"
    assert await store.accounts.get(second.id) == second
    await store.accounts.update(second.id, AccountChanges(updated=NOW + 2, nickname="other"))
    await store.accounts.update(first.id, AccountChanges(updated=NOW + 2, nickname="other"))
    assert await store.accounts.by_email("clara@example.org") == structs.replace(
        verified, updated=NOW + 2, nickname="other"
    )


async def test_update_verifies_an_email_at_once_makes_one_owner(store: Store) -> None:
    accounts = [make_account(email="clara@example.org") for _ in range(8)]
    for account in accounts:
        await store.accounts.create(account)
    verify = AccountChanges(updated=NOW + 1, email="clara@example.org", email_verified=True)
    tries = (store.accounts.update(account.id, verify) for account in accounts)
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(outcome, Account) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 7


async def test_update_to_an_unverified_email_gives_up_the_claim(store: Store) -> None:
    account = make_account(email="clara@example.org", email_verified=True)
    await store.accounts.create(account)
    for email in ("new@example.org", "clara@example.org"):
        changes = AccountChanges(updated=NOW, email=email, email_verified=False)
        await store.accounts.update(account.id, changes)
        assert await store.accounts.by_email(email) is None
    await store.accounts.create(make_account(email="clara@example.org", email_verified=True))


@pytest.mark.parametrize("change", [{"email": "clara@example.org"}, {"email": None}, {"email_verified": True}])
def test_changes_of_an_email_say_whether_it_is_verified(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="together"):
        AccountChanges(updated=NOW, **change)


async def test_create_id_twice_conflicts(store: Store) -> None:
    account = make_account()
    await store.accounts.create(account)
    with pytest.raises(Conflict) as conflict:
        await store.accounts.create(make_account(id=account.id))
    assert conflict.value.field == "id"


async def test_create_many_without_email_do_not_conflict(store: Store) -> None:
    accounts = [make_account() for _ in range(3)]
    for account in accounts:
        await store.accounts.create(account)
    assert len((await store.accounts.page(10)).items) == 3


async def test_create_one_usertag_at_once_makes_one(store: Store) -> None:
    tries = (store.accounts.create(make_account("Clara")) for _ in range(20))
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert outcomes.count(None) == 1
    assert all(isinstance(outcome, Conflict) for outcome in outcomes if outcome is not None)


async def test_update_changes_what_is_named(store: Store) -> None:
    account = full_account()
    await store.accounts.create(account)
    changes = AccountChanges(
        updated=NOW + 5, nickname="A.", profile=Profile(bio="$set"), roles=frozenset({Role.PRO}), banned_until=None
    )
    changed = await store.accounts.update(account.id, changes)
    assert changed == structs.replace(
        account,
        updated=NOW + 5,
        nickname="A.",
        profile=Profile(bio="$set"),
        roles=frozenset({Role.PRO}),
        banned_until=None,
    )
    assert await store.accounts.get(account.id) == changed


async def test_update_usertag_moves_the_claim(store: Store) -> None:
    account = make_account("Before")
    await store.accounts.create(account)
    await store.accounts.update(account.id, AccountChanges(updated=NOW, usertag="After"))
    assert await store.accounts.by_usertag("before") is None
    assert await store.accounts.by_usertag("after") is not None
    await store.accounts.create(make_account("BEFORE"))


async def test_update_email_to_none_frees_it(store: Store) -> None:
    account = make_account(email="clara@example.org", email_verified=True)
    await store.accounts.create(account)
    await store.accounts.update(account.id, AccountChanges(updated=NOW, email=None, email_verified=False))
    assert await store.accounts.by_email("clara@example.org") is None
    await store.accounts.create(make_account(email="clara@example.org", email_verified=True))


async def test_update_to_taken_values_conflicts_and_changes_nothing(store: Store) -> None:
    await store.accounts.create(make_account("Taken", email="taken@example.org", email_verified=True))
    account = make_account("Free")
    await store.accounts.create(account)
    for changes in (
        AccountChanges(updated=NOW, nickname="new", usertag="TAKEN"),
        AccountChanges(updated=NOW, nickname="new", email="Taken@example.org", email_verified=True),
    ):
        with pytest.raises(Conflict):
            await store.accounts.update(account.id, changes)
    assert await store.accounts.get(account.id) == account


async def test_update_unknown_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.accounts.update("nobody", AccountChanges(updated=NOW))


async def test_update_different_fields_at_once_keeps_all(store: Store) -> None:
    account = make_account()
    await store.accounts.create(account)
    changes = (
        AccountChanges(updated=NOW, nickname="n"),
        AccountChanges(updated=NOW, colour="#000001"),
        AccountChanges(updated=NOW, status_text="s"),
        AccountChanges(updated=NOW, muted_until=5),
    )
    await asyncio.gather(*(store.accounts.update(account.id, change) for change in changes))
    expected = structs.replace(account, nickname="n", colour="#000001", status_text="s", muted_until=5)
    assert await store.accounts.get(account.id) == expected


async def test_updated_tells_which_of_many_have_changed_since(store: Store) -> None:
    before, after, other = make_account(updated=NOW), make_account(updated=NOW), make_account(updated=NOW + 9)
    for account in (before, after, other):
        await store.accounts.create(account)
    changed = await store.accounts.update(after.id, AccountChanges(updated=NOW + 1, roles=frozenset({Role.PRO})))
    asked = [before.id, after.id, "nobody", *AWKWARD_TEXTS]
    assert await store.accounts.updated(asked, NOW) == [changed]
    assert await store.accounts.updated(asked, NOW + 1) == []
    assert await store.accounts.updated([], 0) == []


async def test_texts_come_back_as_they_were(store: Store) -> None:
    for text in AWKWARD_TEXTS:
        account = make_account(username=text, status_text=text, ban_reason=text, profile=Profile(bio=text))
        await store.accounts.create(account)
        assert await store.accounts.get(account.id) == account
        changed = await store.accounts.update(account.id, AccountChanges(updated=NOW, nickname=text))
        assert changed.nickname == text


async def test_by_usertag_takes_no_operator_or_pattern(store: Store) -> None:
    await store.accounts.create(make_account("Clara"))
    for usertag in AWKWARD_TEXTS:
        assert await store.accounts.by_usertag(usertag) is None
        account = make_account(id=usertag, usertag=usertag)
        await store.accounts.create(account)
        assert await store.accounts.by_usertag(usertag) == account
        assert await store.accounts.get(usertag) == account


# Identities


async def test_create_with_identity_adds_both(store: Store) -> None:
    account = make_account()
    identity = make_identity(account)
    await store.accounts.create(account, identity)
    assert await store.identities.find("github", identity.subject) == identity
    assert await store.accounts.get(account.id) == account


async def test_create_with_taken_identity_adds_neither(store: Store) -> None:
    first = make_account()
    await store.accounts.create(first, make_identity(first, subject="42"))
    second = make_account()
    with pytest.raises(Conflict) as conflict:
        await store.accounts.create(second, make_identity(second, subject="42"))
    assert conflict.value.field == "subject"
    assert await store.accounts.get(second.id) is None


async def test_link_and_unlink(store: Store) -> None:
    account = make_account(password_hash="$argon2id$")
    await store.accounts.create(account)
    discord, github = make_identity(account, "discord"), make_identity(account, "github")
    await store.identities.link(github)
    await store.identities.link(discord)
    assert await store.identities.of_user(account.id) == [discord, github]
    assert await store.identities.unlink(account.id, "github")
    assert not await store.identities.unlink(account.id, "github")
    assert await store.identities.of_user(account.id) == [discord]
    assert await store.identities.find("github", github.subject) is None


async def test_unlink_of_the_only_way_to_log_in_is_refused(store: Store) -> None:
    account = make_account()
    await store.accounts.create(account, make_identity(account, "github"))
    with pytest.raises(LastIdentity):
        await store.identities.unlink(account.id, "github")
    assert not await store.identities.unlink(account.id, "discord")
    await store.accounts.update(account.id, AccountChanges(updated=NOW, password_hash="$argon2id$"))
    assert await store.identities.unlink(account.id, "github")
    assert not await store.identities.unlink("nobody", "github")


async def test_unlink_all_at_once_leaves_one(store: Store) -> None:
    account = make_account()
    providers = [f"provider-{number}" for number in range(5)]
    await store.accounts.create(account)
    for provider in providers:
        await store.identities.link(make_identity(account, provider))
    unlinks = (store.identities.unlink(account.id, provider) for provider in providers)
    outcomes = await asyncio.gather(*unlinks, return_exceptions=True)
    assert outcomes.count(True) == 4
    assert [type(outcome) for outcome in outcomes if outcome is not True] == [LastIdentity]
    assert len(await store.identities.of_user(account.id)) == 1


async def test_link_same_subject_at_other_provider_is_another(store: Store) -> None:
    one, two = make_account(), make_account()
    await store.accounts.create(one, make_identity(one, "discord", "42"))
    await store.accounts.create(two, make_identity(two, "github", "42"))
    found = await store.identities.find("github", "42")
    assert found is not None
    assert found.user_id == two.id


async def test_link_second_of_one_provider_conflicts(store: Store) -> None:
    account = make_account()
    await store.accounts.create(account, make_identity(account))
    with pytest.raises(Conflict) as conflict:
        await store.identities.link(make_identity(account))
    assert conflict.value.field == "provider"


async def test_link_identity_of_another_conflicts(store: Store) -> None:
    one, two = make_account(), make_account()
    await store.accounts.create(one, make_identity(one, subject="42"))
    await store.accounts.create(two)
    with pytest.raises(Conflict) as conflict:
        await store.identities.link(make_identity(two, subject="42"))
    assert conflict.value.field == "subject"


async def test_link_to_unknown_account_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.identities.link(make_identity(make_account()))


async def test_link_one_subject_to_many_at_once_links_one(store: Store) -> None:
    accounts = [make_account() for _ in range(10)]
    for account in accounts:
        await store.accounts.create(account)
    links = (store.identities.link(make_identity(account, subject="42")) for account in accounts)
    outcomes = await asyncio.gather(*links, return_exceptions=True)
    assert outcomes.count(None) == 1


async def test_update_keeps_identities(store: Store) -> None:
    account = make_account()
    identity = make_identity(account)
    await store.accounts.create(account, identity)
    await store.accounts.update(account.id, AccountChanges(updated=NOW, nickname="x"))
    assert await store.identities.of_user(account.id) == [identity]


async def test_shows_avatar_while_any_profile_has_it(store: Store) -> None:
    accounts = [make_account(name, profile=Profile(avatar="/a/1")) for name in ("Clara", "Robert")]
    other = make_account("Ada", profile=Profile(avatar="/a/12"))
    for account in (*accounts, other, make_account("Fanny")):
        await store.accounts.create(account)
    for account in accounts:
        assert await store.accounts.shows_avatar("/a/1")
        await store.accounts.update(account.id, AccountChanges(updated=NOW, profile=Profile()))
    assert not await store.accounts.shows_avatar("/a/1")
    assert await store.accounts.shows_avatar("/a/12")


@pytest.mark.parametrize("text", AWKWARD_TEXTS)
async def test_shows_avatar_takes_any_text_for_what_it_is(store: Store, text: str) -> None:
    await store.accounts.create(make_account(profile=Profile(avatar="/a/1")))
    assert not await store.accounts.shows_avatar(text)


async def test_usertags_that_look_alike_conflict(store: Store) -> None:
    await store.accounts.create(make_account("clara.1"))
    for usertag in ("cIara.1", "clara.l"):
        with pytest.raises(Conflict) as conflict:
            await store.accounts.create(make_account(usertag))
        assert conflict.value.field == "usertag"
    await store.accounts.create(make_account("ciara.1"))
