"""Sessions: opened by a login, kept alive by refresh tokens, ended one by one or all at once."""

from typing import Final

from rhythmd.addresses import customer_network
from rhythmd.auth.auditor import Auditor, AuthAction
from rhythmd.auth.errors import Banned, InvalidRefreshToken, InvalidToken, Unknown
from rhythmd.auth.notices import ChangeNotifier
from rhythmd.auth.secret import digest, new_id, new_secret
from rhythmd.auth.tokens import AccessTokens
from rhythmd.auth.traces import Traces
from rhythmd.auth.values import Client, Clock, Grant, Guest, Login
from rhythmd.config import AuthConfig
from rhythmd.ports import Store
from rhythmd.rows import Account, LoginSession, Page, RotationOutcome

__all__ = ["Sessions", "check_ban"]

DAY_MS: Final = 86_400_000
ADDRESS_PAGE: Final = 100


def check_ban(account: Account, now: int) -> None:
    """Raise Banned while the account is (`now` in Unix ms)."""
    if account.banned_until is not None and account.banned_until > now:
        raise Banned(account.banned_until, account.ban_reason)


class Sessions:
    """Opens, refreshes, lists and ends login sessions, and gives guests their tokens.

    Args:
        store: of accounts and sessions.
        tokens: that give out access tokens.
        config: says how long a session lives without being used, and how many an account may have.
        auditor: hears of every end.
        notifier: told of every end.
        traces: of banned users, who may come back with a new account.
        clock: Unix ms.
    """

    def __init__(
        self,
        store: Store,
        tokens: AccessTokens,
        config: AuthConfig,
        auditor: Auditor,
        notifier: ChangeNotifier,
        traces: Traces,
        clock: Clock,
    ) -> None:
        self._traces = traces
        self._store = store
        self._tokens = tokens
        self._lifetime_ms = config.refresh_days * DAY_MS
        self._most = config.sessions_per_account
        self._auditor = auditor
        self._notifier = notifier
        self._clock = clock

    async def open(self, account: Account, client: Client) -> Login:
        """Begin a session of one who has proved to be that account's user.

        The account is read again once the session is there: a ban or a new password that comes in between finds the
        session and ends it, or is found here.

        Raises:
            Banned: the account is, or it is new and traces lead to one that is.
            Unknown: it is gone, or its password is another one than in `account`.
        """
        check_ban(account, self._clock())
        await self._traces.check(client, account.created)
        refresh, now = new_secret(), self._clock()
        session = LoginSession(
            id=new_id(),
            user_id=account.id,
            token_hash=digest(refresh),
            created=now,
            last_used=now,
            expires=now + self._lifetime_ms,
            user_agent=client.agent,
            address=client.address,
            browser=client.browser,
        )
        await self._store.sessions.create(session)
        try:
            fresh = await self._unchanged(account)
        except (Banned, Unknown):
            await self._store.sessions.revoke(account.id, session.id, now)
            raise
        self._auditor.record(AuthAction.LOGIN, actor=account.id, target=account.id, client=client)
        surplus = await self._store.sessions.trim(account.id, self._most, now)
        if surplus:
            self._notifier.sessions_ended(account.id, surplus)
        return Login(account=fresh, grant=self._grant(fresh, session, refresh))

    async def _unchanged(self, account: Account) -> Account:
        fresh = await self._store.accounts.get(account.id)
        if fresh is None or fresh.password_hash != account.password_hash:
            raise Unknown("account")
        check_ban(fresh, self._clock())
        return fresh

    def _grant(self, account: Account, session: LoginSession, refresh: str) -> Grant:
        access, access_expires = self._tokens.issue(account.id, session.id, account.roles)
        return Grant(
            session_id=session.id,
            access_token=access,
            access_expires=access_expires,
            refresh_token=refresh,
            refresh_expires=session.expires,
        )

    async def refresh(self, refresh_token: str, client: Client) -> Login:
        """Exchange a refresh token for the next one and an access token.

        A token works once. The second time ends the session, even when both came from the same browser: the server
        cannot know which of the two holders is the thief (RFC 9700, 4.14.2).

        Raises:
            InvalidRefreshToken: never given out, used before, expired or revoked.
            Banned: the account is; the session has ended.
        """
        now, following = self._clock(), new_secret()
        rotation = await self._store.sessions.rotate(
            digest(refresh_token), digest(following), now, now + self._lifetime_ms
        )
        session = rotation.session
        if session is None:
            raise InvalidRefreshToken
        if rotation.outcome is RotationOutcome.REPLAYED:
            self._ended(AuthAction.REFRESH_REPLAYED, session.user_id, session.id, client)
            raise InvalidRefreshToken
        account = await self._store.accounts.get(session.user_id)
        if account is None:
            raise InvalidRefreshToken
        await self._refuse_banned(account, session, now)
        return Login(account=account, grant=self._grant(account, session, following))

    async def _refuse_banned(self, account: Account, session: LoginSession, now: int) -> None:
        try:
            check_ban(account, now)
        except Banned:
            await self._store.sessions.revoke(account.id, session.id, now)
            self._notifier.sessions_ended(account.id, [session.id])
            raise

    def guest(self, previous_token: str | None = None) -> Guest:
        """An access token for somebody without an account.

        Args:
            previous_token: who shows one of a guest that is still good stays that guest.
        """
        guest_id, session_id = self._known_guest(previous_token) or (f"guest-{new_id()}", new_id())
        token, expires = self._tokens.issue(guest_id, session_id, None)
        return Guest(id=guest_id, access_token=token, access_expires=expires)

    def _known_guest(self, token: str | None) -> tuple[str, str] | None:
        try:
            claims = self._tokens.verify(token or "")
        except InvalidToken:
            return None
        return (claims.sub, claims.sid) if claims.is_guest else None

    async def page(self, user_id: str, limit: int, cursor: str | None = None) -> Page[LoginSession]:
        """The user's sessions, newest first. Raises rhythmd.ports.InvalidCursor."""
        return await self._store.sessions.page(user_id, self._clock(), limit, cursor)

    async def logout(self, user_id: str, session_id: str, client: Client) -> None:
        """End a session; nothing happens when it has ended before."""
        if await self._store.sessions.revoke(user_id, session_id, self._clock()):
            self._ended(AuthAction.LOGOUT, user_id, session_id, client)

    async def revoke(self, user_id: str, session_id: str, client: Client) -> None:
        """End one of the user's sessions. Raises Unknown."""
        if not await self._store.sessions.revoke(user_id, session_id, self._clock()):
            raise Unknown("session")
        self._ended(AuthAction.SESSION_REVOKED, user_id, session_id, client)

    async def revoke_all(self, user_id: str, keep: str | None = None) -> int:
        """End the user's sessions, but for `keep`; how many that were."""
        ended = await self._store.sessions.revoke_all(user_id, self._clock(), keep)
        self._notifier.sessions_ended(user_id, ended)
        return len(ended)

    def _ended(self, action: AuthAction, user_id: str, session_id: str, client: Client) -> None:
        self._notifier.sessions_ended(user_id, [session_id])
        self._auditor.record(action, actor=user_id, target=user_id, client=client, session=session_id)

    async def is_in_use_from(self, user_id: str, address: str) -> bool:
        """Whether one of the user's newest sessions began at that address."""
        page = await self._store.sessions.page(user_id, self._clock(), ADDRESS_PAGE)
        return any(customer_network(session.address) == customer_network(address) for session in page.items)
