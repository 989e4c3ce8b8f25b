"""Logging in through another site, and linking an account here to one there.

An account here is never joined to an identity there because both have the same e-mail address, verified or not:
whoever has a mailbox now need not be who made the account. If the account here has proved that the address is its own,
LoginAndLink is the answer: the user logs in here and links the identity. If it has only claimed it, the address is not
its own, and whoever proves it gets another account: nobody keeps the owner of a mailbox out by typing its address,
nobody gets into another's account, and nobody learns from their claim that the owner has come. An address that the
provider has not verified is not looked at at all.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

from rhythmd.auth.auditor import Auditor, AuthAction
from rhythmd.auth.errors import (
    AlreadyLinked,
    CodeRefused,
    ConsentDenied,
    IdentityTaken,
    InvalidState,
    LastLogin,
    LoginAndLink,
    ProviderUnavailable,
    Taken,
    Unknown,
    UnknownProvider,
)
from rhythmd.auth.names import derive_usertag, is_email, with_suffix
from rhythmd.auth.oauth import OAuthClient, authorize_url
from rhythmd.auth.providers import ExternalProfile, Provider
from rhythmd.auth.secret import digest, new_id, new_secret
from rhythmd.auth.sessions import Sessions
from rhythmd.auth.traces import Traces
from rhythmd.auth.values import Client, Clock, Login, Principal
from rhythmd.names.rule import presentable
from rhythmd.ports import Cache, Conflict, LastIdentity, Store
from rhythmd.rows import Account, ExternalIdentity

__all__ = ["Callback", "External"]

STATE_S: Final = 600.0
USERTAG_ATTEMPTS: Final = 20
NAME_LENGTH: Final = 64
DENIED: Final = "access_denied"


class Callback(Struct, frozen=True):
    """The values that the provider put into the query of the redirect (RFC 6749, 4.1.2)."""

    state: str = ""
    code: str = ""
    error: str = ""


class _State(Struct, frozen=True, kw_only=True):
    """A login under way. `user_id` and `session_id` are of the user who links, None for a login."""

    provider: str
    browser: bytes
    verifier: str
    redirect_uri: str
    user_id: str | None = None
    session_id: str | None = None


def _key(state: str) -> str:
    return f"oauth:{digest(state).hex()}"


class External:
    """Logs in through other sites (OAuth 2 providers), and links and unlinks accounts there.

    Args:
        store: of accounts, identities and sessions.
        cache: that keeps logins under way; shared, if several servers stand behind one address.
        table: providers by name.
        http: that talks to them.
        sessions: that a login opens.
        auditor: hears of accounts made, linked and unlinked.
        traces: of banned users, who may want another account.
        clock: Unix ms.
    """

    def __init__(
        self,
        store: Store,
        cache: Cache,
        table: Mapping[str, Provider],
        http: OAuthClient,
        sessions: Sessions,
        auditor: Auditor,
        traces: Traces,
        clock: Clock,
    ) -> None:
        self._traces = traces
        self._store = store
        self._cache = cache
        self._table = table
        self._http = http
        self._sessions = sessions
        self._auditor = auditor
        self._clock = clock

    @property
    def titles(self) -> dict[str, str]:
        """The configured providers: name -> title for people."""
        return {name: provider.title for name, provider in self._table.items()}

    async def begin(self, provider: str, browser: str, redirect_uri: str, linker: Principal | None = None) -> str:
        """The URL at the provider to send the browser to.

        Args:
            provider: its name.
            browser: a secret that only this browser has (an HttpOnly cookie); `finish` wants the same one.
            redirect_uri: our callback's URL as the provider knows it. From the configuration, never from a request.
            linker: the member who wants to link an identity; None for a login.

        Raises:
            UnknownProvider: not in the table, or not configured.
        """
        row = self._provider(provider)
        token = new_secret()
        state = _State(
            provider=provider,
            browser=digest(browser),
            verifier=new_secret(),
            redirect_uri=redirect_uri,
            user_id=linker.user_id if linker else None,
            session_id=linker.session_id if linker else None,
        )
        await self._cache.set(_key(token), msgspec.json.encode(state), STATE_S)
        return authorize_url(row, redirect_uri, token, state.verifier)

    def _provider(self, name: str) -> Provider:
        provider = self._table.get(name)
        if provider is None:
            raise UnknownProvider
        return provider

    async def finish(self, provider: str, browser: str, callback: Callback, client: Client) -> Login | ExternalIdentity:
        """A login, at the first time with a new account; or the identity that is linked now.

        Raises:
            UnknownProvider: not in the table, or not configured.
            InvalidState: unknown, too old, used before, of another provider or begun in another browser.
            ConsentDenied: the user said no there.
            CodeRefused, ProviderUnavailable, ProviderAnswer: what the provider said.
            LoginAndLink: an account here has proved that the verified e-mail address is its own.
            IdentityTaken, AlreadyLinked: it cannot be linked to this account.
            Taken: every usertag that was tried for a new account is another one's.
            Banned: the account is.
        """
        row = self._provider(provider)
        state = await self._take_state(provider, browser, callback.state)
        if callback.error:
            raise ConsentDenied if callback.error == DENIED else ProviderUnavailable
        if not callback.code:
            raise CodeRefused
        profile = await self._http.profile(row, callback.code, state.verifier, state.redirect_uri)
        if state.user_id is None:
            return await self._login(provider, profile, client)
        return await self._link(provider, profile, state.user_id, state.session_id or "", client)

    async def _take_state(self, provider: str, browser: str, token: str) -> _State:
        content = await self._cache.take(_key(token))
        if content is None:
            raise InvalidState
        state = msgspec.json.decode(content, type=_State)
        # Digests of random secrets: nothing to learn from how long the comparison takes.
        if state.provider != provider or state.browser != digest(browser):
            raise InvalidState
        return state

    async def _login(self, provider: str, profile: ExternalProfile, client: Client) -> Login:
        account = await self._find(provider, profile) or await self._register(provider, profile, client)
        return await self._sessions.open(account, client)

    async def _find(self, provider: str, profile: ExternalProfile) -> Account | None:
        identity = await self._store.identities.find(provider, profile.subject)
        return await self._store.accounts.get(identity.user_id) if identity else None

    async def _register(self, provider: str, profile: ExternalProfile, client: Client) -> Account:
        await self._traces.check(client)
        usertag = derive_usertag(profile.name)
        for _ in range(USERTAG_ATTEMPTS):
            try:
                return await self._create(provider, profile, usertag, client)
            except Conflict as conflict:
                # Of two first logins at once the other one made it; which field is in the way depends on the store.
                account = await self._find(provider, profile)
                if account is not None:
                    return account
                if conflict.field == "email":
                    raise LoginAndLink from conflict
                usertag = with_suffix(derive_usertag(profile.name))
        raise Taken("usertag")

    async def _create(self, provider: str, profile: ExternalProfile, usertag: str, client: Client) -> Account:
        """Raises rhythmd.ports.Conflict."""
        now = self._clock()
        email = profile.email if profile.email and is_email(profile.email) else None
        account = Account(
            id=new_id(),
            usertag=usertag,
            username=usertag,
            nickname=usertag,
            created=now,
            updated=now,
            email=email,
            email_verified=email is not None,
        )
        await self._store.accounts.create(account, self._identity(provider, profile, account.id))
        self._auditor.record(
            AuthAction.REGISTERED, actor=account.id, target=account.id, client=client, provider=provider
        )
        return account

    def _identity(self, provider: str, profile: ExternalProfile, user_id: str) -> ExternalIdentity:
        return ExternalIdentity(
            provider=provider,
            subject=profile.subject,
            user_id=user_id,
            name=presentable(profile.name[:NAME_LENGTH], ""),
            created=self._clock(),
        )

    async def _link(
        self, provider: str, profile: ExternalProfile, user_id: str, session_id: str, client: Client
    ) -> ExternalIdentity:
        if await self._store.sessions.get(session_id, self._clock()) is None:
            raise InvalidState  # Logged out in the meantime.
        identity = self._identity(provider, profile, user_id)
        try:
            await self._store.identities.link(identity)
        except Conflict as conflict:
            raise (IdentityTaken if conflict.field == "subject" else AlreadyLinked) from conflict
        self._auditor.record(
            AuthAction.IDENTITY_LINKED, actor=user_id, target=user_id, client=client, provider=provider
        )
        return identity

    async def identities(self, user_id: str) -> list[ExternalIdentity]:
        """The account's identities by provider."""
        return await self._store.identities.of_user(user_id)

    async def unlink(self, user_id: str, provider: str, client: Client) -> None:
        """Raises Unknown, or LastLogin when the account has no password and no other identity."""
        try:
            was_linked = await self._store.identities.unlink(user_id, provider)
        except LastIdentity:
            raise LastLogin from None
        if not was_linked:
            raise Unknown("identity")
        self._auditor.record(
            AuthAction.IDENTITY_UNLINKED, actor=user_id, target=user_id, client=client, provider=provider
        )
