"""What the core needs from the outside, as ports: the stores that keep rows, one that keeps files, and a cache.

Adapters live in `rhythmd.store` and `rhythmd.cluster`; one suite (`tests/contracts`) holds them equal.

- No store reads a clock; what depends on one takes `now`, in Unix milliseconds.
- A write that returned is durable. One that raised StoreUnavailable may or may not have happened.
- What takes a `limit` returns at most so many rows.
- Text that is not Unicode (lone surrogates, as headers may hold them) is refused with ValueError.

Every method may raise StoreUnavailable; the others of these errors are named where they are raised.

    StoreError
    +-- StoreUnavailable   the database is away, full or too slow; try again later
    +-- Conflict           another row has that value already
    +-- NotFound           the row that is to be changed, or that another one refers to, is not there
    +-- LastIdentity       the account could not be logged in to any more
    +-- TooMany            the owner has as many of these rows as they may
    +-- InvalidCursor      a page's cursor is not one that a store gave out
    +-- SchemaTooNew       the database was written by a newer version of this program
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Protocol

from rhythm_protocol.messages import ChatLine, RoomType
from rhythmd.errors import RhythmdError
from rhythmd.rows import (
    Account,
    AccountChanges,
    AuditEntry,
    AuditFilter,
    Identity,
    LoginSession,
    NewChatLine,
    Page,
    Recording,
    Rotation,
    Sanction,
    SanctionKind,
    StoredRoom,
    StoredRoomChanges,
)

__all__ = [
    "AccountStore",
    "AuditStore",
    "BlobStore",
    "Cache",
    "ChatStore",
    "Conflict",
    "IdentityStore",
    "InvalidCursor",
    "LastIdentity",
    "LiveState",
    "NotFound",
    "RecordingStore",
    "RoomStore",
    "SchemaTooNew",
    "SessionStore",
    "Store",
    "StoreError",
    "StoreUnavailable",
    "TooMany",
]


class StoreError(RhythmdError):
    """Root of what a store raises."""


class StoreUnavailable(StoreError):
    """The database cannot be asked now. It may come back without a restart."""


class Conflict(StoreError):
    """Another row has that value already.

    Args:
        field: name of the row's field, as in the struct.
    """

    def __init__(self, field: str) -> None:
        super().__init__(f"{field} is taken")
        self.field = field


class NotFound(StoreError):
    """The row is not there. The text says which kind."""


class LastIdentity(StoreError):
    """The account has no password and no other identity."""


class TooMany(StoreError):
    """The row would be one more than its owner may have."""


class InvalidCursor(StoreError):
    """The text is not a cursor that a store gave out."""


class SchemaTooNew(StoreError):
    """The database's version is not known here; nothing was touched."""


class AccountStore(Protocol):
    async def create(self, account: Account, identity: Identity | None = None) -> None:
        """Add an account and, in the same step, the identity it was made from.

        Raises Conflict: `usertag`, `email`, `id`, or the identity's `subject`. Then neither is added.
        """

    async def get(self, user_id: str) -> Account | None: ...

    async def by_usertag(self, usertag: str) -> Account | None: ...

    async def by_email(self, email: str) -> Account | None: ...

    async def update(self, user_id: str, changes: AccountChanges) -> Account:
        """The account as it is after the change. Raises NotFound, or Conflict (`usertag`, `email`)."""

    async def page(self, limit: int, cursor: str | None = None) -> Page[Account]:
        """All accounts by creation. Raises InvalidCursor."""

    async def updated(self, user_ids: Sequence[str], since: int) -> list[Account]:
        """Those of these accounts that have changed after `since`, in any order."""


class IdentityStore(Protocol):
    async def link(self, identity: Identity) -> None:
        """Raises NotFound, or Conflict (`provider`: it has one there, `subject`: another's)."""

    async def find(self, provider: str, subject: str) -> Identity | None: ...

    async def of_user(self, user_id: str) -> list[Identity]:
        """The account's identities by provider."""

    async def unlink(self, user_id: str, provider: str) -> bool:
        """Whether there was one. Raises LastIdentity, also for the second of two at once."""


class SessionStore(Protocol):
    async def create(self, session: LoginSession) -> None:
        """Raises NotFound if there is no such user, or Conflict (`id`, `token_hash`)."""

    async def get(self, session_id: str, now: int) -> LoginSession | None:
        """A session that is neither expired nor revoked."""

    async def with_account(self, session_id: str, user_id: str, now: int) -> tuple[LoginSession | None, Account | None]:
        """What `get` of both finds, for less than two questions: every request with a login asks."""

    async def rotate(self, token_hash: bytes, new_hash: bytes, now: int, expires: int) -> Rotation:
        """Exchange the token for the next one, in one step: of two at once, one is ROTATED, one REPLAYED."""

    async def page(self, user_id: str, now: int, limit: int, cursor: str | None = None) -> Page[LoginSession]:
        """The user's sessions that are neither expired nor revoked. Raises InvalidCursor."""

    async def revoke(self, user_id: str, session_id: str, now: int) -> bool:
        """Whether this ended a session of that user."""

    async def revoke_all(self, user_id: str, now: int, keep: str | None = None) -> list[str]:
        """Revoke the user's sessions, but for `keep`; the ids of those that this ended."""

    async def revoked(self, session_ids: Sequence[str]) -> list[str]:
        """Those of these sessions that are revoked, in any order."""


class RoomStore(Protocol):
    async def create(self, room: StoredRoom, most: int | None = None) -> None:
        """Raises Conflict (`name`, `id`), or TooMany if its owner has `most` rooms.

        Of several that are the last one at once, none may be kept, but never more than one.
        """

    async def get(self, room_id: str) -> StoredRoom | None: ...

    async def by_name(self, name: str) -> StoredRoom | None: ...

    async def update(self, room_id: str, changes: StoredRoomChanges) -> StoredRoom:
        """The room as it is after the change. Raises NotFound, or Conflict (`name`)."""

    async def delete(self, room_id: str) -> bool:
        """Remove the room, its sanctions and its chat; whether there was one."""

    async def page(
        self,
        limit: int,
        cursor: str | None = None,
        *,
        kind: RoomType | None = None,
        owner_id: str | None = None,
    ) -> Page[StoredRoom]:
        """Rooms by creation, of one type or owner if given. Raises InvalidCursor."""

    async def sanction(self, sanction: Sanction) -> None:
        """Set it, in place of one of the same room, subject and kind. Raises NotFound if there is no room."""

    async def pardon(self, room_id: str, subject: str, kind: SanctionKind) -> bool:
        """Whether there was such a sanction."""

    async def sanctions(self, room_id: str, now: int) -> list[Sanction]:
        """Those in force."""


class ChatStore(Protocol):
    """Lines of any room, kept or not."""

    async def append(self, room_id: str, lines: Sequence[NewChatLine], keep: int) -> list[ChatLine]:
        """Add lines; they get ids above all that the room ever had. The room's last `keep` lines stay."""

    async def last(self, room_id: str, limit: int) -> list[ChatLine]:
        """The newest lines, oldest first."""

    async def clear(self, room_id: str) -> None: ...


class RecordingStore(Protocol):
    """What is known of recordings. `expire` of the store leaves them: their files have to go first."""

    async def create(self, recording: Recording, present: Collection[str]) -> None:
        """Add a recording, and the ids of the users who were present. Raises Conflict (`id`)."""

    async def get(self, recording_id: str, now: int) -> Recording | None:
        """One that has not expired."""

    async def was_present(self, recording_id: str, user_id: str) -> bool: ...

    async def page(self, user_id: str, now: int, limit: int, cursor: str | None = None) -> Page[Recording]:
        """Those by creation that this user was present at, and that have not expired. Raises InvalidCursor."""

    async def count(self, now: int, *, owner_id: str | None = None, room_id: str | None = None) -> int:
        """How many have not expired; of one owner or room if given."""

    async def expired(self, now: int, limit: int) -> list[Recording]:
        """Those that have, the oldest first."""

    async def delete(self, recording_id: str) -> bool:
        """Whether there was one."""


class AuditStore(Protocol):
    async def append(self, entries: Sequence[AuditEntry]) -> None:
        """Add entries. One whose id is there already is left alone, so that a failed call can be repeated."""

    async def page(
        self, now: int, limit: int, cursor: str | None = None, where: AuditFilter | None = None
    ) -> Page[AuditEntry]:
        """Entries by time. Raises InvalidCursor."""


class Store(Protocol):
    """One database."""

    @property
    def accounts(self) -> AccountStore: ...

    @property
    def identities(self) -> IdentityStore: ...

    @property
    def sessions(self) -> SessionStore: ...

    @property
    def rooms(self) -> RoomStore: ...

    @property
    def chat(self) -> ChatStore: ...

    @property
    def recordings(self) -> RecordingStore: ...

    @property
    def audit(self) -> AuditStore: ...

    async def start(self) -> None:
        """Connect and bring the schema up to date. Raises SchemaTooNew. May be repeated when it failed."""

    async def close(self) -> None:
        """Finish what was begun and let go. Calls after it raise StoreUnavailable."""

    async def ping(self) -> None:
        """Raises StoreUnavailable unless the database answers."""

    async def check(self) -> list[str]:
        """Look through the whole database; what is wrong with it, for people. Slow."""

    async def expire(self, now: int) -> None:
        """Remove the rows whose time is over. They are on no list before that either."""


class BlobStore(Protocol):
    """Files by key, whole or not at all: who reads one sees all of one version.

    A key is parts of small letters, digits, `-`, `_` and single dots, joined by `/`; ValueError for others.
    """

    async def put(self, key: str, content: bytes) -> None:
        """Keep `content`, in place of what was there."""

    async def get(self, key: str) -> AsyncIterator[bytes]:
        """The content, in parts. Raises NotFound."""
        ...

    async def exists(self, key: str) -> bool: ...

    async def delete(self, key: str) -> bool:
        """Whether there was one."""


class LiveState(Protocol):
    """Small values that outlive this process, a `kill -9` included, though not the machine's next boot.

    Plain `def`, unlike all other ports: a call writes to memory that belongs to a file, and waits for no disk.
    Nothing here raises: what cannot be kept is logged, and rooms go on.
    """

    def open(self) -> None:
        """Find what the process before left. May wait for a disk, and raises no error."""

    def apply(self, changes: Mapping[str, bytes | None]) -> None:
        """Set values, or delete those of None, all in one step."""

    def items(self, prefix: str) -> list[tuple[str, bytes]]:
        """The values whose keys begin so, by key."""

    def clear(self) -> None:
        """Forget everything."""

    def close(self) -> None: ...


class Cache(Protocol):
    """Bounded and forgetful: what was set may be gone at any time, and is after its time to live."""

    async def get(self, key: str) -> bytes | None:
        """None also when the cache is away."""

    async def set(self, key: str, value: bytes, ttl_s: float) -> None:
        """Raises StoreUnavailable when the cache is away: what was sold on it, a ticket, would be worth nothing."""

    async def delete(self, key: str) -> None:
        """Raises StoreUnavailable when the cache is away: it may still hold the value."""

    async def take(self, key: str) -> bytes | None:
        """Read and delete in one step: of several callers one gets it. Raises StoreUnavailable."""

    async def close(self) -> None:
        """Let go of what the cache holds open."""
