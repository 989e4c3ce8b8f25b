"""MongoDB's two drivers behind one interface; no other file imports them.

What is acknowledged is in the journals of a majority. Filters and updates are written by the callers here in
`rhythmd.store.documents`; values that come from outside stand behind `$eq` or in a field that is set, where
MongoDB takes no operator.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, Literal, NamedTuple

from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo import AsyncMongoClient, IndexModel, ReturnDocument, WriteConcern
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError, ConfigurationError, DuplicateKeyError, PyMongoError

from rhythmd.errors import ConfigError
from rhythmd.ports import Conflict, StoreUnavailable
from rhythmd.telemetry import Outage

__all__ = ["Collection", "Database", "Document", "DriverName", "Index"]

Document = dict[str, Any]
DriverName = Literal["motor", "pymongo"]

_Client = AsyncIOMotorClient[Document] | AsyncMongoClient[Document]
_Database = AsyncIOMotorDatabase[Document] | AsyncDatabase[Document]
_Collection = AsyncIOMotorCollection[Document] | AsyncCollection[Document]

_DUPLICATE_KEY: Final = 11000


class Index(NamedTuple):
    """An index to have.

    Args:
        fields: each ascending.
        unique: no two documents have the same values there.
        optional: documents without text in the last field are left out.
        ttl: MongoDB removes a document when the time in the field is over.
    """

    fields: tuple[str, ...]
    unique: bool = False
    optional: bool = False
    ttl: bool = False

    def model(self) -> IndexModel:
        options: Document = {"unique": True} if self.unique else {}
        if self.optional:
            # All text, and only text; unlike $type, the planner sees that an equal text is among it.
            options["partialFilterExpression"] = {self.fields[-1]: {"$gte": ""}}
        if self.ttl:
            options["expireAfterSeconds"] = 0
        return IndexModel([(field, 1) for field in self.fields], **options)


class _Driver(NamedTuple):
    """Where the drivers differ, as far as they are used here."""

    connect: Callable[..., _Client]
    close: Callable[[Any], Awaitable[None]]


async def _close_motor(client: AsyncIOMotorClient[Document]) -> None:
    await asyncio.to_thread(client.close)  # It says goodbye to the server, and waits for it.


_DRIVERS: Final[Mapping[DriverName, _Driver]] = {
    "motor": _Driver(AsyncIOMotorClient, _close_motor),
    "pymongo": _Driver(AsyncMongoClient, AsyncMongoClient.close),
}


def _taken_field(error: DuplicateKeyError) -> str:
    """The last field of the index that refused, as it is called in the row."""
    pattern: Mapping[str, int] = (error.details or {}).get("keyPattern", {"_id": 1})
    return list(pattern)[-1].rpartition(".")[2].removesuffix("_key").removeprefix("_")


def _is_only_duplicates(error: BulkWriteError) -> bool:
    details = error.details or {}
    writes = details.get("writeErrors", [])
    return not details.get("writeConcernErrors") and all(write["code"] == _DUPLICATE_KEY for write in writes)


class Database:
    """A connection to one database. It finds its way back by itself when the server was away.

    Args:
        url: `mongodb://…`.
        name: of the database.
        driver: which library talks to it.
        find_s: how long to look for a server that can be written to.
        timeout_s: after which a call raises StoreUnavailable.
    """

    def __init__(self, url: str, name: str, driver: DriverName, *, find_s: float, timeout_s: float) -> None:
        self._url = url
        self._name = name
        self._driver = _DRIVERS[driver]
        self._options = {
            "serverSelectionTimeoutMS": round(find_s * 1000),
            "timeoutMS": round(timeout_s * 1000),
            "appname": "rhythmd",
        }
        self._client: _Client | None = None
        self._outage = Outage("MongoDB")

    async def open(self) -> None:
        """Raises ConfigError if the URL is not one."""
        if self._client is not None:
            return
        try:
            # In a thread: the constructors look at files and, for `mongodb+srv`, ask name servers.
            self._client = await asyncio.to_thread(self._driver.connect, self._url, **self._options)
        except ConfigurationError as error:
            raise ConfigError(f"mongo.url: {error}") from error

    async def close(self) -> None:
        if self._client is not None:
            client, self._client = self._client, None
            await self._driver.close(client)

    @property
    def database(self) -> _Database:
        """Raises StoreUnavailable while it is not open."""
        if self._client is None:
            raise StoreUnavailable("the store is not open")
        return self._client.get_database(self._name, write_concern=WriteConcern("majority", j=True))

    async def command(self, command: str, value: str | int = 1) -> Document:
        """What the server answers to a command of this database."""
        with self.translated():
            return await self.database.command(command, value)

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Around each call of the driver: raise the port's errors in place of the driver's."""
        try:
            yield
        except DuplicateKeyError as error:
            raise Conflict(_taken_field(error)) from error
        except PyMongoError as error:
            self._outage.began(error)
            raise StoreUnavailable(f"MongoDB: {error}") from error
        else:
            self._outage.over()


class Collection:
    """The calls that the stores need of one collection."""

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self.name = name

    @property
    def _collection(self) -> _Collection:
        return self._database.database[self.name]

    async def index(self, indexes: Sequence[Index]) -> None:
        """Create those of the indexes that are not there."""
        with self._database.translated():
            await self._collection.create_indexes([index.model() for index in indexes])

    async def insert(self, document: Document) -> None:
        """Raises Conflict."""
        with self._database.translated():
            await self._collection.insert_one(document)

    async def insert_new(self, documents: Sequence[Document]) -> None:
        """Insert those whose `_id` is not there."""
        with self._database.translated():
            try:
                await self._collection.insert_many(documents, ordered=False)
            except BulkWriteError as error:
                if not _is_only_duplicates(error):
                    raise

    async def put(self, document: Document) -> None:
        """Insert it, or replace the one with its `_id`."""
        with self._database.translated():
            await self._collection.replace_one({"_id": document["_id"]}, document, upsert=True)

    async def find_one(self, where: Document) -> Document | None:
        with self._database.translated():
            return await self._collection.find_one(where)

    async def find(
        self, where: Document, sort: Sequence[tuple[str, int]], *, limit: int | None = None, skip: int = 0
    ) -> list[Document]:
        """The matching documents in the order of `sort`; 1 is ascending, -1 descending."""
        if limit == 0:  # MongoDB's word for "all".
            return []
        with self._database.translated():
            return await self._collection.find(where, sort=sort, limit=limit or 0, skip=skip).to_list(None)

    async def change(self, where: Document, update: Document, *, upsert: bool = False) -> Document | None:
        """Update one document in one step; the document as it is now. Raises Conflict."""
        with self._database.translated():
            return await self._collection.find_one_and_update(
                where, update, upsert=upsert, return_document=ReturnDocument.AFTER
            )

    async def change_all(self, where: Document, update: Document) -> None:
        with self._database.translated():
            await self._collection.update_many(where, update)

    async def delete(self, where: Document) -> int:
        """How many there were."""
        with self._database.translated():
            return (await self._collection.delete_many(where)).deleted_count
