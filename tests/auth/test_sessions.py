"""Sessions: refreshed, replayed, listed and ended; guests; tickets."""

import asyncio

import pytest

from rhythmd.auth.errors import (
    Banned,
    InvalidRefreshToken,
    InvalidTicket,
    InvalidToken,
    TokenExpired,
    Unknown,
)
from rhythmd.auth.secret import digest
from rhythmd.auth.service import Auth
from rhythmd.auth.values import Client, Login
from rhythmd.config import AuthConfig
from rhythmd.ports import Store
from rhythmd.rows import AccountChanges, Role
from tests.auth.parts import CLIENT, ELSEWHERE, PASSWORD, ManualClock, Record

DAY_S = 86_400


@pytest.fixture
async def anna(auth: Auth) -> Login:
    return await auth.accounts.register("anna", PASSWORD, None, CLIENT)


async def test_refresh_gives_new_tokens_of_the_same_session(auth: Auth, anna: Login, clock: ManualClock) -> None:
    clock.advance(DAY_S)
    renewed = await auth.sessions.refresh(anna.grant.refresh_token, CLIENT)
    assert renewed.grant.session_id == anna.grant.session_id
    assert renewed.grant.refresh_token != anna.grant.refresh_token
    assert renewed.grant.refresh_expires == anna.grant.refresh_expires + DAY_S * 1_000
    assert (await auth.authenticator.by_token(renewed.grant.access_token)).user_id == anna.account.id


async def test_account_with_too_many_sessions_loses_the_one_that_was_not_used_for_the_longest(
    auth: Auth, anna: Login, clock: ManualClock, record: Record
) -> None:
    most = AuthConfig().sessions_per_account
    for _ in range(most):
        clock.advance(1)
        await auth.sessions.open(anna.account, CLIENT)
    assert record.ended == [anna.grant.session_id]
    assert len((await auth.sessions.page(anna.account.id, most + 1)).items) == most
    with pytest.raises(InvalidRefreshToken):
        await auth.sessions.refresh(anna.grant.refresh_token, CLIENT)


async def test_open_stores_the_refresh_token_hashed_only(auth: Auth, anna: Login) -> None:
    session = (await auth.sessions.page(anna.account.id, 1)).items[0]
    assert session.token_hash == digest(anna.grant.refresh_token)
    assert len(session.token_hash) == 32


async def test_refresh_with_a_used_token_ends_the_session(auth: Auth, anna: Login, record: Record) -> None:
    renewed = await auth.sessions.refresh(anna.grant.refresh_token, CLIENT)
    with pytest.raises(InvalidRefreshToken):
        await auth.sessions.refresh(anna.grant.refresh_token, ELSEWHERE)
    with pytest.raises(InvalidRefreshToken):
        await auth.sessions.refresh(renewed.grant.refresh_token, CLIENT)
    with pytest.raises(InvalidToken):
        await auth.authenticator.by_token(renewed.grant.access_token)
    assert record.ended == [anna.grant.session_id]


async def test_refresh_twice_at_once_one_wins_and_the_session_ends(auth: Auth, anna: Login) -> None:
    both = [auth.sessions.refresh(anna.grant.refresh_token, CLIENT) for _ in range(2)]
    results = await asyncio.gather(*both, return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["InvalidRefreshToken", "Login"]
    assert (await auth.sessions.page(anna.account.id, 10)).items == []


async def test_refresh_replay_leaves_other_sessions_alone(auth: Auth, anna: Login) -> None:
    other = await auth.accounts.login("anna", PASSWORD, ELSEWHERE)
    await auth.sessions.refresh(anna.grant.refresh_token, CLIENT)
    with pytest.raises(InvalidRefreshToken):
        await auth.sessions.refresh(anna.grant.refresh_token, CLIENT)
    await auth.sessions.refresh(other.grant.refresh_token, ELSEWHERE)


@pytest.mark.parametrize("token", ["", "unknown", "\ud800", "x" * 10_000])
async def test_refresh_with_an_unknown_token_is_refused(auth: Auth, token: str) -> None:
    with pytest.raises(InvalidRefreshToken):
        await auth.sessions.refresh(token, CLIENT)


async def test_refresh_of_an_expired_session_is_refused(auth: Auth, anna: Login, clock: ManualClock) -> None:
    clock.advance(30 * DAY_S)
    with pytest.raises(InvalidRefreshToken):
        await auth.sessions.refresh(anna.grant.refresh_token, CLIENT)


async def test_refresh_of_a_banned_user_is_refused_and_ends_the_session(
    auth: Auth, anna: Login, store: Store, clock: ManualClock
) -> None:
    until = clock.now + 60_000
    await store.accounts.update(anna.account.id, AccountChanges(updated=1, banned_until=until))
    with pytest.raises(Banned) as caught:
        await auth.sessions.refresh(anna.grant.refresh_token, CLIENT)
    assert caught.value.until == until
    assert (await auth.sessions.page(anna.account.id, 10)).items == []


async def test_page_shows_sessions_newest_first_with_their_clients(auth: Auth, anna: Login, clock: ManualClock) -> None:
    clock.advance(1)
    newer = await auth.accounts.login("anna", PASSWORD, Client("198.51.100.7", "\udcffagent" * 100))
    first = await auth.sessions.page(anna.account.id, 1)
    second = await auth.sessions.page(anna.account.id, 1, first.next)
    assert [page.items[0].id for page in (first, second)] == [newer.grant.session_id, anna.grant.session_id]
    assert first.items[0].user_agent.startswith("?agent")
    assert len(first.items[0].user_agent) <= 256
    assert second.items[0].address == CLIENT.address


async def test_logout_ends_the_session_at_once(auth: Auth, anna: Login, record: Record) -> None:
    await auth.sessions.logout(anna.account.id, anna.grant.session_id, CLIENT)
    await auth.sessions.logout(anna.account.id, anna.grant.session_id, CLIENT)
    assert record.ended == [anna.grant.session_id]
    with pytest.raises(InvalidToken):
        await auth.authenticator.by_token(anna.grant.access_token)
    with pytest.raises(InvalidRefreshToken):
        await auth.sessions.refresh(anna.grant.refresh_token, CLIENT)


async def test_revoke_one_leaves_the_others(auth: Auth, anna: Login, record: Record) -> None:
    other = await auth.accounts.login("anna", PASSWORD, ELSEWHERE)
    await auth.sessions.revoke(anna.account.id, other.grant.session_id, CLIENT)
    assert record.ended == [other.grant.session_id]
    assert [session.id for session in (await auth.sessions.page(anna.account.id, 10)).items] == [anna.grant.session_id]


async def test_revoke_another_users_session_is_refused(auth: Auth, anna: Login) -> None:
    berta = await auth.accounts.register("berta", PASSWORD, None, CLIENT)
    with pytest.raises(Unknown):
        await auth.sessions.revoke(berta.account.id, anna.grant.session_id, CLIENT)
    await auth.authenticator.by_token(anna.grant.access_token)


async def test_by_token_expired_one_is_told_apart(auth: Auth, anna: Login, clock: ManualClock) -> None:
    clock.advance(16 * 60)
    with pytest.raises(TokenExpired):
        await auth.authenticator.by_token(anna.grant.access_token)


async def test_by_token_tells_the_roles_of_now(auth: Auth, anna: Login) -> None:
    await auth.moderation.set_roles(None, "anna", frozenset({Role.MODERATOR}), CLIENT)
    assert (await auth.authenticator.by_token(anna.grant.access_token)).roles == {Role.MODERATOR}


async def test_by_token_banned_user_is_refused(auth: Auth, anna: Login, store: Store, clock: ManualClock) -> None:
    await store.accounts.update(anna.account.id, AccountChanges(updated=1, banned_until=clock.now + 60_000))
    with pytest.raises(Banned):
        await auth.authenticator.by_token(anna.grant.access_token)


async def test_guest_is_a_principal_without_account_and_roles(auth: Auth) -> None:
    guest = auth.sessions.guest()
    principal = await auth.authenticator.by_token(guest.access_token)
    assert (principal.user_id, principal.is_guest, principal.roles) == (guest.id, True, frozenset())


async def test_guest_who_shows_a_good_token_stays_the_same(auth: Auth, anna: Login, clock: ManualClock) -> None:
    guest = auth.sessions.guest()
    clock.advance(10 * 60)
    renewed = auth.sessions.guest(guest.access_token)
    assert renewed.id == guest.id
    assert renewed.access_expires > guest.access_expires
    clock.advance(20 * 60)
    assert auth.sessions.guest(renewed.access_token).id != guest.id
    assert auth.sessions.guest(anna.grant.access_token).id != anna.account.id


async def test_by_ticket_tells_who_and_where(auth: Auth, anna: Login) -> None:
    buyer = await auth.authenticator.by_token(anna.grant.access_token)
    ticket = await auth.tickets.issue(buyer, room="room", seat="seat")
    principal, content = await auth.authenticator.by_ticket(ticket)
    assert principal == buyer
    assert (content.room, content.seat) == ("room", "seat")


async def test_by_ticket_second_use_is_refused(auth: Auth, anna: Login) -> None:
    ticket = await auth.tickets.issue(await auth.authenticator.by_token(anna.grant.access_token))
    both = [auth.authenticator.by_ticket(ticket) for _ in range(5)]
    results = await asyncio.gather(*both, return_exceptions=True)
    assert sum(isinstance(result, InvalidTicket) for result in results) == 4


async def test_by_ticket_after_half_a_minute_is_refused(auth: Auth, anna: Login, clock: ManualClock) -> None:
    buyer = await auth.authenticator.by_token(anna.grant.access_token)
    early, late = await auth.tickets.issue(buyer), await auth.tickets.issue(buyer)
    clock.advance(29)
    await auth.authenticator.by_ticket(early)
    clock.advance(1)
    with pytest.raises(InvalidTicket):
        await auth.authenticator.by_ticket(late)


async def test_by_ticket_of_a_guest(auth: Auth) -> None:
    guest = auth.sessions.guest()
    ticket = await auth.tickets.issue(await auth.authenticator.by_token(guest.access_token))
    principal, _ = await auth.authenticator.by_ticket(ticket)
    assert (principal.user_id, principal.is_guest) == (guest.id, True)


async def test_by_ticket_of_a_session_that_ended_is_refused(auth: Auth, anna: Login) -> None:
    ticket = await auth.tickets.issue(await auth.authenticator.by_token(anna.grant.access_token))
    await auth.sessions.logout(anna.account.id, anna.grant.session_id, CLIENT)
    with pytest.raises(InvalidToken):
        await auth.authenticator.by_ticket(ticket)


@pytest.mark.parametrize("ticket", ["", "unknown", "\ud800"])
async def test_by_ticket_unknown_one_is_refused(auth: Auth, ticket: str) -> None:
    with pytest.raises(InvalidTicket):
        await auth.authenticator.by_ticket(ticket)
