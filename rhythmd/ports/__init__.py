"""The ports of the core to the outside: stores that keep rows, one that keeps files, live state, a cache.

Adapters live in `rhythmd.store` and `rhythmd.cluster`; one suite (`tests/contracts`) holds them equal.

- No store reads a clock; what depends on one takes `now`, in Unix milliseconds.
- A write that returned is durable. One that raised StoreUnavailable may or may not have happened.
- What takes a `limit` returns at most so many rows.
- Text that is not Unicode (lone surrogates, as headers may hold them) is refused with ValueError.
"""

from rhythmd.ports.accounts import AccountStore, ExternalIdentityStore, SessionStore
from rhythmd.ports.errors import (
    Conflict,
    InvalidCursor,
    LastIdentity,
    NotFound,
    SchemaTooNew,
    StoreError,
    StoreUnavailable,
    TooLarge,
    TooMany,
)
from rhythmd.ports.memory import BlobStore, Cache, LiveState
from rhythmd.ports.rooms import ChatStore, RecordingStore, RoomStore
from rhythmd.ports.sheets import SheetStore
from rhythmd.ports.store import AuditStore, Store

__all__ = [
    "AccountStore",
    "AuditStore",
    "BlobStore",
    "Cache",
    "ChatStore",
    "Conflict",
    "ExternalIdentityStore",
    "InvalidCursor",
    "LastIdentity",
    "LiveState",
    "NotFound",
    "RecordingStore",
    "RoomStore",
    "SchemaTooNew",
    "SessionStore",
    "SheetStore",
    "Store",
    "StoreError",
    "StoreUnavailable",
    "TooLarge",
    "TooMany",
]
