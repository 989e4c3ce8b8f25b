"""Rows of recordings, with the ids of the users who were present inside."""

from collections.abc import Collection as Ids
from typing import Final

from rhythmd.rows import Page, Recording
from rhythmd.store.documents.mapping import equal, find_page, from_document, to_document
from rhythmd.store.mongo import Collection, Document, Index

__all__ = ["RECORDING_INDEXES", "MongoRecordings"]

RECORDING_INDEXES: Final = (
    Index(("present", "created", "_id")),
    Index(("owner_id", "expires")),
    Index(("room_id", "expires")),
    Index(("guest_network", "expires")),
    Index(("account_network", "expires")),
    Index(("expires",)),
)


def _recording(document: Document) -> Recording:
    return from_document(document, Recording)


def _live(now: int) -> Document:
    return {"expires": {"$gt": now}}


class MongoRecordings:
    """`rhythmd.ports.RecordingStore` on MongoDB."""

    def __init__(self, recordings: Collection) -> None:
        self._recordings = recordings

    async def create(self, recording: Recording, present: Ids[str]) -> None:
        await self._recordings.insert({**to_document(recording), "present": list(present)})

    async def get(self, recording_id: str, now: int) -> Recording | None:
        document = await self._recordings.find_one({**equal(_id=recording_id), **_live(now)})
        return None if document is None else _recording(document)

    async def was_present(self, recording_id: str, user_id: str) -> bool:
        return await self._recordings.find_one(equal(_id=recording_id, present=user_id)) is not None

    async def page(self, user_id: str, now: int, limit: int, cursor: str | None = None) -> Page[Recording]:
        where = {**equal(present=user_id), **_live(now)}
        return await find_page(self._recordings, _recording, where, limit, cursor)

    async def count(
        self,
        now: int,
        *,
        owner_id: str | None = None,
        room_id: str | None = None,
        guest_network: str | None = None,
        account_network: str | None = None,
        guests: bool = False,
    ) -> int:
        wanted = {
            "owner_id": owner_id,
            "room_id": room_id,
            "guest_network": guest_network,
            "account_network": account_network,
        }
        where = equal(**{field: value for field, value in wanted.items() if value is not None})
        of_guests = {"guest_network": {"$gt": ""}} if guests else {}
        return await self._recordings.count({**of_guests, **where, **_live(now)})

    async def files(self, limit: int, after: str = "") -> list[Recording]:
        found = await self._recordings.find({"_id": {"$gt": after}}, [("_id", 1)], limit=limit)
        return [_recording(document) for document in found]

    async def expired(self, now: int, limit: int) -> list[Recording]:
        documents = await self._recordings.find({"expires": {"$lte": now}}, [("expires", 1)], limit=limit)
        return [_recording(document) for document in documents]

    async def delete(self, recording_id: str) -> bool:
        return await self._recordings.delete(equal(_id=recording_id)) > 0
