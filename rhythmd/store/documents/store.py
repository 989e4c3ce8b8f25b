"""One MongoDB database as a store."""

from collections.abc import Mapping, Sequence
from typing import Final

from rhythmd.store.documents.accounts import (
    ACCOUNT_INDEXES,
    UNVERIFIED_KEYS,
    MongoAccounts,
    MongoExternalIdentities,
)
from rhythmd.store.documents.audit import AUDIT_INDEXES, MongoAudit
from rhythmd.store.documents.chat import CHAT_INDEXES, MongoChat
from rhythmd.store.documents.mapping import fill_looks
from rhythmd.store.documents.recordings import RECORDING_INDEXES, MongoRecordings
from rhythmd.store.documents.rooms import ROOM_INDEXES, SANCTION_INDEXES, MongoRooms
from rhythmd.store.documents.sessions import SESSION_INDEXES, SPENT_TOKEN_INDEXES, MongoSessions
from rhythmd.store.documents.sheet_search import SHEET_INDEXES
from rhythmd.store.documents.sheets import FAVORITE_INDEXES, SHEET_FILE_INDEXES, UPLOAD_INDEXES, MongoSheets
from rhythmd.store.mongo import Collection, Database, DriverName, Index

__all__ = ["MongoStore"]

_INDEXES: Final[Mapping[str, Sequence[Index]]] = {
    "accounts": ACCOUNT_INDEXES,
    "sessions": SESSION_INDEXES,
    "spent_tokens": SPENT_TOKEN_INDEXES,
    "rooms": ROOM_INDEXES,
    "sanctions": SANCTION_INDEXES,
    "chat": CHAT_INDEXES,
    "recordings": RECORDING_INDEXES,
    "sheets": SHEET_INDEXES,
    "sheet_files": SHEET_FILE_INDEXES,
    "favorites": FAVORITE_INDEXES,
    "sheet_counters": UPLOAD_INDEXES,
    "audit": AUDIT_INDEXES,
}


class MongoStore:
    """`rhythmd.ports.Store` on MongoDB.

    Args:
        url: `mongodb://…`.
        database: its name.
        driver: the library that talks to it.
        find_s: how long to look for a server that can be written to before StoreUnavailable is raised.
        timeout_s: how long a call may take in all.
        high_mark: calls that may wait at once; further ones raise StoreUnavailable.
    """

    def __init__(
        self,
        url: str,
        database: str = "rhythmd",
        driver: DriverName = "motor",
        *,
        find_s: float = 2.0,
        timeout_s: float = 5.0,
        high_mark: int = 10_000,
    ) -> None:
        self._database = Database(url, database, driver, find_s=find_s, timeout_s=timeout_s, high_mark=high_mark)
        accounts = self._collection("accounts")
        chat, sessions = self._collection("chat"), self._collection("sessions")
        self.accounts = MongoAccounts(accounts, sessions)
        self.identities = MongoExternalIdentities(accounts)
        self.sessions = MongoSessions(accounts, sessions, self._collection("spent_tokens"))
        self.rooms = MongoRooms(self._collection("rooms"), self._collection("sanctions"), chat)
        self.chat = MongoChat(chat, self._collection("counters"))
        self.recordings = MongoRecordings(self._collection("recordings"))
        self.sheets = MongoSheets(
            self._collection("sheets"),
            self._collection("sheet_files"),
            self._collection("favorites"),
            self._collection("sheet_counters"),
        )
        self.audit = MongoAudit(self._collection("audit"))

    def _collection(self, name: str) -> Collection:
        return Collection(self._database, name)

    async def start(self) -> None:
        await self._database.open()
        for name, indexes in _INDEXES.items():
            await self._collection(name).index(indexes)
        await fill_looks(self._collection("accounts"), "usertag")
        await fill_looks(self._collection("rooms"), "name")
        # The role was called so while it gave no rights.
        await self._collection("accounts").change_all({"roles": "sheet-editor"}, {"$set": {"roles.$": "editor"}})

        await self._collection("accounts").change_all(UNVERIFIED_KEYS, {"$set": {"email_key": None}})

    async def close(self) -> None:
        await self._database.close()

    async def ping(self) -> None:
        await self._database.command("ping")

    async def probe(self, now: int) -> None:
        await self._collection("probes").put({"_id": "probe", "time": now})

    async def check(self) -> list[str]:
        problems: list[str] = []
        for name in _INDEXES:
            report = await self._database.command("validate", name)
            problems += [f"{name}: {error}" for error in report["errors"]]
        return problems

    async def expire(self, now: int) -> None:
        """Nothing is left to do: the TTL indexes on `purge_at` remove what is over, for all nodes."""
