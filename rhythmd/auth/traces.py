"""Banned and muted users who come back without their account: known by their networks and browsers, for a while.

A trace is no proof: a class of thirty may have one address. It keeps out guests, and accounts that were made after the
ban, or mutes them as the account is; whoever had an account before is judged by that one. What is remembered here is
only a hint to ask the store, which knows whether the ban or mute still applies: lifting it takes effect at once, on
every server.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from rhythmd.addresses import customer_network, is_loopback
from rhythmd.auth.errors import BannedTrace
from rhythmd.auth.values import Client, Clock
from rhythmd.bounded import BoundedDict
from rhythmd.config import RoomsConfig
from rhythmd.ports import Store, StoreUnavailable
from rhythmd.rows import LoginSession

__all__ = ["TracedMute", "Traces"]

ENTRIES: Final = 50_000
USERS: Final = 8  # that one trace leads to
MINUTE_MS: Final = 60_000
DAY_MS: Final = 86_400_000


class TracedMute(NamedTuple):
    """The mute of an account, as it applies to others whom its traces lead to.

    Args:
        user_id: of the account.
        until: Unix seconds.
    """

    user_id: str
    until: float


class Traces:
    """Remembers where banned users were, and keeps out who comes from there without an account of before.

    Those of muted users it finds in the same way. The store has where they logged in; where they only were connected
    is known for as long as this server runs, and again when they come.

    Args:
        store: of accounts and sessions.
        rooms: says how long traces count, there and here.
        clock: Unix ms.
    """

    def __init__(self, store: Store, rooms: RoomsConfig, clock: Clock) -> None:
        self._store = store
        self._network_ms = round(rooms.ban_network_minutes * MINUTE_MS)
        self._browser_ms = round(rooms.ban_browser_days * DAY_MS)
        self._memory_ms = max(self._network_ms, self._browser_ms)
        self._clock = clock
        self._known: BoundedDict[str, dict[str, int]] = BoundedDict(
            ENTRIES
        )  # by trace: users, and since when (Unix ms)

    def __len__(self) -> int:
        return len(self._known)

    def learn(self, user_id: str, since: int, address: str, browser: str) -> None:
        """A user who is banned, or muted, since then (Unix ms) was there."""
        for trace, _ in self._traces(address, browser):
            users = self._known.get(trace) or {}
            users[user_id] = max(since, users.get(user_id, 0))
            if len(users) > USERS:
                del users[min(users, key=users.__getitem__)]
            self._known[trace] = users

    def notice(self, user_id: str, address: str, browser: str) -> None:
        """A user who was muted some time ago is there. What is known of them already is older, and stays."""
        for trace, _ in self._traces(address, browser):
            if user_id not in (self._known.get(trace) or {}):
                self.learn(user_id, self._clock(), address, browser)
                return

    def learn_from(self, sessions: Iterable[LoginSession], since: int | None = None) -> None:
        """The users of these sessions are banned, `since` a moment or since the session ended."""
        for session in sessions:
            self.learn(session.user_id, since or session.revoked or self._clock(), session.address, session.browser)

    async def follow(self, since: int | None = None) -> None:
        """Learn of all bans and mutes, or of those imposed after `since` (Unix ms). Raises StoreUnavailable.

        Somebody who logged out before the ban was somewhere, too.
        """
        now = self._clock()
        since = now - self._memory_ms if since is None else since
        self.learn_from(await self._store.sessions.of_banned(since, now))
        for session, muted_since in await self._store.sessions.of_muted(since, now):
            self.learn(session.user_id, muted_since, session.address, session.browser)

    async def check(self, client: Client, made: int | None = None) -> TracedMute | None:
        """Raise Banned if traces of a banned user lead to this client; the mute that they lead to, if one is.

        While the store is away nobody can tell whether a ban still applies, and all come in.

        Args:
            client: where they are.
            made: when the account was, Unix ms; None for a guest, or for an account that is to be made.
        """
        now, mute = self._clock(), None
        for trace, lasts_ms in self._traces(client.address, client.browser):
            for user_id, since in list((self._known.get(trace) or {}).items()):
                is_over = now - since >= lasts_ms
                if is_over or (made is not None and made <= since):
                    continue
                found = await self._ask(trace, user_id, now)
                if found is not None and (mute is None or found.until > mute.until):
                    mute = found
        return mute

    async def _ask(self, trace: str, user_id: str, now: int) -> TracedMute | None:
        """Raise Banned if the user still is; their mute. If there is neither, the trace leads to them no more."""
        try:
            account = await self._store.accounts.get(user_id)
        except StoreUnavailable:
            return None
        if account is not None and (account.banned_until or 0) > now:
            raise BannedTrace(account.banned_until or now)
        if account is not None and (account.muted_until or 0) > now:
            return TracedMute(user_id, (account.muted_until or 0) / 1_000)
        (self._known.get(trace) or {}).pop(user_id, None)
        return None

    def _traces(self, address: str, browser: str) -> list[tuple[str, int]]:
        """What one is known by, each with how long it counts (ms). Loopback, a whole machine's, does not."""
        found = []
        if address and self._network_ms and not is_loopback(address):
            found.append((f"network:{customer_network(address)}", self._network_ms))
        if browser and self._browser_ms:
            found.append((f"browser:{browser}", self._browser_ms))
        return found
