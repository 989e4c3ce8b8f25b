"""Where the hub's ports meet the authentication: small adapters, built by `rhythmd.app`."""

from collections.abc import Sequence

from rhythm_protocol.close import USER_BANNED
from rhythm_protocol.errors import ErrorCode
from rhythmd.auth.authenticator import Authenticator
from rhythmd.auth.errors import Banned, Busy, InvalidTicket, InvalidToken, TokenExpired
from rhythmd.auth.passwords import Passwords
from rhythmd.auth.values import Principal, unix_ms
from rhythmd.errors import Refused
from rhythmd.hub.hub import Hub
from rhythmd.hub.identity import Credentials, Identity
from rhythmd.ports import StoreUnavailable
from rhythmd.rows import Account

__all__ = ["AccountWatcher", "RoomPasswords", "SocketAuthenticator"]


class SocketAuthenticator:
    """Implements `hub.identity.Authenticator`."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    async def identify(self, credentials: Credentials, address: str) -> Identity:
        try:
            return _identity(await self._principal(credentials))
        except TokenExpired as error:
            raise Refused(ErrorCode.LOGIN_EXPIRED, "this login has expired") from error
        except Banned as error:
            raise Refused(ErrorCode.USER_BANNED, "this account is banned") from error
        except (InvalidToken, InvalidTicket) as error:
            raise Refused(ErrorCode.LOGIN_INVALID, "this login is not good here") from error
        except StoreUnavailable as error:
            raise Refused(ErrorCode.UNAVAILABLE, "the server cannot reach its database, try again later") from error

    async def _principal(self, credentials: Credentials) -> Principal:
        if credentials.ticket is not None:
            principal, _ = await self._authenticator.by_ticket(credentials.ticket)
            return principal
        return await self._authenticator.by_token(credentials.token or "")


def _identity(principal: Principal) -> Identity:
    account = principal.account
    if account is None:
        return Identity(principal.user_id, principal.session_id, principal.expires / 1000, guest=True)
    return Identity(
        principal.user_id,
        principal.session_id,
        principal.expires / 1000,
        guest=False,
        name=account.nickname or account.username,
        colour=account.colour,
        status_text=account.status_text,
        roles=frozenset(account.roles),
        muted_until=(account.muted_until or 0) / 1000,
    )


class AccountWatcher:
    """Implements `auth.changes.Watcher`: what changes about a user reaches their sockets at once."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def sessions_ended(self, user_id: str, session_ids: Sequence[str]) -> None:
        self._hub.end_logins(session_ids)

    def account_changed(self, account: Account) -> None:
        if (account.banned_until or 0) > unix_ms():
            self._hub.end_user(account.id, USER_BANNED)
        else:
            self._hub.change_user(account.id, frozenset(account.roles), (account.muted_until or 0) / 1000)


class RoomPasswords:
    """Implements `hub.kept.PasswordHasher` with the pool that hashes users' passwords."""

    def __init__(self, passwords: Passwords) -> None:
        self._passwords = passwords

    async def hash(self, password: str) -> str:
        try:
            return await self._passwords.hash(password)
        except Busy as error:
            raise Refused(ErrorCode.UNAVAILABLE, "too many passwords at once, try again later") from error

    async def verify(self, hashed: str, password: str) -> bool:
        try:
            return (await self._passwords.verify(hashed, password)).matches
        except Busy as error:
            raise Refused(ErrorCode.UNAVAILABLE, "too many passwords at once, try again later") from error
