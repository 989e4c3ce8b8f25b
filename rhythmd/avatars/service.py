"""Whose picture is which: uploads, deletions, and that a picture is there exactly as long as a profile shows it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import BinaryIO, Final

from msgspec import structs

from rhythmd.auth.auditor import Auditor, AuthAction
from rhythmd.auth.errors import Unknown
from rhythmd.auth.moderation import Moderation
from rhythmd.auth.public_accounts import PublicAccounts
from rhythmd.auth.values import Client, Principal
from rhythmd.clock import unix_ms
from rhythmd.fairness.disk import Disk, KeptFile, account_holder
from rhythmd.fairness.shares import Holder
from rhythmd.locks import KeyedLocks
from rhythmd.ports import AccountStore, BlobStore, NotFound, StoreError, StoreUnavailable
from rhythmd.rows import Account, AccountChanges
from rhythmd.telemetry import server_log
from rhythmd.workers.frames import MadeFile
from rhythmd.workers.pool import WorkerPool
from rhythmd.workers.scratch import ScratchFolder, parts_of

__all__ = ["AVATAR_BYTES", "AVATAR_TYPES", "Avatars"]

AVATAR_BYTES: Final = 1_048_576
AVATAR_TYPES: Final = ("image/png", "image/jpeg", "image/webp")
FOLDER: Final = "avatars"
URL: Final = "/api/v1/avatars/"
PAGE: Final = 1_000
SWEEP_S: Final = 86_400.0
RETRY_S: Final = 60.0
HEXADECIMAL: Final = frozenset("0123456789abcdef")
DIGEST_LENGTH: Final = 64

Edit = Callable[[Account], AccountChanges]


class Avatars:
    """Pictures by the hash of their content: two users with the same one share a file.

    A file is there before a profile shows it. When a profile stops to show it, it is deleted if no other one does. In
    one server a lock for each file keeps these two apart. Of two servers, the one that has deleted asks again whether a
    profile has begun to show it, and the one whose profile has begun looks at the file again; each puts back what is
    missing. In whatever order they run, one of them sees the other. What a process that was killed half-way leaves, a
    sweep at the next start deletes.

    Args:
        accounts: of the store; only this knows who shows what.
        public_accounts: what others see of them.
        blobs: of the files.
        workers: that make a small picture of any.
        scratch: where it is until it is kept.
        moderation: says who may take down whose.
        auditor: hears of that.
        disk: which pictures share with other files.
    """

    def __init__(
        self,
        accounts: AccountStore,
        public_accounts: PublicAccounts,
        blobs: BlobStore,
        workers: WorkerPool,
        scratch: ScratchFolder,
        moderation: Moderation,
        auditor: Auditor,
        disk: Disk,
    ) -> None:
        self._disk = disk
        disk.add_kind(self._kept)
        self._accounts = accounts
        self._public_accounts = public_accounts
        self._blobs = blobs
        self._workers = workers
        self._scratch = scratch
        self._moderation = moderation
        self._auditor = auditor
        self._profile_writes = KeyedLocks()  # by account
        self._file_changes = KeyedLocks()  # by digest
        self._sweeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to sweep. Needs a running event loop."""
        self._sweeper = asyncio.create_task(self._keep_sweeping(), name="avatars")

    async def stop(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._sweeper

    # Whose is which

    async def change(self, user_id: str, edit: Edit) -> Account:
        """The account after a change of its profile, whatever else is changed about it at once. Raises NotFound.

        Every change of a profile comes through here: one made from an older reading would bring back a picture that
        is gone. Where another server has made such a change in between, the profile shows none.
        """
        account = await self._change(user_id, edit)
        url = account.profile.avatar
        with suppress(StoreUnavailable):
            if url.startswith(URL) and not await self._has(url.removeprefix(URL)):
                account = await self._change(user_id, _showing("", instead_of=url))
        return account

    async def _change(self, user_id: str, edit: Edit) -> Account:
        account, left = await self._write(user_id, edit)
        await self._release(left)
        return account

    async def _write(self, user_id: str, edit: Edit) -> tuple[Account, str]:
        """The account after a change, and the avatar that it does not show any more; "" if it still does."""
        async with self._profile_writes.of(user_id):
            before = await self._accounts.get(user_id)
            if before is None:
                raise NotFound("no such account")
            after = await self._public_accounts.update(user_id, edit(before))
        left = before.profile.avatar
        return after, "" if left == after.profile.avatar else left

    async def upload(self, user_id: str, picture: BinaryIO, address: str = "") -> Account:
        """The account with a new avatar. `address` is its user's, whose network has a share of the disk.

        Raises NotFound, RefusedFile, FileTooCostly, Refused (`busy`, `upload-limit`) and StoreUnavailable.
        """
        holder = account_holder(user_id, address)
        await self._disk.require(1, holder)  # before the work of reading it
        with await self._scratch.open() as small:
            made = await self._workers.run("avatar", picture, small, MadeFile)
            async with self._file_changes.of(made.sha256):
                await self._keep(made, small, holder)
                account, left = await self._write(user_id, _showing(URL + made.sha256, network=holder.network))
                await self._keep(made, small, holder)  # another server may have deleted it in between
        await self._release(left)
        return account

    async def remove(self, user_id: str) -> Account:
        """The account without an avatar. Raises NotFound."""
        return await self._change(user_id, _showing(""))

    async def take_down(self, by: Principal | None, usertag: str, client: Client) -> Account:
        """The account of somebody whose avatar a moderator takes away. Raises Unknown and NotPermitted."""
        account = await self._moderation.below(by, usertag)
        try:
            changed = await self.remove(account.id)
        except NotFound:
            raise Unknown("user") from None
        self._auditor.record(
            AuthAction.AVATAR_TAKEN_DOWN,
            actor=by.user_id if by else None,
            target=account.id,
            client=client,
            avatar=account.profile.avatar,
        )
        return changed

    # The files

    async def size(self, digest: str) -> int:
        """In bytes. Raises NotFound."""
        return await self._blobs.size(_key(digest))

    async def read(self, digest: str, start: int, stop: int) -> AsyncIterator[bytes]:
        """These bytes of an avatar, in parts. Raises NotFound."""
        return await self._blobs.get(_key(digest), start, stop)

    async def sweep(self) -> None:
        """Delete the files that no profile shows."""
        async for key in self._blobs.keys(FOLDER):
            await self._delete_unless_shown(key.rpartition("/")[2].removesuffix(".webp"))

    async def _has(self, digest: str) -> bool:
        try:
            await self._blobs.size(_key(digest))
        except NotFound:
            return False
        return True

    async def _keep(self, made: MadeFile, content: BinaryIO, holder: Holder) -> None:
        if await self._has(made.sha256):
            return
        key, size = _key(made.sha256), made.size
        await self._disk.require_free(size)
        self._disk.take(key, size, holder)
        try:
            await self._blobs.put(key, parts_of(content))
        except StoreUnavailable:
            self._disk.release(key)
            raise

    async def _kept(self) -> AsyncIterator[KeptFile]:
        cursor: str | None = None
        while True:
            page = await self._accounts.page(PAGE, cursor)
            for account in page.items:
                digest = account.profile.avatar.removeprefix(URL)
                with suppress(NotFound):
                    size = await self._blobs.size(_key(digest))
                    yield KeptFile(_key(digest), size, Holder(account.id, network=account.avatar_network))
            cursor = page.next
            if cursor is None:
                return

    async def _release(self, url: str) -> None:
        """A profile does not show this any more."""
        if url.startswith(URL):
            with suppress(StoreUnavailable):  # the next sweep will find it
                await self._delete_unless_shown(url.removeprefix(URL))

    async def _delete_unless_shown(self, digest: str) -> None:
        async with self._file_changes.of(digest):
            await self._delete(digest)

    async def _delete(self, digest: str) -> None:
        url = URL + digest
        if not _is_digest(digest) or await self._accounts.shows_avatar(url):
            return
        key = _key(digest)
        try:
            content = [part async for part in await self._blobs.get(key)]
        except NotFound:
            self._disk.release(key)
            return
        await self._blobs.delete(key)
        is_shown = True  # if nobody can be asked any more
        try:
            is_shown = await self._accounts.shows_avatar(url)
        finally:
            if is_shown:
                await self._blobs.put(key, _again(content))
            else:
                self._disk.release(key)

    async def _keep_sweeping(self) -> None:
        while True:
            try:
                await self.sweep()
            except StoreUnavailable:
                await asyncio.sleep(RETRY_S)
            except StoreError:
                server_log.exception("avatars cannot be swept")
                return
            else:
                await asyncio.sleep(SWEEP_S)


def _showing(url: str, instead_of: str | None = None, network: str = "") -> Edit:
    """A change of the avatar to `url`; if it is not `instead_of` any more, none."""

    def edit(account: Account) -> AccountChanges:
        if instead_of not in (None, account.profile.avatar):
            return AccountChanges(updated=account.updated)
        profile = structs.replace(account.profile, avatar=url)
        return AccountChanges(updated=unix_ms(), profile=profile, avatar_network=network)

    return edit


def _is_digest(text: str) -> bool:
    return len(text) == DIGEST_LENGTH and HEXADECIMAL.issuperset(text)


def _key(digest: str) -> str:
    """The blob of an avatar. Raises NotFound for what is no digest."""
    if not _is_digest(digest):
        raise NotFound("no such avatar")
    return f"{FOLDER}/{digest}.webp"


async def _again(content: list[bytes]) -> AsyncIterator[bytes]:
    for part in content:
        yield part
