"""MongoDB's two drivers behind one interface; no other file imports them. Motor need not be there.

What is acknowledged is in the journals of a majority. Filters and updates are written by the callers here in
`rhythmd.store.documents`; values that come from outside stand behind `$eq` or in a field that is set, where
MongoDB takes no operator.
"""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any, Final, Literal, NamedTuple

from pymongo import AsyncMongoClient, IndexModel, ReturnDocument, UpdateOne, WriteConcern
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError, ConfigurationError, DuplicateKeyError, PyMongoError

from rhythmd.errors import ConfigError
from rhythmd.ports import Conflict, StoreUnavailable
from rhythmd.store.waiting import WaitingCalls
from rhythmd.telemetry import OutageLog

__all__ = ["Collection", "Database", "Document", "DriverName", "Index"]

Document = dict[str, Any]
DriverName = Literal["motor", "pymongo"]

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

    connect: Callable[..., Any] | None
    close: Callable[[Any], Awaitable[None]]


def _import_motor() -> Any:
    """Motor's client; None where only PyMongo is installed."""
    try:
        return import_module("motor.motor_asyncio").AsyncIOMotorClient
    except ImportError:
        return None


async def _close_motor(client: Any) -> None:
    await asyncio.to_thread(client.close)  # It says goodbye to the server, and waits for it.


_DRIVERS: Final[Mapping[DriverName, _Driver]] = {
    "motor": _Driver(_import_motor(), _close_motor),
    "pymongo": _Driver(AsyncMongoClient, AsyncMongoClient.close),
}


def _taken_field(error: DuplicateKeyError) -> str:
    """The last field of the index that refused, as it is called in the row."""
    pattern: Mapping[str, int] = (error.details or {}).get("keyPattern", {"_id": 1})
    return list(pattern)[-1].rpartition(".")[2].removesuffix("_key").removesuffix("_look").removeprefix("_")


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
        high_mark: calls that may wait; further ones are refused until half of them are done.
    """

    def __init__(
        self, url: str, name: str, driver: DriverName, *, find_s: float, timeout_s: float, high_mark: int
    ) -> None:
        self._url = url
        self._name = name
        self._driver = _DRIVERS[driver]
        self._timeout_s = timeout_s
        # Not `timeoutMS`, which would take the place of all the others: no server would cost as much as a slow one.
        self._options = {
            "serverSelectionTimeoutMS": round(find_s * 1000),
            "connectTimeoutMS": round(find_s * 1000),
            "socketTimeoutMS": round(timeout_s * 1000),
            "appname": "rhythmd",
        }
        self._client: Any = None
        self._waiting_calls = WaitingCalls(high_mark)
        self._outage = OutageLog("MongoDB")

    async def open(self) -> None:
        """Raises ConfigError if the URL is not one."""
        if self._client is not None:
            return
        if self._driver.connect is None:
            raise ConfigError("mongo.driver = \"motor\" needs the package motor: pip install 'rhythmd[mongo]'")
        try:
            # In a thread: the constructors look at files and, for `mongodb+srv`, ask name servers.
            self._client = await asyncio.to_thread(self._driver.connect, self._url, **self._options)
        except (ConfigurationError, ValueError) as error:
            raise ConfigError(f"mongo.url: {error}") from error

    async def close(self) -> None:
        if self._client is not None:
            client, self._client = self._client, None
            await self._driver.close(client)

    async def command(self, command: str, value: str | int = 1) -> Document:
        """What the server answers to a command of this database."""
        async with self.call() as database:
            return await database.command(command, value)

    @asynccontextmanager
    async def call(self) -> AsyncIterator[AsyncDatabase[Any]]:
        """Around each call of the driver: hold it to its time, and raise the port's errors in place of the driver's."""
        self._waiting_calls.enter()
        try:
            async with asyncio.timeout(self._timeout_s):
                yield self._open_database()
        except DuplicateKeyError as error:
            raise Conflict(_taken_field(error)) from error
        except PyMongoError as error:
            raise self._away(f"MongoDB: {error}") from error
        except TimeoutError as error:
            raise self._away(f"no answer from MongoDB within {self._timeout_s} s") from error
        else:
            self._outage.over()
        finally:
            self._waiting_calls.leave()

    def _away(self, text: str) -> StoreUnavailable:
        error = StoreUnavailable(text)
        self._outage.began(error)
        return error

    def _open_database(self) -> Any:
        if self._client is None:
            raise StoreUnavailable("the store is not open")
        return self._client.get_database(self._name, write_concern=WriteConcern("majority", j=True))


class Collection:
    """The calls that the stores need of one collection."""

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name

    async def index(self, indexes: Sequence[Index]) -> None:
        """Create those of the indexes that are not there."""
        async with self._database.call() as database:
            await database[self._name].create_indexes([index.model() for index in indexes])

    async def insert(self, document: Document) -> None:
        """Raises Conflict."""
        async with self._database.call() as database:
            await database[self._name].insert_one(document)

    async def insert_new(self, documents: Sequence[Document]) -> None:
        """Insert those whose `_id` is not there."""
        async with self._database.call() as database:
            try:
                await database[self._name].insert_many(documents, ordered=False)
            except BulkWriteError as error:
                if not _is_only_duplicates(error):
                    raise

    async def put(self, document: Document) -> None:
        """Insert it, or replace the one with its `_id`."""
        async with self._database.call() as database:
            await database[self._name].replace_one({"_id": document["_id"]}, document, upsert=True)

    async def find_one(self, where: Document) -> Document | None:
        async with self._database.call() as database:
            return await database[self._name].find_one(where)

    async def find(
        self, where: Document, sort: Sequence[tuple[str, int]], *, limit: int | None = None, skip: int = 0
    ) -> list[Document]:
        """The matching documents in the order of `sort`; 1 is ascending, -1 descending."""
        if limit == 0:  # MongoDB's word for "all".
            return []
        async with self._database.call() as database:
            return await database[self._name].find(where, sort=sort, limit=limit or 0, skip=skip).to_list(None)

    async def aggregate(self, stages: Sequence[Document]) -> list[Document]:
        """What comes out of a pipeline of these stages."""
        async with self._database.call() as database:
            found: Any = database[self._name].aggregate(list(stages))
            cursor = await found if inspect.isawaitable(found) else found
            documents: list[Document] = await cursor.to_list(None)
            return documents

    async def count(self, where: Document) -> int:
        async with self._database.call() as database:
            return await database[self._name].count_documents(where)

    async def change(self, where: Document, update: Document, *, upsert: bool = False) -> Document | None:
        """Update one document in one step; the document as it is now. Raises Conflict."""
        async with self._database.call() as database:
            return await database[self._name].find_one_and_update(
                where, update, upsert=upsert, return_document=ReturnDocument.AFTER
            )

    async def change_all(self, where: Document, update: Document) -> None:
        async with self._database.call() as database:
            await database[self._name].update_many(where, update)

    async def add_to_each(self, field: str, amounts: Mapping[str, int]) -> None:
        """Increase a number of each document that has one of these ids; others are passed over."""
        if not amounts:
            return
        updates = [UpdateOne({"_id": {"$eq": row_id}}, {"$inc": {field: amount}}) for row_id, amount in amounts.items()]
        async with self._database.call() as database:
            await database[self._name].bulk_write(updates, ordered=False)

    async def delete(self, where: Document) -> int:
        """How many there were."""
        async with self._database.call() as database:
            return (await database[self._name].delete_many(where)).deleted_count
