"""Errors that a port raises.

Every method of a store may raise StoreUnavailable; the other errors are named where they are raised.

    StoreError
    +-- StoreUnavailable   the database is away, full or too slow; try again later
    +-- Conflict           another row has that value already
    +-- NotFound           the row that is to be changed, or that another one refers to, is not there
    +-- LastIdentity       the account could not be logged in to any more
    +-- TooMany            the owner has as many of these rows as they may
    +-- TooLarge           the file has more bytes than it may
    +-- InvalidCursor      a page's cursor is not one that a store gave out
    +-- SchemaTooNew       the database was written by a newer version of this program
"""

from rhythmd.errors import RhythmdError

__all__ = [
    "Conflict",
    "InvalidCursor",
    "LastIdentity",
    "NotFound",
    "SchemaTooNew",
    "StoreError",
    "StoreUnavailable",
    "TooLarge",
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


class TooLarge(StoreError):
    """The file has more bytes than it may.

    Args:
        limit: how many it may have.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(f"more than {limit} bytes")
        self.limit = limit


class InvalidCursor(StoreError):
    """The text is not a cursor that a store gave out."""


class SchemaTooNew(StoreError):
    """The database's version is not known here; nothing was touched."""
