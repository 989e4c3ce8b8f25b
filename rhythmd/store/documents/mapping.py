"""Rows as MongoDB's documents: `id` is called `_id`, structs are maps, times are numbers of milliseconds.

Beside a row's fields a document may have `…_key`, a folded form, and `purge_at`, the date of its TTL index.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from rhythmd.names.looks import look
from rhythmd.ports import Conflict
from rhythmd.rows import FOREVER, Page, fold
from rhythmd.store.mongo import Collection, Document
from rhythmd.store.paging import decode_cursor, make_page

__all__ = ["add_keys", "add_looks", "equal", "fill_looks", "find_page", "from_document", "purge_date", "to_document"]

BATCH: Final = 500

RowT = TypeVar("RowT", bound=Struct)


def to_document(row: Struct, folded: Sequence[str] = ()) -> Document:
    document: Document = msgspec.to_builtins(row, builtin_types=(bytes,), order="deterministic")
    document["_id"] = document.pop("id")
    return add_keys(document, folded)


def add_keys(document: Document, folded: Sequence[str]) -> Document:
    """The document with the folded form of those fields that it has."""
    for field in folded:
        if field in document:
            value = document[field]
            document[f"{field}_key"] = None if value is None else fold(value)
    return document


def add_looks(document: Document, looked: Sequence[str]) -> Document:
    """The document with what those fields look like that it has."""
    return document | {f"{field}_look": look(document[field]) for field in looked if field in document}


async def fill_looks(collection: Collection, field: str) -> None:
    """Give older documents what `field` looks like; of those that look alike only one has it."""
    key = f"{field}_look"
    while documents := await collection.find({key: {"$exists": False}}, [("created", 1)], limit=BATCH):
        for document in documents:
            where = equal(_id=document["_id"])
            try:
                await collection.change(where, {"$set": {key: look(document[field])}})
            except Conflict:
                await collection.change(where, {"$set": {key: None}})


def from_document(document: Document, row: type[RowT]) -> RowT:
    return msgspec.convert({**document, "id": document["_id"]}, row)


def purge_date(time: int) -> datetime:
    """Unix milliseconds as the date that a TTL index wants."""
    return datetime.fromtimestamp(min(time, FOREVER) / 1000, UTC)


def equal(**values: str | bytes) -> Document:
    """A filter for documents with these values; whatever a value looks like, it is no operator."""
    return {field: {"$eq": value} for field, value in values.items()}


def _older(cursor: str, time: str) -> Document:
    at, row_id = decode_cursor(cursor)
    return {time: {"$lte": at}, "$or": [{time: {"$lt": at}}, {"_id": {"$lt": row_id}}]}


async def find_page(
    collection: Collection,
    parse: Callable[[Document], RowT],
    where: Document,
    limit: int,
    cursor: str | None,
    time: str = "created",
) -> Page[RowT]:
    """A page of the rows that match, newest first by the field `time`. Raises InvalidCursor."""
    if cursor is not None:
        where = {"$and": [where, _older(cursor, time)]}
    documents = await collection.find(where, [(time, -1), ("_id", -1)], limit=limit + 1)
    return make_page([parse(document) for document in documents], limit, attrgetter(time, "id"))
