"""The store in a SQLite file."""

from rhythmd.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
