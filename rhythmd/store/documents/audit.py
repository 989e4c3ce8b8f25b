"""The audit log. An entry's details are JSON text: their keys mean nothing to the database."""

from collections.abc import Sequence
from typing import Final

import orjson

from rhythmd.rows import AuditEntry, AuditFilter, Page
from rhythmd.store.documents.mapping import equal, find_page, from_document, purge_date, to_document
from rhythmd.store.mongo import Collection, Document, Index

__all__ = ["AUDIT_INDEXES", "MongoAudit"]

AUDIT_INDEXES: Final = (
    Index(("time", "_id")),
    Index(("actor_id", "time", "_id")),
    Index(("target", "time", "_id")),
    Index(("action", "time", "_id")),
    Index(("purge_at",), ttl=True),
)


def _document(entry: AuditEntry) -> Document:
    details = orjson.dumps(entry.details).decode()
    return {**to_document(entry), "details": details, "purge_at": purge_date(entry.expires)}


def _entry(document: Document) -> AuditEntry:
    return from_document({**document, "details": orjson.loads(document["details"])}, AuditEntry)


def _filter(wanted: AuditFilter, now: int) -> Document:
    texts = {"action": wanted.action, "actor_id": wanted.actor_id, "target": wanted.target}
    times = {"$gte": wanted.since, "$lt": wanted.until}
    time = {operator: value for operator, value in times.items() if value is not None}
    return {
        "expires": {"$gt": now},
        **equal(**{field: text for field, text in texts.items() if text is not None}),
        **({"time": time} if time else {}),
    }


class MongoAudit:
    """`rhythmd.ports.AuditStore` on MongoDB."""

    def __init__(self, audit: Collection) -> None:
        self._audit = audit

    async def append(self, entries: Sequence[AuditEntry]) -> None:
        if entries:
            await self._audit.insert_new([_document(entry) for entry in entries])

    async def page(
        self, now: int, limit: int, cursor: str | None = None, where: AuditFilter | None = None
    ) -> Page[AuditEntry]:
        wanted = _filter(where or AuditFilter(), now)
        return await find_page(self._audit, _entry, wanted, limit, cursor, "time")
