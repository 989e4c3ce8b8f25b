"""Accounts, what they log in with, and their logins."""

from collections.abc import Sequence
from typing import Protocol

from rhythmd.rows import Account, AccountChanges, ExternalIdentity, LoginSession, Page, Rotation

__all__ = ["AccountStore", "ExternalIdentityStore", "SessionStore"]


class AccountStore(Protocol):
    """Accounts. Usertags and verified e-mail addresses are unique, whatever their case."""

    async def create(self, account: Account, identity: ExternalIdentity | None = None) -> None:
        """Add an account and, in the same step, the identity it was made from.

        Raises Conflict: `usertag`, `email` (if verified in both), `id`, or the identity's `subject`. Then neither is
        added.
        """

    async def get(self, user_id: str) -> Account | None: ...

    async def by_usertag(self, usertag: str) -> Account | None: ...

    async def by_email(self, email: str) -> Account | None:
        """The account that has verified this address."""

    async def update(self, user_id: str, changes: AccountChanges) -> Account:
        """The account as it is after the change. Raises NotFound, or Conflict (`usertag`, `email`)."""

    async def delete(self, user_id: str) -> bool:
        """Remove the account, its identities and its sessions; whether there was one."""

    async def page(self, limit: int, cursor: str | None = None) -> Page[Account]:
        """All accounts by creation. Raises InvalidCursor."""

    async def updated(self, user_ids: Sequence[str], since: int) -> list[Account]:
        """Those of these accounts that have changed after `since`, in any order."""

    async def shows_avatar(self, url: str) -> bool:
        """Whether any profile has this avatar, which is not empty."""


class ExternalIdentityStore(Protocol):
    """Which accounts of other sites log in to which account here: one of each site, each to one account."""

    async def link(self, identity: ExternalIdentity) -> None:
        """Raises NotFound, or Conflict (`provider`: it has one there, `subject`: another's)."""

    async def find(self, provider: str, subject: str) -> ExternalIdentity | None: ...

    async def of_user(self, user_id: str) -> list[ExternalIdentity]:
        """The account's identities by provider."""

    async def unlink(self, user_id: str, provider: str) -> bool:
        """Whether there was one. Raises LastIdentity, also for the second of two at once."""


class SessionStore(Protocol):
    """Logins, by the hash of the refresh token that is good for them."""

    async def create(self, session: LoginSession) -> None:
        """Raises NotFound if there is no such user, or Conflict (`id`, `token_hash`)."""

    async def get(self, session_id: str, now: int) -> LoginSession | None:
        """A session that is neither expired nor revoked."""

    async def with_account(self, session_id: str, user_id: str, now: int) -> tuple[LoginSession | None, Account | None]:
        """What `get` of both stores finds, in one query: every request with a login asks for both."""

    async def rotate(self, token_hash: bytes, new_hash: bytes, now: int, expires: int) -> Rotation:
        """Exchange the token for the next one, in one step: of two at once, one is ROTATED, one REPLAYED."""

    async def page(self, user_id: str, now: int, limit: int, cursor: str | None = None) -> Page[LoginSession]:
        """The user's sessions that are neither expired nor revoked. Raises InvalidCursor."""

    async def revoke(self, user_id: str, session_id: str, now: int) -> bool:
        """Whether this ended a session of that user."""

    async def revoke_all(self, user_id: str, now: int, keep: str | None = None) -> list[str]:
        """Revoke the user's sessions, but for `keep`; the ids of those that this ended."""

    async def trim(self, user_id: str, most: int, now: int) -> list[str]:
        """Delete the user's sessions but for the `most` that were used last, ended ones first; the ids of open ones."""

    async def of_banned(self, since: int, now: int) -> list[LoginSession]:
        """Sessions that ended after `since` whose users are banned at `now`, in any order: up to some thousands."""

    async def of_muted(self, since: int, now: int) -> list[tuple[LoginSession, int]]:
        """Sessions of users who were muted after `since` and still are at `now`, each with when that was.

        They are in any order, up to some thousands, and may be over.
        """

    async def revoked(self, session_ids: Sequence[str]) -> list[str]:
        """Those of these sessions that are revoked or not there any more, in any order."""
