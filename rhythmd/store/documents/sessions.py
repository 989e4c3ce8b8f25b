"""Login sessions and the refresh tokens that they have used up."""

import asyncio
from collections.abc import Sequence
from typing import Final

from rhythmd.ports import NotFound
from rhythmd.rows import Account, LoginSession, Page, Rotation, RotationOutcome
from rhythmd.store.documents.mapping import equal, find_page, from_document, purge_date, to_document
from rhythmd.store.mongo import Collection, Document, Index

__all__ = ["SESSION_INDEXES", "SPENT_TOKEN_INDEXES", "MongoSessions"]

MOST_ENDED: Final = 10_000
SESSION_INDEXES: Final = (
    Index(("revoked",)),
    Index(("token_hash",), unique=True),
    Index(("user_id", "created", "_id")),
    Index(("purge_at",), ttl=True),
)
SPENT_TOKEN_INDEXES: Final = (Index(("purge_at",), ttl=True),)


def _session(document: Document) -> LoginSession:
    return from_document(document, LoginSession)


def _live(now: int) -> Document:
    return {"revoked": None, "expires": {"$gt": now}}


class MongoSessions:
    """`rhythmd.ports.SessionStore` on MongoDB.

    The session's document alone decides which token is good. A token is noted as spent before it is exchanged, so
    that a crash in between leaves no used token unknown; while it is still the session's, the note means nothing.
    """

    def __init__(self, accounts: Collection, sessions: Collection, spent_tokens: Collection) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._spent_tokens = spent_tokens

    async def create(self, session: LoginSession) -> None:
        if await self._accounts.find_one(equal(_id=session.user_id)) is None:
            raise NotFound("no such account")
        await self._sessions.insert({**to_document(session), "purge_at": purge_date(session.expires)})

    async def get(self, session_id: str, now: int) -> LoginSession | None:
        document = await self._sessions.find_one({**equal(_id=session_id), **_live(now)})
        return None if document is None else _session(document)

    async def with_account(self, session_id: str, user_id: str, now: int) -> tuple[LoginSession | None, Account | None]:
        session, account = await asyncio.gather(self.get(session_id, now), self._accounts.find_one(equal(_id=user_id)))
        return session, None if account is None else from_document(account, Account)

    async def rotate(self, token_hash: bytes, new_hash: bytes, now: int, expires: int) -> Rotation:
        session = await self._exchange(token_hash, new_hash, now, expires)
        if session is not None:
            return Rotation(outcome=RotationOutcome.ROTATED, session=_session(session))
        session = await self._revoke_replayed(token_hash, now)
        if session is not None:
            return Rotation(outcome=RotationOutcome.REPLAYED, session=_session(session))
        return Rotation(outcome=RotationOutcome.UNKNOWN)

    async def page(self, user_id: str, now: int, limit: int, cursor: str | None = None) -> Page[LoginSession]:
        where = {**equal(user_id=user_id), **_live(now)}
        return await find_page(self._sessions, _session, where, limit, cursor)

    async def revoke(self, user_id: str, session_id: str, now: int) -> bool:
        where = {**equal(_id=session_id, user_id=user_id), **_live(now)}
        return await self._sessions.change(where, {"$set": {"revoked": now}}) is not None

    async def revoke_all(self, user_id: str, now: int, keep: str | None = None) -> list[str]:
        where = {**equal(user_id=user_id), "_id": {"$ne": keep}, **_live(now)}
        ids = [str(session["_id"]) for session in await self._sessions.find(where, [("_id", 1)])]
        await self._sessions.change_all({"_id": {"$in": ids}, "revoked": None}, {"$set": {"revoked": now}})
        return ids

    async def trim(self, user_id: str, most: int, now: int) -> list[str]:
        sessions = await self._sessions.find(equal(user_id=user_id), [("last_used", -1), ("created", -1)])
        ids: dict[bool, list[str]] = {True: [], False: []}  # of those that are open, and of others
        for session in sessions:
            ids[session["revoked"] is None and session["expires"] > now].append(str(session["_id"]))
        surplus = [*ids[True], *ids[False]][most:]
        if surplus:
            await self._sessions.delete({"_id": {"$in": surplus}})
        return ids[True][most:]

    async def of_banned(self, since: int, now: int) -> list[LoginSession]:
        ended = await self._sessions.find({"revoked": {"$gt": since}}, [("revoked", -1)], limit=MOST_ENDED)
        users = {"_id": {"$in": list({session["user_id"] for session in ended})}, "banned_until": {"$gt": now}}
        banned = {account["_id"] for account in await self._accounts.find(users, [("_id", 1)])} if ended else set()
        return [_session(session) for session in ended if session["user_id"] in banned]

    async def of_muted(self, since: int, now: int) -> list[tuple[LoginSession, int]]:
        users = {"muted_since": {"$gt": since}, "muted_until": {"$gt": now}}
        accounts = await self._accounts.find(users, [("muted_since", -1)], limit=MOST_ENDED)
        muted: dict[str, int] = {account["_id"]: account["muted_since"] for account in accounts}
        where = {"user_id": {"$in": list(muted)}}
        found = await self._sessions.find(where, [("created", -1)], limit=MOST_ENDED) if muted else []
        return [(_session(session), muted[session["user_id"]]) for session in found]

    async def revoked(self, session_ids: Sequence[str]) -> list[str]:
        where = {"_id": {"$in": list(session_ids)}, "revoked": None}
        alive = {session["_id"] for session in await self._sessions.find(where, [("_id", 1)])}
        return [session_id for session_id in session_ids if session_id not in alive]

    async def _exchange(self, token_hash: bytes, new_hash: bytes, now: int, expires: int) -> Document | None:
        """The session after its token was exchanged; None if the token is not that of a live session."""
        where = {**equal(token_hash=token_hash), **_live(now)}
        session = await self._sessions.find_one(where)
        if session is None:
            return None
        times = {"expires": expires, "purge_at": purge_date(expires)}
        await self._spent_tokens.put({"_id": token_hash, "session_id": session["_id"], **times})
        return await self._sessions.change(where, {"$set": {"token_hash": new_hash, "last_used": now, **times}})

    async def _revoke_replayed(self, token_hash: bytes, now: int) -> Document | None:
        """The session that has used up the token, revoked; None if there is none."""
        spent = await self._spent_tokens.find_one({**equal(_id=token_hash), "expires": {"$gt": now}})
        if spent is None:
            return None
        session = {**equal(_id=spent["session_id"]), "token_hash": {"$ne": token_hash}}
        revoked = await self._sessions.change({**session, "revoked": None}, {"$set": {"revoked": now}})
        return revoked or await self._sessions.find_one(session)
