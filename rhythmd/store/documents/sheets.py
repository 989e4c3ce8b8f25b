"""Sheets, their files, favourites and views. How they are searched is in `rhythmd.store.documents.sheet_search`."""

from collections.abc import Collection as Ids
from collections.abc import Mapping
from sys import maxsize
from typing import Final

import msgspec
from msgspec import structs

from rhythmd.fairness.slots import FairSlots
from rhythmd.ports import Conflict, NotFound, StoreUnavailable, TooMany
from rhythmd.rows import (
    Approval,
    Page,
    Sheet,
    SheetChanges,
    SheetFacets,
    SheetFile,
    SheetPrivacy,
    SheetQuery,
    changed_fields,
)
from rhythmd.store.documents.mapping import equal, from_document, purge_date, to_document
from rhythmd.store.documents.sheet_search import SheetSearch
from rhythmd.store.mongo import Collection, Document, Index
from rhythmd.store.words import index_words

__all__ = ["FAVORITE_INDEXES", "SHEET_FILE_INDEXES", "UPLOAD_INDEXES", "MongoSheets", "sheet_document"]

FAVORITE_INDEXES: Final = (Index(("user_id", "created")), Index(("sheet_id",)))
SHEET_FILE_INDEXES: Final = (Index(("used",)),)
UPLOAD_INDEXES: Final = (Index(("purge_at",), ttl=True),)
DAY_MS: Final = 86_400_000
PAGE: Final = 1_000
_ATTEMPTS: Final = 20
_NUMBERS: Final = "numbers"
_SEARCHES_AT_ONCE: Final = 4
"""That the database is asked for: a network that wants hundreds has others wait for no more of them."""


def _sheet(document: Document) -> Sheet:
    return from_document(document, Sheet)


def _file(document: Document) -> SheetFile:
    return msgspec.convert({**document, "hash": document["_id"]}, SheetFile)


def _found_by(sheet: Sheet) -> Document:
    """What of a document is not in the row: the words, and whether everybody may find it."""
    title = index_words([sheet.title])
    words = index_words([sheet.title, sheet.artist, sheet.album, *sheet.tags, sheet.creator])
    listed = sheet.privacy is SheetPrivacy.PUBLIC and sheet.approval is Approval.APPROVED
    return {"title_words": title, "words": words, "listed": listed}


def sheet_document(sheet: Sheet) -> Document:
    """A new sheet as the document that is inserted."""
    return {**to_document(sheet), **_found_by(sheet), "version": 0}


def _any_of(field: str, values: Ids[str]) -> Document:
    return {field: {"$in": list(values)}}


class MongoSheets:
    """`rhythmd.ports.SheetStore` on MongoDB.

    Args:
        sheets, files, favorites: the collections.
        counters: of the numbers given so far, and of each user's uploads in a day.
    """

    def __init__(self, sheets: Collection, files: Collection, favorites: Collection, counters: Collection) -> None:
        self._sheets = sheets
        self._files = files
        self._favorites = favorites
        self._counters = counters
        self._search = SheetSearch(sheets, favorites)
        self._searching = FairSlots(_SEARCHES_AT_ONCE, maxsize)  # the number of connections bounds how many wait

    async def claim_file(self, hash_: str, now: int) -> SheetFile | None:
        document = await self._files.change(equal(_id=hash_), {"$max": {"used": now}})
        return None if document is None else _file(document)

    async def add_file(self, file: SheetFile) -> SheetFile:
        document: Document = msgspec.to_builtins(file)
        document["_id"] = document.pop("hash")
        await self._files.insert_new([document])
        kept = await self.claim_file(file.hash, file.used)
        if kept is None:
            raise StoreUnavailable("the file's row was removed while it was added")
        return kept

    async def remove_file(self, hash_: str, before: int) -> bool:
        # Whoever is about to add a sheet has used the file just now: no sheet comes between the two steps.
        if await self._sheets.find_one(equal(hash=hash_)) is not None:
            return False
        return await self._files.delete({**equal(_id=hash_), "used": {"$lt": before}}) > 0

    async def files(self, limit: int, after: str = "") -> list[SheetFile]:
        documents = await self._files.find({"_id": {"$gt": after}}, [("_id", 1)], limit=limit)
        return [_file(document) for document in documents]

    async def files_of(self, hashes: Ids[str]) -> list[SheetFile]:
        return [_file(document) for document in await self._files.find(_any_of("_id", hashes), [("_id", 1)])]

    async def used_hashes(self, hashes: Ids[str]) -> set[str]:
        stages: list[Document] = [{"$match": _any_of("hash", hashes)}, {"$group": {"_id": "$hash"}}]
        return {document["_id"] for document in await self._sheets.aggregate(stages)}

    async def creators(self, hashes: Ids[str]) -> dict[str, str]:
        first = {"$group": {"_id": "$hash", "creator": {"$first": "$creator_id"}}}
        stages: list[Document] = [{"$match": _any_of("hash", hashes)}, {"$sort": {"number": 1}}, first]
        return {document["_id"]: document["creator"] for document in await self._sheets.aggregate(stages)}

    async def create(self, sheet: Sheet) -> Sheet:
        await self._require_file(sheet.hash)
        counter = await self._counters.change(equal(_id=_NUMBERS), {"$inc": {"last": 1}}, upsert=True)
        assert counter is not None, "upserted"  # noqa: S101
        sheet = structs.replace(sheet, number=counter["last"])
        await self._sheets.insert(sheet_document(sheet))
        return sheet

    async def get(self, sheet_id: str) -> Sheet | None:
        document = await self._sheets.find_one(equal(_id=sheet_id))
        return None if document is None else _sheet(document)

    async def find(self, creator_id: str, hash_: str, file_name: str) -> Sheet | None:
        document = await self._sheets.find_one(equal(hash=hash_, creator_id=creator_id, file_name=file_name))
        return None if document is None else _sheet(document)

    async def sheets(self, limit: int, after: int = 0) -> list[Sheet]:
        documents = await self._sheets.find({"number": {"$gt": after}}, [("number", 1)], limit=limit)
        return [_sheet(document) for document in documents]

    async def update(
        self, sheet_id: str, changes: SheetChanges, having: str | None = None, as_of: int | None = None
    ) -> Sheet:
        """What a sheet is found by depends on all of it: one that was changed meanwhile is read again."""
        fields = msgspec.to_builtins(changes)
        if "hash" in fields:
            await self._require_file(fields["hash"])
        for _ in range(_ATTEMPTS):
            document = await self._sheets.find_one(equal(_id=sheet_id))
            if document is None or having not in {None, document["hash"]} or as_of not in {None, document["updated"]}:
                raise NotFound("no such sheet")
            sheet = structs.replace(_sheet(document), **changed_fields(changes))
            unchanged = {**equal(_id=sheet_id), "version": document["version"]}
            update = {"$set": {**fields, **_found_by(sheet)}, "$inc": {"version": 1}}
            changed = await self._sheets.change(unchanged, update)
            if changed is not None:
                return _sheet(changed)
        raise StoreUnavailable("the sheet is being changed all the time")

    async def delete(self, sheet_id: str) -> bool:
        # The sheet goes last: a deletion that was cut off can be asked for again.
        await self._favorites.delete(equal(sheet_id=sheet_id))
        was_there = await self._sheets.delete(equal(_id=sheet_id)) > 0
        await self._favorites.delete(equal(sheet_id=sheet_id))  # those of the moment between
        return was_there

    async def search(self, query: SheetQuery, limit: int, cursor: str | None = None) -> Page[Sheet]:
        return await self._searching.run(lambda: self._search.page(query, limit, cursor))

    async def facets(self, query: SheetQuery) -> SheetFacets:
        return await self._searching.run(lambda: self._search.facets(query))

    async def like(self, user_id: str, sheet_id: str, now: int, most: int) -> bool:
        key = _favorite_id(user_id, sheet_id)
        try:
            await self._favorites.insert({"_id": key, "user_id": user_id, "sheet_id": sheet_id, "created": now})
        except Conflict:
            return False
        if await self._sheets.find_one(equal(_id=sheet_id)) is None:  # asked afterwards: a deletion may be under way
            await self._favorites.delete({"_id": {"$eq": key}})
            raise NotFound("no such sheet")
        if await self._favorites.count(equal(user_id=user_id)) > most:
            await self._favorites.delete({"_id": {"$eq": key}})
            raise TooMany(f"more than {most} favourites")
        return True

    async def unlike(self, user_id: str, sheet_id: str) -> bool:
        return await self._favorites.delete({"_id": {"$eq": _favorite_id(user_id, sheet_id)}}) > 0

    async def likes(self, sheet_ids: Ids[str]) -> dict[str, int]:
        stages: list[Document] = [{"$match": _any_of("sheet_id", sheet_ids)}, {"$sortByCount": "$sheet_id"}]
        return {document["_id"]: document["count"] for document in await self._favorites.aggregate(stages)}

    async def liked(self, user_id: str, sheet_ids: Ids[str]) -> set[str]:
        keys = [_favorite_id(user_id, sheet_id) for sheet_id in sheet_ids]
        found = await self._favorites.find({"_id": {"$in": keys}}, [("_id", 1)])
        return {document["sheet_id"] for document in found}

    async def add_views(self, views: Mapping[str, int]) -> None:
        await self._sheets.add_to_each("views", views)

    async def spend_upload(self, user_id: str, day: int, most: int) -> bool:
        key = {"user_id": user_id, "day": day}
        purge_at = purge_date((day + 2) * DAY_MS)
        update = {"$inc": {"count": 1}, "$setOnInsert": {"purge_at": purge_at}}
        for _ in range(_ATTEMPTS):
            try:
                await self._counters.change({"_id": {"$eq": key}, "count": {"$lt": most}}, update, upsert=True)
            except Conflict:  # It is there: no longer below `most`, or made by somebody else at the same time.
                counter = await self._counters.find_one({"_id": {"$eq": key}})
                if counter is not None and counter["count"] >= most:
                    return False
            else:
                return True
        raise StoreUnavailable("the uploads are being counted all the time")

    async def return_upload(self, user_id: str, day: int) -> None:
        key = {"user_id": user_id, "day": day}
        await self._counters.change({"_id": {"$eq": key}, "count": {"$gt": 0}}, {"$inc": {"count": -1}})

    async def misindexed(self, sheet_ids: Ids[str], *, mend: bool = False) -> set[str]:
        wrong: set[str] = set()
        for document in await self._sheets.find(_any_of("_id", sheet_ids), [("_id", 1)]):
            found_by = _found_by(_sheet(document))
            if any(document.get(field) != value for field, value in found_by.items()):
                wrong.add(document["_id"])
                if mend:  # one that is changed meanwhile gets its words by that
                    unchanged = {"_id": {"$eq": document["_id"]}, "version": {"$eq": document.get("version")}}
                    await self._sheets.change(unchanged, {"$set": found_by, "$inc": {"version": 1}})
        return wrong

    async def strays(self, *, remove: bool = False) -> dict[str, int]:
        last, count = "", 0
        while favorites := await self._favorites.find({"sheet_id": {"$gt": last}}, [("sheet_id", 1)], limit=PAGE):
            last = favorites[-1]["sheet_id"]
            lost = _any_of("sheet_id", await self._gone({favorite["sheet_id"] for favorite in favorites}))
            count += await (self._favorites.delete(lost) if remove else self._favorites.count(lost))
        return {"favourites": count} if count else {}

    async def _gone(self, sheet_ids: set[str]) -> set[str]:
        stages: list[Document] = [{"$match": _any_of("_id", sheet_ids)}, {"$project": {"_id": 1}}]
        return sheet_ids - {document["_id"] for document in await self._sheets.aggregate(stages)}

    async def _require_file(self, hash_: str) -> None:
        if await self._files.find_one(equal(_id=hash_)) is None:
            raise NotFound("no such file")


def _favorite_id(user_id: str, sheet_id: str) -> Document:
    return {"user_id": user_id, "sheet_id": sheet_id}
