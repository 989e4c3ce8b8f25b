"""Roles, bans and mutes of accounts: who may set them for whom, and that they count at once."""

from contextlib import suppress
from typing import Final

from msgspec import UNSET, UnsetType

from rhythmd.auth.auditor import Auditor, AuthAction, Detail
from rhythmd.auth.errors import NotPermitted, Unknown
from rhythmd.auth.notices import ChangeNotifier
from rhythmd.auth.public_accounts import PublicAccounts
from rhythmd.auth.ranks import Act, Rank, may, rank_of
from rhythmd.auth.sessions import Sessions
from rhythmd.auth.traces import Traces
from rhythmd.auth.values import Client, Clock, Principal
from rhythmd.ports import NotFound, Store, StoreUnavailable
from rhythmd.rows import FOREVER, Account, AccountChanges, Role

__all__ = ["Moderation"]

NEWEST: Final = 100
"""Sessions of a user that are looked at for where they were."""


def _rank(by: Principal | None) -> Rank:
    return Rank.OPERATOR if by is None else rank_of(by.roles)


class Moderation:
    """Bans and mutes accounts, and sets their roles.

    `by` is the user who asks for it; None is the operator at the command line, who may do everything.

    Every method raises Unknown if there is no such user and NotPermitted if `by` may not.
    """

    def __init__(
        self,
        store: Store,
        public_accounts: PublicAccounts,
        sessions: Sessions,
        auditor: Auditor,
        notifier: ChangeNotifier,
        traces: Traces,
        clock: Clock,
    ) -> None:
        self._store = store
        self._public_accounts = public_accounts
        self._sessions = sessions
        self._auditor = auditor
        self._notifier = notifier
        self._traces = traces
        self._clock = clock

    async def ban(
        self, by: Principal | None, usertag: str, seconds: int | None, reason: str, client: Client
    ) -> Account:
        """No login for `seconds` (None: for good); all sessions end, and their networks are remembered."""
        until = self._until(seconds)
        account = await self.below(by, usertag)
        rank = self._require_lift(by, account.banned_until, account.ban_rank)
        sessions = await self._sessions.page(account.id, NEWEST)
        account = await self._change(account, banned_until=until, ban_reason=reason, ban_rank=rank)
        self._traces.learn_from(sessions.items, self._clock())
        self._record(AuthAction.BANNED, by, account, client, until=until, reason=reason)
        await self._sessions.revoke_all(account.id)
        with suppress(StoreUnavailable):  # the ban is written down; where else they were is learnt at the next start
            await self._traces.follow()
        return account

    async def unban(self, by: Principal | None, usertag: str, client: Client) -> Account:
        account = await self.below(by, usertag)
        self._require_lift(by, account.banned_until, account.ban_rank)
        account = await self._change(account, banned_until=None, ban_reason="", ban_rank=Rank.PLAYER)
        self._record(AuthAction.UNBANNED, by, account, client)
        return account

    async def mute(self, by: Principal | None, usertag: str, seconds: int | None, client: Client) -> Account:
        """No chat for `seconds` (None: for good), for guests and new accounts of their networks and browsers, too."""
        until = self._until(seconds)
        account = await self.below(by, usertag)
        rank = self._require_lift(by, account.muted_until, account.mute_rank)
        sessions = await self._sessions.page(account.id, NEWEST)
        since = self._clock()
        account = await self._change(account, muted_until=until, muted_since=since, mute_rank=rank)
        self._traces.learn_from(sessions.items, since)
        self._record(AuthAction.MUTED, by, account, client, until=until)
        return account

    async def unmute(self, by: Principal | None, usertag: str, client: Client) -> Account:
        account = await self.below(by, usertag)
        self._require_lift(by, account.muted_until, account.mute_rank)
        account = await self._change(account, muted_until=None, muted_since=None, mute_rank=Rank.PLAYER)
        self._record(AuthAction.UNMUTED, by, account, client)
        return account

    async def set_roles(self, by: Principal | None, usertag: str, roles: frozenset[Role], client: Client) -> Account:
        """Give exactly these roles. Only admins may, and not to themselves or to each other."""
        if by is not None and Role.ADMIN not in by.roles:
            raise NotPermitted("only admins give roles")
        before = await self.below(by, usertag)
        account = await self._change(before, roles=roles)
        self._record(AuthAction.ROLES_CHANGED, by, account, client, before=sorted(before.roles), after=sorted(roles))
        return account

    def _require_lift(self, by: Principal | None, until: int | None, imposed_by: int) -> Rank:
        """The rank of `by`, who may end or change what is in force until then, if it is. Raises NotPermitted."""
        rank = _rank(by)
        if (until or 0) > self._clock() and not may(rank, Act.LIFT, Rank(imposed_by)):
            raise NotPermitted("somebody of a higher rank has imposed this")
        return rank

    async def below(self, by: Principal | None, usertag: str) -> Account:
        """The account, if `by` has power over it; for what this does not do itself."""
        rank = _rank(by)
        if rank < Rank.MODERATOR:
            raise NotPermitted("only moderators may do that")
        account = await self._store.accounts.by_usertag(usertag)
        if account is None:
            raise Unknown("user")
        if not may(rank, Act.SANCTION, rank_of(account.roles)):
            raise NotPermitted("this user's roles are as high as yours")
        return account

    def _until(self, seconds: int | None) -> int:
        return FOREVER if seconds is None else min(self._clock() + seconds * 1_000, FOREVER)

    async def _change(
        self,
        account: Account,
        *,
        roles: frozenset[Role] | UnsetType = UNSET,
        banned_until: int | UnsetType | None = UNSET,
        ban_reason: str | UnsetType = UNSET,
        ban_rank: int | UnsetType = UNSET,
        muted_until: int | UnsetType | None = UNSET,
        muted_since: int | UnsetType | None = UNSET,
        mute_rank: int | UnsetType = UNSET,
    ) -> Account:
        changes = AccountChanges(
            updated=self._clock(),
            roles=roles,
            banned_until=banned_until,
            ban_reason=ban_reason,
            ban_rank=ban_rank,
            muted_until=muted_until,
            muted_since=muted_since,
            mute_rank=mute_rank,
        )
        try:
            changed = await self._public_accounts.update(account.id, changes)
        except NotFound:
            raise Unknown("user") from None
        self._notifier.account_changed(changed)
        return changed

    def _record(
        self, action: AuthAction, by: Principal | None, account: Account, client: Client, **details: Detail
    ) -> None:
        self._auditor.record(action, actor=by.user_id if by else None, target=account.id, client=client, **details)
