"""Accounts with a password: registered, logged in to, and given another password."""

from rhythmd.auth.auditor import Auditor, AuthAction
from rhythmd.auth.errors import Busy, Taken, Unknown, WrongCredentials
from rhythmd.auth.lockout import Attempt, Lockout
from rhythmd.auth.names import check_email, check_usertag, is_email, is_usertag
from rhythmd.auth.notices import Mail, Mailer
from rhythmd.auth.passwords import Passwords, check_password
from rhythmd.auth.secret import digest, new_id
from rhythmd.auth.sessions import Sessions
from rhythmd.auth.traces import Traces
from rhythmd.auth.values import Client, Clock, Login
from rhythmd.locks import KeyedLocks
from rhythmd.ports import Conflict, Store
from rhythmd.rows import Account, AccountChanges, fold

__all__ = ["Accounts"]


class Accounts:
    """Registers accounts with a password, logs in to them, and changes their passwords.

    Args:
        store: of accounts.
        passwords: that hash.
        lockout: that slows guessing down.
        sessions: that a login opens.
        auditor: hears of every login, failure and change.
        mailer: tells users what happened to their accounts.
        traces: of banned users, who may want another account.
        clock: Unix ms.
    """

    def __init__(
        self,
        store: Store,
        passwords: Passwords,
        lockout: Lockout,
        sessions: Sessions,
        auditor: Auditor,
        mailer: Mailer,
        traces: Traces,
        clock: Clock,
    ) -> None:
        self._traces = traces
        self._store = store
        self._passwords = passwords
        self._lockout = lockout
        self._sessions = sessions
        self._auditor = auditor
        self._mailer = mailer
        self._clock = clock
        self._password_writes = KeyedLocks()  # by account

    async def register(self, usertag: str, password: str, email: str | None, client: Client) -> Login:
        """Make an account and log in to it.

        Raises:
            InvalidField: `usertag`, `password` or `email`.
            Taken: `usertag`. An address is not compared with any other account's: that would tell who is here.
            Banned: traces lead to a banned user.
            Busy: try again later.
        """
        await self._traces.check(client)
        account = await self.create(usertag, password, email)
        self._auditor.record(AuthAction.REGISTERED, actor=account.id, target=account.id, client=client)
        return await self._sessions.open(account, client)

    async def create(self, usertag: str, password: str, email: str | None = None, *, verified: bool = False) -> Account:
        """Make an account.

        Args:
            usertag: that is free.
            password: as it was typed.
            email: an address, which any number of accounts may have given.
            verified: the address is the user's own: the account logs in with it, and no other one has verified it.

        Raises:
            InvalidField: `usertag`, `password` or `email`.
            Taken: `usertag`, or a verified `email`.
            Busy: try again later.
        """
        check_usertag(usertag)
        check_password(password)
        if email is not None:
            check_email(email)
        if await self._store.accounts.by_usertag(usertag):
            raise Taken("usertag")  # Before the work of hashing; the store has the last word.
        now, encoded = self._clock(), await self._passwords.hash(password)
        account = Account(
            id=new_id(),
            usertag=usertag,
            username=usertag,
            nickname=usertag,
            created=now,
            updated=now,
            email=email,
            email_verified=verified and email is not None,
            password_hash=encoded,
        )
        try:
            await self._store.accounts.create(account)
        except Conflict as conflict:
            raise Taken(conflict.field) from conflict
        return account

    async def login(self, identifier: str, password: str, client: Client) -> Login:
        """Open a session.

        Args:
            identifier: a usertag or an e-mail address that the account has verified, in any case.
            password: as it was typed.
            client: where the attempt comes from.

        Raises:
            WrongCredentials: no such user, no password, or another one: the same answer after the same work.
            LockedOut: too many failures; the password was not looked at.
            Banned: the password is right.
            Busy: try again later.
        """
        account = await self._find(identifier)
        # What was typed is counted, not the account: else a lock would tell which usertag an e-mail address belongs to.
        key = f"typed:{digest(fold(identifier)).hex()}"
        attempt = await self._begin(key, account.id if account else None, client)
        account = await self._verify(account, password, attempt, client)
        try:
            return await self._sessions.open(account, client)
        except Unknown:
            raise WrongCredentials from None  # Changed in the meantime.

    async def _find(self, identifier: str) -> Account | None:
        if is_email(identifier):
            return await self._store.accounts.by_email(identifier)
        return await self._store.accounts.by_usertag(identifier) if is_usertag(identifier) else None

    async def _begin(self, key: str, user_id: str | None, client: Client) -> Attempt:
        """Raises LockedOut."""
        is_under_attack = user_id is not None and self._lockout.is_under_attack(key)
        trusted = is_under_attack and await self._sessions.is_in_use_from(user_id or "", client.address)
        return self._lockout.begin(key, client.address, trusted=trusted)

    async def _verify(self, account: Account | None, password: str, attempt: Attempt, client: Client) -> Account:
        """The account, its hash renewed if it was an old one. Raises WrongCredentials, Busy."""
        try:
            verdict = await self._passwords.verify(account.password_hash if account else None, password)
        except Busy:
            attempt.withdraw()
            raise
        if account is None or not verdict.matches:
            self._auditor.record(AuthAction.LOGIN_FAILED, target=account.id if account else None, client=client)
            raise WrongCredentials
        attempt.succeed()
        return await self._renew(account, verdict.renewed) if verdict.renewed else account

    async def _renew(self, account: Account, encoded: str) -> Account:
        """Keep the same password under a newer hash, unless the password is another one by now."""
        async with self._password_writes.of(account.id):
            fresh = await self._store.accounts.get(account.id)
            if fresh is None or fresh.password_hash != account.password_hash:
                raise WrongCredentials
            return await self._store.accounts.update(
                account.id, AccountChanges(updated=fresh.updated, password_hash=encoded)
            )

    async def change_password(
        self, account: Account, session_id: str, current: str | None, new: str, client: Client
    ) -> Account:
        """Set another password and end the user's sessions, but for this one.

        Args:
            account: the user's own.
            session_id: of the session that stays.
            current: the password so far; None for an account that has none.
            new: the password from now on.
            client: where the request comes from.

        Raises:
            WrongCredentials: `current` is not the password.
            LockedOut: too many failures.
            InvalidField: `new_password` breaks a rule.
            Busy: try again later.
        """
        check_password(new, "new_password")
        if account.password_hash is not None:
            attempt = await self._begin(f"account:{account.id}", account.id, client)
            account = await self._verify(account, current or "", attempt, client)
        return await self._set_password(account, new, session_id, account.id, client)

    async def reset_password(self, usertag: str, new: str, client: Client) -> Account:
        """Set another password for the operator, who need not know the one before, and end all of the user's sessions.

        Raises Unknown, Busy, or InvalidField: `password`.
        """
        check_password(new)
        return await self._set_password(await self._known(usertag), new, None, None, client)

    async def _set_password(
        self, account: Account, new: str, session_id: str | None, actor: str | None, client: Client
    ) -> Account:
        encoded = await self._passwords.hash(new)
        async with self._password_writes.of(account.id):
            changes = AccountChanges(updated=self._clock(), password_hash=encoded)
            account = await self._store.accounts.update(account.id, changes)
        ended = await self._sessions.revoke_all(account.id, keep=session_id)
        self._auditor.record(
            AuthAction.PASSWORD_CHANGED, actor=actor, target=account.id, client=client, sessions_ended=ended
        )
        self._notify(account)
        return account

    async def delete(self, usertag: str, client: Client) -> Account:
        """Delete an account with its identities and sessions, for the operator; the account as it was. Raises Unknown.

        Rooms, recordings and sheets stay, with an owner who is nobody.
        """
        account = await self._known(usertag)
        await self._sessions.revoke_all(account.id)
        if not await self._store.accounts.delete(account.id):
            raise Unknown("user")
        self._auditor.record(AuthAction.DELETED, target=account.id, client=client, usertag=account.usertag)
        return account

    async def _known(self, usertag: str) -> Account:
        account = await self._store.accounts.by_usertag(usertag)
        if account is None:
            raise Unknown("user")
        return account

    def _notify(self, account: Account) -> None:
        if account.email and account.email_verified:  # Else it may be a stranger's.
            text = (
                f"The password of {account.usertag} was changed. If that was not you, write to the server's operator."
            )
            self._mailer.send(Mail(account.email, "Your password was changed", text))
