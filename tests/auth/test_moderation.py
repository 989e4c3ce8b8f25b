"""The roles that may ban, mute and give roles, all of which counts at once."""

import pytest

from rhythmd.auth.errors import InvalidToken, NotPermitted, Unknown
from rhythmd.auth.service import Auth
from rhythmd.auth.values import Principal
from rhythmd.rows import FOREVER, Role
from tests.auth.parts import CLIENT, PASSWORD, ManualClock, Record

ADMIN, MODERATOR, MEMBER = frozenset({Role.ADMIN}), frozenset({Role.MODERATOR, Role.MEMBER}), frozenset({Role.MEMBER})


async def enter(auth: Auth, usertag: str, roles: frozenset[Role] = MEMBER) -> Principal:
    """Somebody who is logged in with these roles."""
    login = await auth.accounts.register(usertag, PASSWORD, None, CLIENT)
    await auth.moderation.set_roles(None, usertag, roles, CLIENT)
    return await auth.authenticator.by_token(login.grant.access_token)


async def test_ban_ends_all_sessions_and_tells_the_sockets(auth: Auth, record: Record, clock: ManualClock) -> None:
    moderator, anna = await enter(auth, "mod", MODERATOR), await enter(auth, "anna")
    banned = await auth.moderation.ban(moderator, "ANNA", 60, "noise", CLIENT)
    assert (banned.banned_until, banned.ban_reason) == (clock.now + 60_000, "noise")
    assert record.changed[-1] == banned
    assert record.ended == [anna.session_id]


async def test_ban_for_good_and_unban(auth: Auth) -> None:
    moderator, _ = await enter(auth, "mod", MODERATOR), await enter(auth, "anna")
    assert (await auth.moderation.ban(moderator, "anna", None, "", CLIENT)).banned_until == FOREVER
    assert (await auth.moderation.unban(moderator, "anna", CLIENT)).banned_until is None
    await auth.accounts.login("anna", PASSWORD, CLIENT)


async def test_mute_and_unmute_tell_the_sockets_and_end_nothing(auth: Auth, record: Record, clock: ManualClock) -> None:
    moderator, _ = await enter(auth, "mod", MODERATOR), await enter(auth, "anna")
    assert (await auth.moderation.mute(moderator, "anna", 30, CLIENT)).muted_until == clock.now + 30_000
    assert (await auth.moderation.unmute(moderator, "anna", CLIENT)).muted_until is None
    assert [account.muted_until for account in record.changed[-2:]] == [clock.now + 30_000, None]
    assert record.ended == []


@pytest.mark.parametrize(
    ("roles", "target"),
    [
        (MEMBER, MEMBER),
        (frozenset({Role.EDITOR}), MEMBER),
        (MODERATOR, MODERATOR),
        (MODERATOR, ADMIN),
        (ADMIN, ADMIN),
    ],
)
async def test_ban_and_mute_without_power_over_the_user_are_refused(
    auth: Auth, roles: frozenset[Role], target: frozenset[Role]
) -> None:
    by, _ = await enter(auth, "somebody", roles), await enter(auth, "anna", target)
    for attempt in (
        auth.moderation.ban(by, "anna", 60, "", CLIENT),
        auth.moderation.unban(by, "anna", CLIENT),
        auth.moderation.mute(by, "anna", 60, CLIENT),
        auth.moderation.unmute(by, "anna", CLIENT),
    ):
        with pytest.raises(NotPermitted):
            await attempt


async def test_ban_by_a_guest_is_refused(auth: Auth) -> None:
    await enter(auth, "anna")
    guest = await auth.authenticator.by_token(auth.sessions.guest().access_token)
    with pytest.raises(NotPermitted):
        await auth.moderation.ban(guest, "anna", 60, "", CLIENT)


async def test_ban_unknown_user_is_refused(auth: Auth) -> None:
    with pytest.raises(Unknown):
        await auth.moderation.ban(await enter(auth, "mod", MODERATOR), "nobody", 60, "", CLIENT)


async def test_set_roles_by_an_admin(auth: Auth, record: Record) -> None:
    admin, _ = await enter(auth, "root", ADMIN), await enter(auth, "anna")
    roles = frozenset({Role.MEMBER, Role.PRO, Role.EDITOR})
    assert (await auth.moderation.set_roles(admin, "anna", roles, CLIENT)).roles == roles
    assert record.changed[-1].roles == roles


async def test_set_roles_by_a_moderator_or_for_oneself_is_refused(auth: Auth) -> None:
    moderator, admin = await enter(auth, "mod", MODERATOR), await enter(auth, "root", ADMIN)
    await enter(auth, "anna")
    with pytest.raises(NotPermitted):
        await auth.moderation.set_roles(moderator, "anna", MODERATOR, CLIENT)
    with pytest.raises(NotPermitted):
        await auth.moderation.set_roles(admin, "root", MEMBER, CLIENT)


async def test_ban_by_a_moderator_who_is_none_any_more_is_refused(auth: Auth) -> None:
    login = await auth.accounts.register("mod", PASSWORD, None, CLIENT)
    await enter(auth, "anna")
    for roles, error in ((MODERATOR, None), (MEMBER, NotPermitted)):
        await auth.moderation.set_roles(None, "mod", roles, CLIENT)
        by = await auth.authenticator.by_token(login.grant.access_token)
        if error is None:
            await auth.moderation.ban(by, "anna", 60, "", CLIENT)
        else:
            with pytest.raises(error):
                await auth.moderation.unban(by, "anna", CLIENT)


async def test_by_token_of_a_banned_users_old_session_is_refused_after_the_ban(auth: Auth, clock: ManualClock) -> None:
    login = await auth.accounts.register("anna", PASSWORD, None, CLIENT)
    await auth.moderation.ban(None, "anna", 60, "", CLIENT)
    clock.advance(61)
    with pytest.raises(InvalidToken):
        await auth.authenticator.by_token(login.grant.access_token)


@pytest.mark.parametrize("act", ["ban", "mute"])
async def test_what_a_higher_rank_imposed_no_lower_one_lifts_or_changes(
    auth: Auth, clock: ManualClock, act: str
) -> None:
    admin, moderator, _ = (
        await enter(auth, "ada", ADMIN),
        await enter(auth, "mod", MODERATOR),
        await enter(auth, "anna"),
    )
    moderation = auth.moderation

    async def impose(by: Principal | None) -> None:
        if act == "ban":
            await moderation.ban(by, "anna", 60, "", CLIENT)
        else:
            await moderation.mute(by, "anna", 60, CLIENT)

    async def lift(by: Principal | None) -> None:
        await (moderation.unban if act == "ban" else moderation.unmute)(by, "anna", CLIENT)

    await impose(moderator)
    await impose(admin)
    for refused in (impose, lift):
        with pytest.raises(NotPermitted):
            await refused(moderator)
    await lift(admin)
    await impose(moderator)
    await lift(moderator)
    await impose(None)
    with pytest.raises(NotPermitted):
        await lift(admin)
    clock.advance(61)
    await impose(moderator)  # what the operator imposed is over
    await lift(moderator)
