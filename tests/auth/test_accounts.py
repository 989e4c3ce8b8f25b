"""Registering, logging in and changing the password."""

import asyncio

import pytest

from rhythm_protocol.errors import ErrorCode
from rhythmd.auth.errors import (
    Banned,
    InvalidField,
    InvalidToken,
    LockedOut,
    Taken,
    Unknown,
    WrongCredentials,
)
from rhythmd.auth.passwords import Argon2Hasher
from rhythmd.auth.service import Auth
from rhythmd.auth.values import Client
from rhythmd.ports import Store
from rhythmd.rows import AccountChanges, Role
from tests.auth.parts import CLIENT, ELSEWHERE, PASSWORD, CountingHasher, Mailbox, ManualClock, Record

EMAIL = "Anna@Example.org"


async def test_register_makes_a_member_who_is_logged_in(auth: Auth) -> None:
    login = await auth.accounts.register("Anna", PASSWORD, EMAIL, CLIENT)
    assert (login.account.usertag, login.account.email) == ("Anna", EMAIL)
    assert login.account.roles == {Role.MEMBER}
    assert not login.account.email_verified
    principal = await auth.authenticator.by_token(login.grant.access_token)
    assert principal.account == login.account
    assert principal.session_id == login.grant.session_id


async def test_register_keeps_no_clear_password(auth: Auth) -> None:
    login = await auth.accounts.register("Anna", PASSWORD, None, CLIENT)
    assert (login.account.password_hash or "").startswith("$argon2id$")


@pytest.mark.parametrize(
    ("usertag", "password", "email", "field"),
    [("a", PASSWORD, None, "usertag"), ("anna", "short", None, "password"), ("anna", PASSWORD, "anna", "email")],
)
async def test_register_with_a_bad_field_is_refused(
    auth: Auth, usertag: str, password: str, email: str | None, field: str
) -> None:
    with pytest.raises(InvalidField) as caught:
        await auth.accounts.register(usertag, password, email, CLIENT)
    assert caught.value.field == field


async def test_register_taken_usertag_in_another_case_is_refused(auth: Auth, hasher: CountingHasher) -> None:
    await auth.accounts.register("Anna", PASSWORD, None, CLIENT)
    hashed = hasher.hashed
    with pytest.raises(Taken) as caught:
        await auth.accounts.register("aNNA", PASSWORD, None, CLIENT)
    assert (caught.value.code, caught.value.field) == (ErrorCode.TAKEN, "usertag")
    assert hasher.hashed == hashed


@pytest.mark.parametrize("email", [EMAIL, EMAIL.upper(), "nobody@example.org"])
@pytest.mark.parametrize("verified", [False, True])
async def test_register_email_of_another_account_does_the_same_as_any(
    auth: Auth, store: Store, hasher: CountingHasher, email: str, verified: bool
) -> None:
    owner = await auth.accounts.create("anna", PASSWORD, EMAIL, verified=verified)
    hashed = hasher.hashed
    berta = (await auth.accounts.register("berta", PASSWORD, email, CLIENT)).account
    assert (berta.email, berta.email_verified) == (email, False)
    assert hasher.hashed == hashed + 1
    assert await store.accounts.by_email(EMAIL) == (owner if verified else None)


async def test_create_with_an_email_that_another_account_has_verified_is_refused(auth: Auth) -> None:
    await auth.accounts.create("anna", PASSWORD, EMAIL, verified=True)
    with pytest.raises(Taken) as caught:
        await auth.accounts.create("berta", PASSWORD, EMAIL.upper(), verified=True)
    assert caught.value.field == "email"


async def test_login_by_an_email_that_is_not_verified_is_as_with_a_wrong_password(
    auth: Auth, hasher: CountingHasher
) -> None:
    await auth.accounts.register("anna", PASSWORD, EMAIL, CLIENT)
    answers = []
    for identifier, password in ((EMAIL, PASSWORD), ("nobody@example.org", PASSWORD), ("anna", "something else")):
        verified = hasher.verified
        with pytest.raises(WrongCredentials) as caught:
            await auth.accounts.login(identifier, password, CLIENT)
        answers.append((str(caught.value), hasher.verified - verified))
    assert len(set(answers)) == 1


async def test_login_by_email_is_the_owners_however_many_have_claimed_it(auth: Auth) -> None:
    await auth.accounts.register("before", "the password before", EMAIL, CLIENT)
    owner = await auth.accounts.create("anna", PASSWORD, EMAIL, verified=True)
    await auth.accounts.register("after", "the password after", EMAIL, CLIENT)
    assert (await auth.accounts.login(EMAIL, PASSWORD, CLIENT)).account.id == owner.id
    for password in ("the password before", "the password after"):
        with pytest.raises(WrongCredentials):
            await auth.accounts.login(EMAIL, password, CLIENT)


async def test_register_same_usertag_many_times_at_once_gives_one_account(auth: Auth) -> None:
    attempts = [auth.accounts.register("anna", PASSWORD, None, CLIENT) for _ in range(6)]
    results = await asyncio.gather(*attempts, return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Login"] + ["Taken"] * 5


@pytest.mark.parametrize("identifier", ["Anna", "anna", "ANNA", EMAIL, EMAIL.lower()])
async def test_login_by_usertag_or_email_in_any_case(auth: Auth, identifier: str) -> None:
    account = await auth.accounts.create("Anna", PASSWORD, EMAIL, verified=True)
    logins = [await auth.accounts.login(identifier, PASSWORD, CLIENT) for _ in range(2)]
    assert [login.account for login in logins] == [account, account]
    assert len({login.grant.session_id for login in logins}) == 2


@pytest.mark.parametrize(
    "identifier",
    ["anna", "nobody", "nobody@example.org", ".*", "^an", "%", "' OR 1=1 --", '{"$ne": null}', "\ud800", "x" * 9_000],
)
async def test_login_wrong_password_and_unknown_user_get_the_same_answer_after_the_same_work(
    auth: Auth, hasher: CountingHasher, identifier: str
) -> None:
    await auth.accounts.register("anna", PASSWORD, None, CLIENT)
    before = (hasher.hashed, hasher.verified)
    with pytest.raises(WrongCredentials) as caught:
        await auth.accounts.login(identifier, "something else", CLIENT)
    assert (hasher.hashed, hasher.verified) == (before[0], before[1] + 1)
    assert (str(caught.value), caught.value.field) == ("the user or the password is wrong", None)


async def test_login_account_without_password_is_refused_after_the_same_work(
    auth: Auth, store: Store, hasher: CountingHasher
) -> None:
    account = (await auth.accounts.register("anna", PASSWORD, None, CLIENT)).account
    await store.accounts.update(account.id, AccountChanges(updated=1, password_hash=None))
    verified = hasher.verified
    with pytest.raises(WrongCredentials):
        await auth.accounts.login("anna", PASSWORD, CLIENT)
    assert hasher.verified == verified + 1


async def test_login_with_a_hash_of_older_parameters_renews_it(auth: Auth, store: Store) -> None:
    account = (await auth.accounts.register("anna", PASSWORD, None, CLIENT)).account
    old = Argon2Hasher(passes=1).hash(PASSWORD.encode())
    await store.accounts.update(account.id, AccountChanges(updated=1, password_hash=old))
    renewed = (await auth.accounts.login("anna", PASSWORD, CLIENT)).account.password_hash or ""
    assert "t=2" in renewed
    assert (await auth.accounts.login("anna", PASSWORD, CLIENT)).account.password_hash == renewed


async def fail(auth: Auth, client: Client, times: int) -> None:
    for _ in range(times):
        with pytest.raises(WrongCredentials):
            await auth.accounts.login("anna", "something else", client)


async def test_login_after_repeated_failures_is_locked_with_the_time_to_wait(
    auth: Auth, clock: ManualClock, hasher: CountingHasher
) -> None:
    await auth.accounts.register("anna", PASSWORD, None, CLIENT)
    await fail(auth, CLIENT, 6)
    verified = hasher.verified
    with pytest.raises(LockedOut) as caught:
        await auth.accounts.login("anna", PASSWORD, CLIENT)
    assert hasher.verified == verified
    clock.advance(caught.value.retry_after_s)
    await auth.accounts.login("anna", PASSWORD, CLIENT)


async def test_login_unknown_user_is_locked_like_a_known_one(auth: Auth) -> None:
    await auth.accounts.register("anna", PASSWORD, None, CLIENT)
    for identifier, client in (("anna", CLIENT), ("nobody", ELSEWHERE)):
        for _ in range(6):
            with pytest.raises(WrongCredentials):
                await auth.accounts.login(identifier, "something else", client)
        with pytest.raises(LockedOut) as caught:
            await auth.accounts.login(identifier, "something else", client)
        assert caught.value.retry_after_s == 1.0


@pytest.mark.parametrize(("locked", "other"), [("anna", EMAIL), (EMAIL, "anna"), ("nobody", "nobody@example.org")])
async def test_login_lock_does_not_tell_which_usertag_an_email_belongs_to(auth: Auth, locked: str, other: str) -> None:
    await auth.accounts.create("anna", PASSWORD, EMAIL, verified=True)
    for _ in range(6):
        with pytest.raises(WrongCredentials):
            await auth.accounts.login(locked, "something else", CLIENT)
    for identifier in (locked, locked.upper()):
        with pytest.raises(LockedOut):
            await auth.accounts.login(identifier, "something else", CLIENT)
    with pytest.raises(WrongCredentials):
        await auth.accounts.login(other, "something else", CLIENT)


async def test_change_of_password_after_repeated_failures_is_locked_whatever_failed_at_logins(auth: Auth) -> None:
    login = await auth.accounts.register("anna", PASSWORD, EMAIL, CLIENT)
    change = auth.accounts.change_password
    for _ in range(6):
        with pytest.raises(WrongCredentials):
            await change(login.account, login.grant.session_id, "something else", "another password", CLIENT)
    with pytest.raises(LockedOut):
        await change(login.account, login.grant.session_id, PASSWORD, "another password", CLIENT)
    await auth.accounts.login("anna", PASSWORD, CLIENT)


async def test_login_from_an_address_in_use_works_while_attackers_elsewhere_are_locked(auth: Auth) -> None:
    await auth.accounts.register("anna", PASSWORD, None, CLIENT)
    for i in range(21):
        await fail(auth, Client(f"203.0.113.{i}"), 1)
    with pytest.raises(LockedOut):
        await auth.accounts.login("anna", PASSWORD, ELSEWHERE)
    await auth.accounts.login("anna", PASSWORD, CLIENT)


async def test_login_banned_user_is_told_so_only_after_the_right_password(auth: Auth) -> None:
    await auth.accounts.register("anna", PASSWORD, None, CLIENT)
    banned = await auth.moderation.ban(None, "anna", 60, "noise", CLIENT)
    await fail(auth, CLIENT, 1)
    with pytest.raises(Banned) as caught:
        await auth.accounts.login("anna", PASSWORD, CLIENT)
    assert (caught.value.until, caught.value.reason) == (banned.banned_until, "noise")


async def test_login_after_the_ban_is_over(auth: Auth, clock: ManualClock) -> None:
    await auth.accounts.register("anna", PASSWORD, None, CLIENT)
    await auth.moderation.ban(None, "anna", 60, "noise", CLIENT)
    clock.advance(60)
    await auth.accounts.login("anna", PASSWORD, CLIENT)


async def test_open_for_an_account_that_was_banned_meanwhile_leaves_no_session(auth: Auth) -> None:
    login = await auth.accounts.register("anna", PASSWORD, None, CLIENT)
    await auth.moderation.ban(None, "anna", 60, "", CLIENT)
    with pytest.raises(Banned):
        await auth.sessions.open(login.account, CLIENT)
    assert (await auth.sessions.page(login.account.id, 10)).items == []


async def test_login_while_the_password_changes_leaves_no_session_of_the_old_one(auth: Auth) -> None:
    login = await auth.accounts.register("anna", PASSWORD, None, CLIENT)
    stale = login.account
    await auth.accounts.change_password(stale, login.grant.session_id, PASSWORD, "another password", CLIENT)
    with pytest.raises(WrongCredentials):
        await auth.accounts.login("anna", PASSWORD, CLIENT)
    with pytest.raises(Unknown):
        await auth.sessions.open(stale, CLIENT)
    assert len((await auth.sessions.page(stale.id, 10)).items) == 1


async def test_change_password_ends_all_other_sessions_and_tells_the_user(
    auth: Auth, mailbox: Mailbox, record: Record
) -> None:
    await auth.accounts.create("anna", PASSWORD, EMAIL, verified=True)
    here = await auth.accounts.login("anna", PASSWORD, CLIENT)
    there = await auth.accounts.login("anna", PASSWORD, ELSEWHERE)
    await auth.accounts.change_password(here.account, here.grant.session_id, PASSWORD, "another password", CLIENT)
    assert record.ended == [there.grant.session_id]
    with pytest.raises(InvalidToken):
        await auth.authenticator.by_token(there.grant.access_token)
    await auth.authenticator.by_token(here.grant.access_token)
    assert [mail.to for mail in mailbox.mails] == [EMAIL]
    await auth.accounts.login("anna", "another password", CLIENT)


async def test_change_password_sends_no_mail_to_an_address_that_may_be_a_strangers(
    auth: Auth, mailbox: Mailbox
) -> None:
    here = await auth.accounts.register("anna", PASSWORD, EMAIL, CLIENT)
    await auth.accounts.change_password(here.account, here.grant.session_id, PASSWORD, "another password", CLIENT)
    assert mailbox.mails == []


async def test_change_password_with_a_wrong_current_one_is_refused_and_counted(auth: Auth) -> None:
    login = await auth.accounts.register("anna", PASSWORD, None, CLIENT)
    for current in (None, "", "something else", "x", "y", "z"):
        with pytest.raises(WrongCredentials):
            await auth.accounts.change_password(
                login.account, login.grant.session_id, current, "another password", CLIENT
            )
    with pytest.raises(LockedOut):
        await auth.accounts.change_password(login.account, login.grant.session_id, PASSWORD, "another one", CLIENT)


async def test_change_password_to_a_common_one_is_refused(auth: Auth) -> None:
    login = await auth.accounts.register("anna", PASSWORD, None, CLIENT)
    with pytest.raises(InvalidField) as caught:
        await auth.accounts.change_password(login.account, login.grant.session_id, PASSWORD, "12345678", CLIENT)
    assert caught.value.field == "new_password"


async def test_change_password_of_an_account_without_one_sets_it(auth: Auth, store: Store) -> None:
    login = await auth.accounts.register("anna", PASSWORD, None, CLIENT)
    bare = await store.accounts.update(login.account.id, AccountChanges(updated=1, password_hash=None))
    await auth.accounts.change_password(bare, login.grant.session_id, None, "another password", CLIENT)
    await auth.accounts.login("anna", "another password", CLIENT)
