"""All of the authentication, built from the configuration and the ports."""

import asyncio
import contextlib
from pathlib import Path
from typing import Final

from rhythmd.auth.accounts import Accounts
from rhythmd.auth.auditor import Auditor
from rhythmd.auth.authenticator import Authenticator
from rhythmd.auth.external import External
from rhythmd.auth.keys import KeyFile, Keys, SecretKeys, follow_key_file
from rhythmd.auth.lockout import Lockout, LockoutPolicy
from rhythmd.auth.moderation import Moderation
from rhythmd.auth.notices import ChangeNotifier, Mailer
from rhythmd.auth.oauth import OAuthClient
from rhythmd.auth.passwords import Argon2Hasher, Hasher, Passwords
from rhythmd.auth.providers import providers
from rhythmd.auth.public_accounts import PublicAccounts
from rhythmd.auth.sessions import Sessions
from rhythmd.auth.tickets import Tickets
from rhythmd.auth.tokens import LEEWAY_S, AccessTokens
from rhythmd.auth.traces import Traces
from rhythmd.auth.values import Clock
from rhythmd.clock import server_ms, unix_ms
from rhythmd.config import AuthConfig, RoomsConfig
from rhythmd.ports import Cache, Store

__all__ = ["Auth", "load_keys"]

KEY_FILE: Final = "token-keys.json"
ROOMS: Final = RoomsConfig()


def load_keys(config: AuthConfig, data_dir: Path, clock: Clock = unix_ms) -> KeyFile | SecretKeys:
    """The keys that the configuration asks for. Blocks. Raises ConfigError."""
    if config.algorithm == "HS256":
        return SecretKeys(config.secret, config.previous_secret)
    lifetime_ms = (config.access_minutes * 60 + LEEWAY_S) * 1_000
    return KeyFile(data_dir / KEY_FILE, lifetime_ms, clock)


def _lockout(config: AuthConfig, clock: Clock) -> Lockout:
    return Lockout(
        LockoutPolicy(config.pair_failures, config.lock_first_s, config.lock_max_s),
        LockoutPolicy(config.address_failures, config.lock_first_s, config.lock_max_s),
        LockoutPolicy(config.account_failures, config.lock_first_s, config.account_lock_max_s),
        config.lock_entries,
        clock,
    )


class Auth:
    """The services; each is an attribute.

    Args:
        config: the `auth` section.
        keys: from `load_keys`.
        store: started or not.
        cache: for tickets, logins under way and accounts as others see them.
        mailer: for notices to users.
        hasher: of passwords.
        clock: Unix ms.
        steady_clock: ms, never backwards.
    """

    def __init__(
        self,
        config: AuthConfig,
        keys: Keys,
        store: Store,
        cache: Cache,
        mailer: Mailer,
        *,
        rooms: RoomsConfig = ROOMS,
        hasher: Hasher | None = None,
        clock: Clock = unix_ms,
        steady_clock: Clock = server_ms,
    ) -> None:
        self._keys = keys
        self._http = OAuthClient(config.oauth_timeout_s)
        self._following: asyncio.Task[None] | None = None
        self.passwords = Passwords(hasher or Argon2Hasher(), config.password_threads, config.password_queue)
        # Apart, so that guessing the password of a room keeps nobody from logging in.
        self.room_passwords = Passwords(hasher or Argon2Hasher(), 1, config.password_queue)
        self.auditor = Auditor(store.audit, config.audit_days, config.audit_queue, config.audit_per_day, clock)
        self.notifier = ChangeNotifier()
        self.tickets = Tickets(cache)
        tokens = AccessTokens(keys, config.issuer, config.audience, config.access_minutes, clock)
        self.authenticator = Authenticator(store, tokens, self.tickets, clock)
        self.traces = Traces(store, rooms, clock)
        self.sessions = Sessions(store, tokens, config, self.auditor, self.notifier, self.traces, clock)
        lockout = _lockout(config, steady_clock)
        self.accounts = Accounts(
            store, self.passwords, lockout, self.sessions, self.auditor, mailer, self.traces, clock
        )
        self.public_accounts = PublicAccounts(store.accounts, cache)
        self.moderation = Moderation(
            store, self.public_accounts, self.sessions, self.auditor, self.notifier, self.traces, clock
        )
        self.external = External(
            store, cache, providers(config), self._http, self.sessions, self.auditor, self.traces, clock
        )

    def start(self) -> None:
        """Begin the work beside the requests. Needs a running event loop."""
        self.auditor.start()
        if isinstance(self._keys, KeyFile):
            self._following = asyncio.create_task(follow_key_file(self._keys), name="key file")

    async def stop(self, timeout_s: float) -> None:
        """Finish, with at most `timeout_s` for the audit. The store is closed after this."""
        if self._following is not None:
            self._following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._following
        await self.auditor.stop(timeout_s)
        await self._http.close()
        self.passwords.close()
        self.room_passwords.close()
