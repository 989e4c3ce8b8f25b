"""The store in MongoDB."""

from rhythmd.store.documents.store import MongoStore

__all__ = ["MongoStore"]
