"""Where the hub's ports meet the authentication and the library: small adapters, built by `rhythmd.app`."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, NamedTuple

from rhythm_protocol.close import USER_BANNED
from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.midi import NOTE_ON
from rhythmd.auth.auditor import Auditor
from rhythmd.auth.authenticator import Authenticator
from rhythmd.auth.errors import Banned, Busy, InvalidTicket, InvalidToken, TokenExpired
from rhythmd.auth.passwords import Passwords
from rhythmd.auth.traces import Traces
from rhythmd.auth.values import Client, Principal
from rhythmd.clock import unix_ms
from rhythmd.errors import Refused
from rhythmd.hub.hub import Hub
from rhythmd.hub.ports import Credentials, Identity, LapsedLogin, Performance
from rhythmd.midi.reader import NotReadable, read_performance
from rhythmd.midi.score import MESSAGE_SIZE, Score
from rhythmd.names.rule import presentable
from rhythmd.ports import NotFound, Store, StoreUnavailable
from rhythmd.rows import Account, SheetFile
from rhythmd.sheets.library import SheetLibrary
from rhythmd.telemetry import auth_log

__all__ = ["AccountWatcher", "LibrarySheets", "Recheck", "RoomAudit", "RoomPasswords", "SocketLoginVerifier"]

CHUNK: Final = 500
LAPSED: Final = frozenset({ErrorCode.LOGIN_EXPIRED, ErrorCode.LOGIN_INVALID})
SCORE_BYTES: Final = 32 * 1024 * 1024
"""Of scores that are kept for who plays them next; the longest one takes a third of it."""
CLOCKS_DIFFER_MS: Final = 60_000
"""How far the clocks of those who write to one store may be apart."""


class SocketLoginVerifier:
    """Implements `hub.ports.LoginVerifier`."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    async def verify(self, credentials: Credentials, address: str) -> Identity:
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

    async def admit(self, credentials: Credentials, address: str) -> Identity | LapsedLogin:
        try:
            return await self.verify(credentials, address)
        except Refused as refused:
            if credentials.is_cookie and refused.code in LAPSED:
                return LapsedLogin(refused.code)
            raise

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
        name=presentable(account.nickname or account.username, account.usertag),
        colour=account.colour,
        status_text=presentable(account.status_text, ""),
        roles=frozenset(account.roles),
        muted_until=(account.muted_until or 0) / 1000,
        made=account.created / 1000,
    )


class RoomAudit:
    """Implements `auth.auditor.AuditTrail` with the audit of accounts."""

    def __init__(self, auditor: Auditor) -> None:
        self._auditor = auditor

    def record(self, action: str, *, actor: str, target: str, address: str, **details: str) -> None:
        try:
            self._auditor.record(action, actor=actor, target=target, client=Client(address), **details)
        except Busy:
            auth_log.error("no audit entry: %s did %s to %s", actor, action, target)


class _Player(NamedTuple):
    """A user in a room, as a reader of sheets."""

    user_id: str
    roles: frozenset[str]


class LibrarySheets:
    """Implements `hub.ports.SheetSource`: what is in the library.

    Args:
        library: of the sheets.
        score_bytes: of the scores that are kept for who plays them next.
    """

    def __init__(self, library: SheetLibrary, score_bytes: int = SCORE_BYTES) -> None:
        self._library = library
        self._scores = _Scores(score_bytes)

    async def performance(self, sheet_id: str, user_id: str | None, roles: frozenset[str]) -> Performance:
        try:
            sheet = await self._library.read(sheet_id, None if user_id is None else _Player(user_id, roles))
            file = await self._library.file(sheet)
            score = self._scores.get(file.hash)
            if score is None:
                score = await self._read(file)
        except NotFound:
            raise Refused(ErrorCode.NOT_FOUND, "this sheet cannot be played: it is gone", "sheet") from None
        except NotReadable as error:
            raise Refused(ErrorCode.NOT_FOUND, f"this sheet cannot be played: {error}", "sheet") from None
        except StoreUnavailable:
            raise Refused(ErrorCode.UNAVAILABLE, "the library cannot be read now") from None
        return Performance(sheet.id, sheet.title, sheet.artist, score)

    async def _read(self, file: SheetFile) -> Score:
        """Raises NotFound, NotReadable and StoreUnavailable."""
        content = b"".join([part async for part in await self._library.read_midi(file)])
        score = await asyncio.to_thread(_playable, content)
        self._scores.keep(file.hash, score)
        return score


def _playable(content: bytes) -> Score:
    """The score of a MIDI file that has something to play. Raises NotReadable."""
    score = read_performance(content)
    if not any(status & 0xF0 == NOTE_ON for status in score.messages[::MESSAGE_SIZE]):
        raise NotReadable("there are no notes but of drums, which a piano does not play", 0)
    return score


class _Scores:
    """The scores that were asked for last, by their content's hash.

    Args:
        limit: in bytes, of all together.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._scores: OrderedDict[str, Score] = OrderedDict()

    def get(self, hash_: str) -> Score | None:
        score = self._scores.get(hash_)
        if score is not None:
            self._scores.move_to_end(hash_)
        return score

    def keep(self, hash_: str, score: Score) -> None:
        if hash_ in self._scores:  # two have read it at once
            return
        self._scores[hash_] = score
        self._size += score.size
        while self._size > self._limit:
            self._size -= self._scores.popitem(last=False)[1].size


class AccountWatcher:
    """Implements `auth.notices.ChangeWatcher`: what changes about a user reaches their sockets at once.

    Args:
        hub: that holds the sockets.
        traces: that learn where banned users are connected.
    """

    def __init__(self, hub: Hub, traces: Traces) -> None:
        self._hub = hub
        self._traces = traces

    def sessions_ended(self, user_id: str, session_ids: Sequence[str]) -> None:
        self._hub.end_logins(session_ids)

    def account_changed(self, account: Account) -> None:
        now = unix_ms()
        if (account.banned_until or 0) > now:
            for address, browser in self._hub.whereabouts(account.id):
                self._traces.learn(account.id, now, address, browser)
            self._hub.end_user(account.id, USER_BANNED)
        else:
            if (account.muted_until or 0) > now:
                for address, browser in self._hub.whereabouts(account.id):
                    self._traces.notice(account.id, address, browser)
            self._hub.change_user(account.id, frozenset(account.roles), (account.muted_until or 0) / 1000)


class Recheck:
    """Finds what others did to connected users: the operator at the command line, another server.

    What this server does itself, `AccountWatcher` hears at once.

    Args:
        store: of accounts and sessions.
        hub: that holds the sockets.
        watcher: told of accounts that have changed.
        traces: of users who were banned.
    """

    def __init__(self, store: Store, hub: Hub, watcher: AccountWatcher, traces: Traces) -> None:
        self._traces = traces
        self._known_since: int | None = None
        self._store = store
        self._hub = hub
        self._watcher = watcher
        self._since = unix_ms() - CLOCKS_DIFFER_MS

    async def run(self) -> None:
        """Ask about everybody who is connected. Raises StoreUnavailable."""
        began = unix_ms()
        members = self._hub.accounts()
        for first in range(0, len(members), CHUNK):
            await self._ask(members[first : first + CHUNK])
        self._since = began - CLOCKS_DIFFER_MS
        await self._traces.follow(self._known_since)
        self._known_since = self._since

    async def _ask(self, members: Sequence[Identity]) -> None:
        # In this order: a ban is there before the sessions that it ends, and is what its user should be told.
        ended = await self._store.sessions.revoked([member.login_id for member in members])
        for account in await self._store.accounts.updated([member.user_id for member in members], self._since):
            self._watcher.account_changed(account)
        if ended:
            self._hub.end_logins(ended)


class RoomPasswords:
    """Implements `hub.keeping.keepers.PasswordHasher` with a pool for the passwords of rooms."""

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
