"""One database, whole, and its audit."""

from collections.abc import Sequence
from typing import Protocol

from rhythmd.ports.accounts import AccountStore, ExternalIdentityStore, SessionStore
from rhythmd.ports.rooms import ChatStore, RecordingStore, RoomStore
from rhythmd.ports.sheets import SheetStore
from rhythmd.rows import AuditEntry, AuditFilter, Page

__all__ = ["AuditStore", "Store"]


class AuditStore(Protocol):
    """The audit log. Entries are never changed."""

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
    def identities(self) -> ExternalIdentityStore: ...

    @property
    def sessions(self) -> SessionStore: ...

    @property
    def rooms(self) -> RoomStore: ...

    @property
    def chat(self) -> ChatStore: ...

    @property
    def recordings(self) -> RecordingStore: ...

    @property
    def sheets(self) -> SheetStore: ...

    @property
    def audit(self) -> AuditStore: ...

    async def start(self) -> None:
        """Connect and bring the schema up to date. Raises SchemaTooNew. May be repeated when it failed."""

    async def close(self) -> None:
        """Finish what was begun and let go. Calls after it raise StoreUnavailable."""

    async def ping(self) -> None:
        """Raises StoreUnavailable unless the database answers."""

    async def probe(self, now: int) -> None:
        """Write something small. Raises StoreUnavailable unless it is kept: a full disk can still be read."""

    async def check(self) -> list[str]:
        """Look through the whole database; what is wrong with it, for people. Slow."""

    async def expire(self, now: int) -> None:
        """Remove the rows whose time is over. They are on no list before that either."""
