"""Accounts as others see them: asked for often, changed seldom, and so kept in the cache for a moment."""

import contextlib
from typing import Final

import msgspec
from msgspec import structs

from rhythmd.ports import AccountStore, Cache, StoreUnavailable
from rhythmd.rows import Account, AccountChanges, fold

__all__ = ["PublicAccounts"]

KEPT_S: Final = 5.0


def _key(usertag: str) -> str:
    return f"account:{fold(usertag)}"


class PublicAccounts:
    """Looks accounts up for showing them. What somebody may do is decided by what the store has, never by this.

    A change through `update` is seen at once by all servers on one cache. One past it, such as the operator's at the
    command line, is seen within `KEPT_S`.

    Args:
        accounts: of the store.
        cache: shared, if several servers stand behind one address.
    """

    def __init__(self, accounts: AccountStore, cache: Cache) -> None:
        self._accounts = accounts
        self._cache = cache
        self._decoder = msgspec.msgpack.Decoder(Account)
        self._encoder = msgspec.msgpack.Encoder()
        self._updates = 0

    async def find(self, usertag: str) -> Account | None:
        """The account without its address, its password and the reason of a ban."""
        kept = await self._cache.get(_key(usertag))
        if kept is not None:
            return self._decoder.decode(kept)
        updates = self._updates
        account = await self._accounts.by_usertag(usertag)
        if account is None:
            return None
        shown = structs.replace(account, email=None, password_hash=None, ban_reason="")
        if updates == self._updates:  # Otherwise this may be how it was before.
            with contextlib.suppress(StoreUnavailable):
                await self._cache.set(_key(usertag), self._encoder.encode(shown), KEPT_S)
        return shown

    async def update(self, user_id: str, changes: AccountChanges) -> Account:
        """The whole account as it is after the change. Raises as `AccountStore.update`."""
        account = await self._accounts.update(user_id, changes)
        self._updates += 1
        with contextlib.suppress(StoreUnavailable):  # Then it may be seen as it was, for `KEPT_S`.
            await self._cache.delete(_key(account.usertag))
        return account
