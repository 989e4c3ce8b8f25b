"""The last lines of each room's chat. One counter numbers the lines of all rooms."""

from collections.abc import Sequence
from typing import Final

import msgspec

from rhythm_protocol.messages import ChatLine
from rhythmd.rows import NewChatLine
from rhythmd.store.documents.mapping import equal, from_document
from rhythmd.store.mongo import Collection, Index

__all__ = ["CHAT_INDEXES", "MongoChat"]

CHAT_INDEXES: Final = (Index(("room_id", "_id")),)


class MongoChat:
    """`rhythmd.ports.ChatStore` on MongoDB."""

    def __init__(self, chat: Collection, counters: Collection) -> None:
        self._chat = chat
        self._counters = counters

    async def append(self, room_id: str, lines: Sequence[NewChatLine], keep: int) -> list[ChatLine]:
        if not lines:
            return []
        first = await self._reserve(len(lines))
        documents = [
            {"_id": line_id, "room_id": room_id, **msgspec.to_builtins(line)}
            for line_id, line in enumerate(lines, first)
        ]
        await self._chat.insert_new(documents)
        await self._trim(room_id, keep)
        return [from_document(document, ChatLine) for document in documents]

    async def last(self, room_id: str, limit: int) -> list[ChatLine]:
        documents = await self._chat.find(equal(room_id=room_id), [("_id", -1)], limit=limit)
        return [from_document(document, ChatLine) for document in reversed(documents)]

    async def clear(self, room_id: str) -> None:
        await self._chat.delete(equal(room_id=room_id))

    async def _reserve(self, count: int) -> int:
        """The first of `count` ids that nobody else gets."""
        counter = await self._counters.change({"_id": "chat"}, {"$inc": {"value": count}}, upsert=True)
        return int((counter or {})["value"]) - count + 1

    async def _trim(self, room_id: str, keep: int) -> None:
        surplus = await self._chat.find(equal(room_id=room_id), [("_id", -1)], skip=keep, limit=1)
        if surplus:
            await self._chat.delete({**equal(room_id=room_id), "_id": {"$lte": surplus[0]["_id"]}})
