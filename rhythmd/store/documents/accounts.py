"""Accounts, with the identities that log in to them inside: both are then added in one step."""

from collections.abc import Sequence
from typing import Final

import msgspec

from rhythmd.ports import Conflict, LastIdentity, NotFound
from rhythmd.rows import Account, AccountChanges, ExternalIdentity, Page, fold
from rhythmd.store.documents.mapping import add_keys, add_looks, equal, find_page, from_document, to_document
from rhythmd.store.mongo import Collection, Document, Index

__all__ = ["ACCOUNT_INDEXES", "UNVERIFIED_KEYS", "MongoAccounts", "MongoExternalIdentities"]

ACCOUNT_INDEXES: Final = (
    Index(("usertag_key",), unique=True),
    Index(("usertag_look",), unique=True, optional=True),
    Index(("email_key",), unique=True, optional=True),
    Index(("created", "_id")),
    Index(("profile.avatar",), optional=True),
    Index(("muted_since",)),
    Index(("identities.provider", "identities.subject"), unique=True, optional=True),
)
_FOLDED: Final = ("usertag",)
_LOOKED: Final = ("usertag",)
UNVERIFIED_KEYS: Final[Document] = {"email_verified": False, "email_key": {"$type": "string"}}
"""Accounts of versions in which an address was an account's before it was verified there."""
_OTHER_LOGINS: Final = ({"password_hash": {"$ne": None}}, {"identities.1": {"$exists": True}})
"""Either leaves a way to log in when an identity is taken away."""


def _account(document: Document) -> Account:
    return from_document(document, Account)


def _add_email_key(document: Document) -> Document:
    """The document with the address's folded form if it is verified. Both fields are there, or neither."""
    if "email" in document:
        email = document["email"]
        document["email_key"] = fold(email) if email is not None and document["email_verified"] else None
    return document


def _identity_document(identity: ExternalIdentity) -> Document:
    document: Document = msgspec.to_builtins(identity)
    del document["user_id"]
    return document


def _identities(account: Document) -> list[ExternalIdentity]:
    return [msgspec.convert({**inner, "user_id": account["_id"]}, ExternalIdentity) for inner in account["identities"]]


class MongoAccounts:
    """`rhythmd.ports.AccountStore` on MongoDB."""

    def __init__(self, accounts: Collection, sessions: Collection) -> None:
        self._accounts = accounts
        self._sessions = sessions

    async def create(self, account: Account, identity: ExternalIdentity | None = None) -> None:
        identities = [] if identity is None else [_identity_document(identity)]
        document = _add_email_key(add_looks(to_document(account, _FOLDED), _LOOKED))
        await self._accounts.insert({**document, "identities": identities})

    async def get(self, user_id: str) -> Account | None:
        return await self._find(equal(_id=user_id))

    async def by_usertag(self, usertag: str) -> Account | None:
        return await self._find(equal(usertag_key=fold(usertag)))

    async def by_email(self, email: str) -> Account | None:
        return await self._find(equal(email_key=fold(email)))

    async def update(self, user_id: str, changes: AccountChanges) -> Account:
        fields = add_keys(add_looks(msgspec.to_builtins(changes, order="deterministic"), _LOOKED), _FOLDED)
        document = await self._accounts.change(equal(_id=user_id), {"$set": _add_email_key(fields)})
        if document is None:
            raise NotFound("no such account")
        return _account(document)

    async def delete(self, user_id: str) -> bool:
        await self._sessions.delete(equal(user_id=user_id))
        return await self._accounts.delete(equal(_id=user_id)) > 0

    async def page(self, limit: int, cursor: str | None = None) -> Page[Account]:
        return await find_page(self._accounts, _account, {}, limit, cursor)

    async def updated(self, user_ids: Sequence[str], since: int) -> list[Account]:
        where = {"_id": {"$in": list(user_ids)}, "updated": {"$gt": since}}
        return [_account(document) for document in await self._accounts.find(where, [("_id", 1)])]

    async def shows_avatar(self, url: str) -> bool:
        return await self._accounts.find_one(equal(**{"profile.avatar": url})) is not None

    async def _find(self, where: Document) -> Account | None:
        document = await self._accounts.find_one(where)
        return None if document is None else _account(document)


class MongoExternalIdentities:
    """`rhythmd.ports.ExternalIdentityStore` on MongoDB."""

    def __init__(self, accounts: Collection) -> None:
        self._accounts = accounts

    async def link(self, identity: ExternalIdentity) -> None:
        account = equal(_id=identity.user_id)
        unlinked = {"identities.provider": {"$ne": identity.provider}}
        push = {"$push": {"identities": _identity_document(identity)}}
        if await self._accounts.change({**account, **unlinked}, push) is not None:
            return
        if await self._accounts.find_one(account) is None:
            raise NotFound("no such account")
        raise Conflict("provider")

    async def find(self, provider: str, subject: str) -> ExternalIdentity | None:
        # The second condition repeats part of the first, for the planner to see that the partial index will do.
        where = {
            "identities": {"$elemMatch": equal(provider=provider, subject=subject)},
            **equal(**{"identities.subject": subject}),
        }
        account = await self._accounts.find_one(where)
        if account is None:
            return None
        [identity] = [identity for identity in _identities(account) if identity.provider == provider]
        return identity

    async def of_user(self, user_id: str) -> list[ExternalIdentity]:
        account = await self._accounts.find_one(equal(_id=user_id))
        return [] if account is None else sorted(_identities(account), key=lambda each: each.provider)

    async def unlink(self, user_id: str, provider: str) -> bool:
        where = equal(_id=user_id, **{"identities.provider": provider})
        pull = {"$pull": {"identities": equal(provider=provider)}}
        if await self._accounts.change({**where, "$or": _OTHER_LOGINS}, pull) is not None:
            return True
        if await self._accounts.find_one(where) is not None:
            raise LastIdentity("no other way to log in")
        return False
