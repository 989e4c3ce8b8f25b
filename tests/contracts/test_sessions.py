"""What a SessionStore owes."""

import asyncio
from collections import Counter

import pytest
from msgspec import structs

from rhythmd.ports import Conflict, NotFound, Store
from rhythmd.rows import Account, AccountChanges, LoginSession, RotationOutcome
from tests.contracts.rows import DAY, NOW, make_account, make_session, token
from tests.contracts.texts import AWKWARD_TEXTS


async def add_account(store: Store) -> Account:
    account = make_account()
    await store.accounts.create(account)
    return account


async def add_session(store: Store, text: str = "first", **fields: object) -> LoginSession:
    session = make_session(await add_account(store), text, **fields)
    await store.sessions.create(session)
    return session


async def test_create_keeps_every_field(store: Store) -> None:
    session = await add_session(
        store, user_agent="Tests/1.0", address="2001:db8::1", last_used=NOW + 1, browser="b" * 22
    )
    assert await store.sessions.get(session.id, NOW) == session


async def test_create_for_unknown_user_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.sessions.create(make_session(make_account()))


async def test_create_same_token_conflicts(store: Store) -> None:
    await add_session(store, "same")
    account = await add_account(store)
    with pytest.raises(Conflict) as conflict:
        await store.sessions.create(make_session(account, "same"))
    assert conflict.value.field == "token_hash"


async def test_get_expired_is_none(store: Store) -> None:
    session = await add_session(store, expires=NOW + 10)
    assert await store.sessions.get(session.id, NOW + 9) == session
    assert await store.sessions.get(session.id, NOW + 10) is None


async def test_with_account_finds_each_by_itself(store: Store) -> None:
    account = await add_account(store)
    session = make_session(account)
    await store.sessions.create(session)
    assert await store.sessions.with_account(session.id, account.id, NOW) == (session, account)
    assert await store.sessions.with_account("nobody's", account.id, NOW) == (None, account)
    assert await store.sessions.with_account(session.id, "nobody", NOW) == (session, None)
    await store.sessions.revoke(account.id, session.id, NOW)
    assert await store.sessions.with_account(session.id, account.id, NOW) == (None, account)


async def test_user_agent_comes_back_as_it_was(store: Store) -> None:
    for text in AWKWARD_TEXTS:
        session = await add_session(store, text, user_agent=text)
        assert await store.sessions.get(session.id, NOW) == session


async def test_rotate_exchanges_the_token(store: Store) -> None:
    session = await add_session(store)
    rotation = await store.sessions.rotate(token("first"), token("second"), NOW + 5, NOW + 5 + DAY)
    expected = structs.replace(session, token_hash=token("second"), last_used=NOW + 5, expires=NOW + 5 + DAY)
    assert (rotation.outcome, rotation.session) == (RotationOutcome.ROTATED, expected)
    assert await store.sessions.get(session.id, NOW) == expected


async def test_rotate_unknown_token(store: Store) -> None:
    await add_session(store)
    rotation = await store.sessions.rotate(token("other"), token("second"), NOW, NOW + DAY)
    assert (rotation.outcome, rotation.session) == (RotationOutcome.UNKNOWN, None)


async def test_rotate_expired_token_is_unknown(store: Store) -> None:
    await add_session(store, expires=NOW + 10)
    rotation = await store.sessions.rotate(token("first"), token("second"), NOW + 10, NOW + DAY)
    assert rotation.outcome is RotationOutcome.UNKNOWN


async def test_rotate_revoked_token_is_unknown(store: Store) -> None:
    session = await add_session(store)
    await store.sessions.revoke(session.user_id, session.id, NOW)
    rotation = await store.sessions.rotate(token("first"), token("second"), NOW, NOW + DAY)
    assert rotation.outcome is RotationOutcome.UNKNOWN


@pytest.mark.parametrize("replayed", ["t0", "t1", "t2"])
async def test_rotate_used_token_revokes_the_session(store: Store, replayed: str) -> None:
    session = await add_session(store, "t0")
    for step in range(3):
        await store.sessions.rotate(token(f"t{step}"), token(f"t{step + 1}"), NOW + step, NOW + DAY)
    rotation = await store.sessions.rotate(token(replayed), token("stolen"), NOW + 7, NOW + DAY)
    assert rotation.outcome is RotationOutcome.REPLAYED
    assert rotation.session is not None
    assert (rotation.session.id, rotation.session.revoked) == (session.id, NOW + 7)
    assert await store.sessions.get(session.id, NOW) is None
    for good_before in ("t3", "stolen"):
        rotation = await store.sessions.rotate(token(good_before), token("next"), NOW + 8, NOW + DAY)
        assert rotation.outcome is RotationOutcome.UNKNOWN


async def test_rotate_replay_again_keeps_the_first_revocation(store: Store) -> None:
    await add_session(store)
    await store.sessions.rotate(token("first"), token("second"), NOW, NOW + DAY)
    for now in (NOW + 1, NOW + 2):
        rotation = await store.sessions.rotate(token("first"), token("third"), now, NOW + DAY)
        assert rotation.session is not None
        assert rotation.session.revoked == NOW + 1


async def test_rotate_replay_leaves_other_sessions(store: Store) -> None:
    session = await add_session(store)
    other = structs.replace(make_session(make_account(), "other"), user_id=session.user_id)
    await store.sessions.create(other)
    await store.sessions.rotate(token("first"), token("second"), NOW, NOW + DAY)
    await store.sessions.rotate(token("first"), token("third"), NOW, NOW + DAY)
    assert await store.sessions.get(other.id, NOW) == other


async def test_rotate_one_token_at_once_gives_one_winner(store: Store) -> None:
    session = await add_session(store)
    tries = (store.sessions.rotate(token("first"), token(f"next{n}"), NOW, NOW + DAY) for n in range(20))
    outcomes = Counter(rotation.outcome for rotation in await asyncio.gather(*tries))
    assert outcomes == {RotationOutcome.ROTATED: 1, RotationOutcome.REPLAYED: 19}
    assert await store.sessions.get(session.id, NOW) is None


async def test_rotate_and_revoke_at_once_is_no_replay(store: Store) -> None:
    for n in range(10):
        session = await add_session(store, f"a{n}")
        rotation, ended = await asyncio.gather(
            store.sessions.rotate(token(f"a{n}"), token(f"b{n}"), NOW, NOW + DAY),
            store.sessions.revoke(session.user_id, session.id, NOW),
        )
        assert ended
        assert rotation.outcome is not RotationOutcome.REPLAYED
        assert await store.sessions.get(session.id, NOW) is None


async def test_page_shows_live_sessions_newest_first(store: Store) -> None:
    account = await add_account(store)
    sessions = [make_session(account, created=NOW + n) for n in range(4)]
    sessions.append(make_session(account, expires=NOW))
    for session in sessions:
        await store.sessions.create(session)
    await add_session(store, "somebody else's")
    await store.sessions.revoke(account.id, sessions[2].id, NOW)
    page = await store.sessions.page(account.id, NOW, 10)
    assert page.items == [sessions[3], sessions[1], sessions[0]]
    assert page.next is None


async def test_revoke_only_once_and_only_ones_own(store: Store) -> None:
    session = await add_session(store)
    stranger = await add_account(store)
    assert not await store.sessions.revoke(stranger.id, session.id, NOW)
    assert await store.sessions.get(session.id, NOW) == session
    assert await store.sessions.revoke(session.user_id, session.id, NOW)
    assert not await store.sessions.revoke(session.user_id, session.id, NOW)
    assert not await store.sessions.revoke(session.user_id, "unknown", NOW)


@pytest.mark.parametrize("kept", [True, False])
async def test_revoke_all_but_one(store: Store, kept: bool) -> None:
    account = await add_account(store)
    sessions = [make_session(account) for _ in range(4)]
    for session in sessions:
        await store.sessions.create(session)
    other = await add_session(store, "somebody else's")
    await store.sessions.revoke(account.id, sessions[3].id, NOW)
    ended = await store.sessions.revoke_all(account.id, NOW, keep=sessions[0].id if kept else None)
    assert set(ended) == {session.id for session in sessions[1 if kept else 0 : 3]}
    page = await store.sessions.page(account.id, NOW, 10)
    assert page.items == ([sessions[0]] if kept else [])
    assert await store.sessions.get(other.id, NOW) == other


async def test_revoked_tells_which_of_many(store: Store) -> None:
    ended, alive, expired = (
        await add_session(store, "one"), await add_session(store, "two"), await add_session(store, "three", expires=NOW)
    )  # fmt: skip
    await store.sessions.revoke(ended.user_id, ended.id, NOW)
    asked = [ended.id, alive.id, expired.id, "nobody's"]
    assert sorted(await store.sessions.revoked(asked)) == sorted([ended.id, "nobody's"])
    assert await store.sessions.revoked([alive.id]) == []
    assert await store.sessions.revoked([]) == []


async def test_revoked_takes_any_text_for_an_id(store: Store) -> None:
    session = await add_session(store)
    await store.sessions.revoke(session.user_id, session.id, NOW)
    asked = [*AWKWARD_TEXTS, session.id]
    assert sorted(await store.sessions.revoked(asked)) == sorted(asked)


async def test_of_banned_finds_what_ended_of_users_who_are_banned_now(store: Store) -> None:
    sessions = [await add_session(store, text) for text in ("banned", "was banned", "logged out", "stays")]
    for session, until in zip(sessions, (NOW + DAY, NOW - 1, None, NOW + DAY), strict=True):
        await store.accounts.update(session.user_id, AccountChanges(updated=NOW, banned_until=until))
    for session in sessions[:3]:
        await store.sessions.revoke_all(session.user_id, NOW)
    (found,) = await store.sessions.of_banned(NOW - 1, NOW)
    assert found == structs.replace(sessions[0], revoked=NOW)
    assert await store.sessions.of_banned(NOW, NOW) == []
    assert await store.sessions.of_banned(NOW - 1, NOW + DAY) == []


async def test_trim_leaves_those_that_were_used_last(store: Store) -> None:
    account = await add_account(store)
    sessions = [make_session(account, last_used=NOW - number) for number in range(5)]
    for session in sessions:
        await store.sessions.create(session)
    other = await add_session(store, "somebody else's")
    await store.sessions.revoke(account.id, sessions[0].id, NOW)
    assert await store.sessions.trim(account.id, 5, NOW) == []
    assert await store.sessions.trim(account.id, 4, NOW) == [], "the ended one goes first"
    assert set(await store.sessions.trim(account.id, 2, NOW)) == {sessions[3].id, sessions[4].id}
    page = await store.sessions.page(account.id, NOW, 10)
    assert {session.id for session in page.items} == {sessions[1].id, sessions[2].id}
    assert await store.sessions.get(other.id, NOW) == other


async def test_of_muted_finds_all_logins_of_users_who_are_muted_now(store: Store) -> None:
    sessions = [await add_session(store, text) for text in ("muted", "left", "was muted", "never")]
    for session, until in zip(sessions, (NOW + DAY, NOW + DAY, NOW - 1, None), strict=True):
        changes = AccountChanges(updated=NOW, muted_until=until, muted_since=None if until is None else NOW - 7)
        await store.accounts.update(session.user_id, changes)
    await store.sessions.revoke_all(sessions[1].user_id, NOW)
    found = await store.sessions.of_muted(NOW - 8, NOW)
    assert {(session.id, since) for session, since in found} == {(session.id, NOW - 7) for session in sessions[:2]}
    assert await store.sessions.of_muted(NOW - 7, NOW) == []
    assert await store.sessions.of_muted(NOW - 8, NOW + DAY) == []
