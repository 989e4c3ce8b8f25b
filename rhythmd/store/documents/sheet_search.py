"""How sheets are found: by an index over their words, and by conditions.

MongoDB's own text index is not used: it finds no beginnings of words, takes a line of Japanese for one word, and asks
for one of several words rather than for all. Instead each sheet has its words (`rhythmd.store.words`) in a list, and a
multikey index over that list is what a text index is inside: from word to sheets, in order, so that all words with one
beginning are a range of it. A user's text is only ever an end of such a range; nothing of it is an expression.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from typing import Final

from msgspec import structs

from rhythmd.rows import FACET_LIMIT, FACET_TAGS, Page, Sheet, SheetFacets, SheetQuery, SheetScope, SheetSort
from rhythmd.store.documents.mapping import equal, from_document
from rhythmd.store.mongo import Collection, Document, Index
from rhythmd.store.search import SheetPlace, sheet_page, sheet_place
from rhythmd.store.words import END, query_words

__all__ = ["SHEET_INDEXES", "SheetSearch"]

SHEET_INDEXES: Final = (
    Index(("number",), unique=True),
    Index(("hash",)),
    Index(("words",)),
    Index(("title_words",)),
    Index(("listed", "number")),
    Index(("listed", "views", "number")),
    Index(("listed", "category", "number")),
    Index(("creator_id", "number")),
    Index(("privacy", "approval", "number")),
    Index(("tags", "number")),
)
# MongoDB takes longer to count groups than to hand over the values.
_VALUES: Final[Document] = {
    "$group": {"_id": None} | {field: {"$push": f"${field}"} for field in ("category", "difficulty", "tags")}
}
_NOTHING: Final[Document] = {"_id": {"$in": []}}


def _whole(field: str, words: Sequence[str]) -> Document:
    return {field: {"$all": list(words)}}


def _begun(field: str, words: Sequence[str]) -> Document:
    return {"$and": [{field: {"$elemMatch": {"$gte": word, "$lt": word + END}}} for word in words]}


def _tiers(words: Sequence[str]) -> list[Document]:
    """A condition for the sheets of each tier, and of no better one."""
    exact, begun, anywhere = _whole("title_words", words), _begun("title_words", words), _begun("words", words)
    return [exact, {**begun, "$nor": [exact]}, {**anywhere, "$nor": [begun]}]


def _matches(query: SheetQuery) -> list[Document]:
    """Conditions for the words, one after the other: several if the words matter for the order."""
    if not query.text.strip():
        return [{}]
    words = query_words(query.text)
    if not words:
        return []
    return _tiers(words) if query.sort is SheetSort.BEST else [_begun("words", words)]


def _scope(query: SheetQuery) -> Document:
    open_to_all = {"privacy": {"$ne": "private"}, "approval": {"$ne": "rejected"}, "rejection": ""}
    readable = [equal(creator_id=query.viewer), open_to_all]
    scopes: dict[SheetScope, Document] = {
        SheetScope.LISTED: {"listed": True},
        SheetScope.PUBLIC: {"privacy": "public"},
        SheetScope.OWN: equal(creator_id=query.viewer),
        SheetScope.READABLE: {"$or": readable},
    }
    return scopes[query.scope]


def _after(query: SheetQuery, place: SheetPlace) -> Document:
    if query.sort is SheetSort.OLDEST:
        return {"number": {"$gt": place.number}}
    if query.sort is SheetSort.VIEWED:
        behind = {"views": place.value, "number": {"$lt": place.number}}
        return {"views": {"$lte": place.value}, "$or": [{"views": {"$lt": place.value}}, behind]}
    return {"number": {"$lt": place.number}}


def _order(sort: SheetSort) -> list[tuple[str, int]]:
    if sort is SheetSort.VIEWED:
        return [("views", -1), ("number", -1)]
    return [("number", 1 if sort is SheetSort.OLDEST else -1)]


class SheetSearch:
    """Finds sheets.

    Args:
        sheets: the collection.
        favorites: that of favourites.
    """

    def __init__(self, sheets: Collection, favorites: Collection) -> None:
        self._sheets = sheets
        self._favorites = favorites

    async def page(self, query: SheetQuery, limit: int, cursor: str | None) -> Page[Sheet]:
        """A page of what is found. Raises InvalidCursor."""
        place = sheet_place(query, cursor)
        filters = await self._filters(query)
        rows: list[tuple[int, Sheet]] = []
        for tier, match in enumerate(_matches(query)):
            wanted = [*filters, match]
            if place is not None and (query.sort is not SheetSort.BEST or tier == place.value):
                wanted.append(_after(query, place))
            elif place is not None and tier < place.value:
                continue
            found = await self._sheets.find({"$and": wanted}, _order(query.sort), limit=limit + 1 - len(rows))
            sheets = [from_document(document, Sheet) for document in found]
            rows += [(sheet.views if query.sort is SheetSort.VIEWED else tier, sheet) for sheet in sheets]
            if len(rows) > limit:
                break
        return sheet_page(query, rows, limit)

    async def facets(self, query: SheetQuery) -> SheetFacets:
        """How many of what is found have each value."""
        matches = _matches(structs.replace(query, sort=SheetSort.NEWEST)) or [_NOTHING]
        where = {"$and": [*await self._filters(query), *matches]}
        found = await self._sheets.aggregate([{"$match": where}, {"$limit": FACET_LIMIT}, _VALUES])
        values: Document = found[0] if found else {"category": [], "difficulty": [], "tags": []}
        total = len(values["category"])
        each_tag = Counter[str](chain.from_iterable(values["tags"]))
        frequent = sorted(each_tag.items(), key=lambda item: (-item[1], item[0]))[:FACET_TAGS]
        return SheetFacets(
            total=total,
            complete=total < FACET_LIMIT,
            category=dict(Counter[str](values["category"])),
            difficulty=dict(Counter[str](values["difficulty"])),
            tags=dict(frequent),
        )

    async def _filters(self, query: SheetQuery) -> list[Document]:
        wanted = {
            "category": query.category,
            "difficulty": query.difficulty,
            "tags": query.tag,
            "creator_id": query.creator,
            "approval": query.approval,
        }
        given = equal(**{field: str(value) for field, value in wanted.items() if value is not None})
        filters = [_scope(query), given]
        if query.favorite:
            liked = await self._favorites.find(equal(user_id=query.viewer), [("created", 1)])
            filters.append({"_id": {"$in": [favorite["sheet_id"] for favorite in liked]}})
        return filters
