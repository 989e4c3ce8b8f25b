"""Stored rooms, and the bans in them."""

from typing import Final

import msgspec
from msgspec import UNSET

from rhythmd.names.looks import look
from rhythmd.ports import NotFound, TooMany
from rhythmd.rows import Sanction, SanctionKind, StoredRoom, StoredRoomChanges, fold
from rhythmd.store.documents.mapping import (
    add_keys,
    add_looks,
    equal,
    from_document,
    purge_date,
    to_document,
)
from rhythmd.store.mongo import Collection, Document, Index

__all__ = ["ROOM_INDEXES", "SANCTION_INDEXES", "MongoRooms"]

ROOM_INDEXES: Final = (
    Index(("name_key",), unique=True),
    Index(("name_look",), unique=True, optional=True),
    Index(("owner_id", "created", "_id")),
)
SANCTION_INDEXES: Final = (Index(("room_id", "created", "subject", "kind")), Index(("purge_at",), ttl=True))
_FOLDED: Final = ("name",)


def _room(document: Document) -> StoredRoom:
    return from_document(document, StoredRoom)


def _sanction_id(room_id: str, subject: str, kind: SanctionKind) -> Document:
    return {"room_id": room_id, "subject": subject, "kind": str(kind)}


class MongoRooms:
    """`rhythmd.ports.RoomStore` on MongoDB."""

    def __init__(self, rooms: Collection, sanctions: Collection, chat: Collection) -> None:
        self._rooms = rooms
        self._sanctions = sanctions
        self._chat = chat

    async def create(self, room: StoredRoom, most: int | None = None) -> None:
        await self._rooms.insert(add_looks(to_document(room, _FOLDED), _FOLDED))
        if most is None or room.owner_id is None:
            return
        # Counted afterwards: of two at once each finds the other's.
        if await self._rooms.count(equal(owner_id=room.owner_id)) > most:
            await self._rooms.delete(equal(_id=room.id))
            raise TooMany(f"more than {most} rooms")

    async def get(self, room_id: str) -> StoredRoom | None:
        return await self._find(equal(_id=room_id))

    async def by_name(self, name: str) -> StoredRoom | None:
        return await self._find(equal(name_key=fold(name)))

    async def by_look(self, name: str) -> StoredRoom | None:
        return await self._find(equal(name_look=look(name)))

    async def update(self, room_id: str, changes: StoredRoomChanges) -> StoredRoom:
        fields = add_keys(msgspec.to_builtins(changes), _FOLDED)
        if changes.name is not UNSET:
            former = await self.get(room_id)
            if former is not None and former.name != changes.name:  # one that always looked like another one may stay
                fields = add_looks(fields, _FOLDED)
        document = await self._rooms.change(equal(_id=room_id), {"$set": fields})
        if document is None:
            raise NotFound("no such room")
        return _room(document)

    async def delete(self, room_id: str) -> bool:
        # The room goes last: a deletion that was cut off can be asked for again.
        await self._chat.delete(equal(room_id=room_id))
        await self._sanctions.delete(equal(room_id=room_id))
        return await self._rooms.delete(equal(_id=room_id)) > 0

    async def sanction(self, sanction: Sanction) -> None:
        if await self.get(sanction.room_id) is None:
            raise NotFound("no such room")
        document = msgspec.to_builtins(sanction)
        document["_id"] = _sanction_id(sanction.room_id, sanction.subject, sanction.kind)
        document["purge_at"] = purge_date(sanction.until)
        await self._sanctions.put(document)

    async def pardon(self, room_id: str, subject: str, kind: SanctionKind) -> bool:
        return await self._sanctions.delete({"_id": {"$eq": _sanction_id(room_id, subject, kind)}}) > 0

    async def sanctions(self, room_id: str, now: int) -> list[Sanction]:
        where = {**equal(room_id=room_id), "until": {"$gt": now}}
        documents = await self._sanctions.find(where, [("created", 1), ("subject", 1), ("kind", 1)])
        return [msgspec.convert(document, Sanction) for document in documents]

    async def _find(self, where: Document) -> StoredRoom | None:
        document = await self._rooms.find_one(where)
        return None if document is None else _room(document)
