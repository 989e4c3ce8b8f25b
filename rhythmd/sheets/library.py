"""The library: who may upload, read, change, approve and remove which sheet, and what each of these does."""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import BinaryIO, Final, NamedTuple

from msgspec import UNSET, Struct, UnsetType, structs

from rhythm_protocol.errors import ErrorCode
from rhythmd.auth.auditor import Auditor, Detail
from rhythmd.auth.secret import new_id
from rhythmd.auth.values import Client, Principal
from rhythmd.clock import unix_ms
from rhythmd.config import SheetsConfig
from rhythmd.errors import Refused
from rhythmd.fairness.disk import account_holder
from rhythmd.fairness.shares import Holder
from rhythmd.names.texts import clean_line
from rhythmd.ports import NotFound, SheetStore, StoreUnavailable, TooMany
from rhythmd.rows import (
    Account,
    Approval,
    Difficulty,
    Page,
    ScoreFacts,
    Sheet,
    SheetCategory,
    SheetChanges,
    SheetFacets,
    SheetFile,
    SheetPrivacy,
    SheetQuery,
    changed_fields,
)
from rhythmd.sheets.files import SheetFiles
from rhythmd.sheets.rights import Reader, is_editor, may_approve, may_change, may_delete, may_read
from rhythmd.sheets.views import ViewCounter
from rhythmd.workers.scratch import ScratchFolder

__all__ = ["Entry", "SheetDescription", "SheetLibrary", "one_line"]

DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000
SWEEP_MS: Final = 60_000
UNTITLED: Final = "Untitled"
TITLE_LENGTH: Final = 200
# What an editor has looked at. When it changes, an editor is asked again.
_APPROVED: Final = frozenset(
    {"hash", "file_name", "title", "artist", "album", "description", "tags", "key", "time_signature"}
)
ATTEMPTS: Final = 5


class SheetDescription(Struct, frozen=True, kw_only=True):
    """What an uploader says of a sheet. Empty text is filled from the file, and what is left out stays at a change."""

    title: str | UnsetType = UNSET
    artist: str | UnsetType = UNSET
    album: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    difficulty: Difficulty | UnsetType = UNSET
    privacy: SheetPrivacy | UnsetType = UNSET
    category: SheetCategory | UnsetType = UNSET
    tempo: float | UnsetType = UNSET
    key: str | UnsetType = UNSET
    time_signature: str | UnsetType = UNSET


class Entry(NamedTuple):
    """A sheet as the library shows it: with the number of users who have it as a favourite, and whether you do."""

    sheet: Sheet
    favorites: int
    is_favorite: bool


class SheetLibrary:
    """Sheets, and the rules about them. What somebody may not even read is not there for them.

    Every method may raise StoreUnavailable, and Refused (`not-found`) where it takes a sheet's id.

    Args:
        sheets: the rows.
        files: the contents.
        scratch: for contents on their way.
        auditor: of what editors and moderators do, and of deletions.
        config: the `sheets` section.
    """

    def __init__(
        self,
        sheets: SheetStore,
        files: SheetFiles,
        scratch: ScratchFolder,
        auditor: Auditor,
        config: SheetsConfig,
    ) -> None:
        self._sheets = sheets
        self._files = files
        self._scratch = scratch
        self._auditor = auditor
        self._config = config
        self._views = ViewCounter(sheets)
        self._flushed = self._swept = self._swept_blobs = 0

    # Looking

    async def search(self, query: SheetQuery, limit: int, cursor: str | None) -> Page[Entry]:
        """A page of what is found. Raises InvalidCursor."""
        page = await self._sheets.search(query, limit, cursor)
        return Page(await self._entries(page.items, query.viewer), page.next)

    async def facets(self, query: SheetQuery) -> SheetFacets:
        """How many of what is found have each value."""
        return await self._sheets.facets(query)

    async def read(self, sheet_id: str, who: Reader | None) -> Sheet:
        """A sheet that the user may read."""
        sheet = await self._sheets.get(sheet_id)
        if sheet is None or not may_read(sheet, who):
            raise _not_there()
        return sheet

    async def view(self, sheet_id: str, who: Principal | None, network: str) -> Entry:
        """The same, counted as a view. `network` stands for viewers without an account."""
        sheet = await self.read(sheet_id, who)
        viewer = who.user_id if who is not None and who.account is not None else network
        self._views.count(viewer, sheet_id, unix_ms())
        return await self.entry(sheet, who)

    async def entry(self, sheet: Sheet, who: Principal | None) -> Entry:
        [entry] = await self._entries([sheet], who.user_id if who is not None else "")
        return entry

    async def _entries(self, sheets: list[Sheet], viewer: str) -> list[Entry]:
        ids = [sheet.id for sheet in sheets]
        if not ids:
            return []
        likes = await self._sheets.likes(ids)
        liked = await self._sheets.liked(viewer, ids) if viewer else set()
        waiting = self._views.waiting
        return [
            Entry(
                structs.replace(sheet, views=sheet.views + waiting(sheet.id)), likes.get(sheet.id, 0), sheet.id in liked
            )
            for sheet in sheets
        ]

    async def file(self, sheet: Sheet) -> SheetFile:
        """The content of a sheet."""
        file = await self._files.get(sheet.hash)
        if file is None:
            raise _not_there()
        return file

    async def read_file(self, file: SheetFile, start: int, stop: int) -> AsyncIterator[bytes]:
        """These bytes of the original. Raises NotFound."""
        return await self._files.read(file, start, stop)

    async def read_midi(self, file: SheetFile, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """These bytes of its MIDI, without bounds all of them. Raises NotFound."""
        return await self._files.read_midi(file, start, stop)

    # Uploading and changing

    async def upload(
        self, by: Account, file: BinaryIO, file_name: str, given: SheetDescription, address: str = ""
    ) -> Sheet:
        """A new sheet with this content. `address` is the uploader's, whose network has a share of the disk.

        Raises RefusedFile, FileTooCostly and Refused (`upload-limit`, `invalid-field`, `busy`).
        """
        content = await self._admit(account_holder(by.id, address), file)
        return await self.add(by, content, file_name, given)

    async def save(
        self, by: Account, parts: AsyncIterator[bytes], file_name: str, given: SheetDescription, address: str = ""
    ) -> Sheet:
        """The same for a content that is on this server already. Raises as `upload`, and what `parts` raises."""
        async with self._scratch.filled(parts) as file:
            return await self.upload(by, file, file_name, given, address)

    async def add(
        self,
        by: Account,
        content: SheetFile,
        file_name: str,
        given: SheetDescription,
        approval: Approval = Approval.PENDING,
    ) -> Sheet:
        """A new sheet with a content that was admitted just now. Raises Refused (`invalid-field`)."""
        _check_category(given, content.facts)
        now = unix_ms()
        sheet = Sheet(
            id=new_id(),
            hash=content.hash,
            size=content.size,
            file_name=file_name,
            title=UNTITLED,
            creator_id=by.id,
            creator=by.usertag,
            created=now,
            updated=now,
            approval=approval,
            category=content.facts.category,
        )
        told = {**_measured(content.facts), **_filled(content.facts), **_said(given)}
        return await self._sheets.create(structs.replace(sheet, **told))

    async def change(
        self,
        sheet_id: str,
        by: Principal,
        given: SheetDescription,
        file: BinaryIO | None = None,
        file_name: str = "",
        address: str = "",
    ) -> Sheet:
        """Change what is said of a sheet, or give it another content, or both. Raises as `upload`, and `not-owner`."""
        sheet = await self._changeable(sheet_id, by)
        changes = SheetChanges(updated=unix_ms())
        if file is None:
            content = await self.file(sheet)
        else:
            content = await self._admit(account_holder(by.user_id, address), file)
            told = {"hash": content.hash, "size": content.size, "file_name": file_name}
            changes = structs.replace(changes, **told, **_measured(content.facts), **_musical(content.facts))
        _check_category(given, content.facts)
        return await self._change(sheet, structs.replace(changes, **_emptied(given, content.facts), **_said(given)))

    async def _admit(self, uploader: Holder, file: BinaryIO) -> SheetFile:
        """A content that counts as an upload, unless nobody had time for it. Raises as `upload`."""
        user_id, day, most = uploader.key, unix_ms() // DAY_MS, self._config.uploads_per_day
        if not await self._sheets.spend_upload(user_id, day, most):
            raise Refused(ErrorCode.UPLOAD_LIMIT, f"you may upload {most} files a day")
        try:
            return await self._files.admit(file, uploader)
        except (Refused, StoreUnavailable):
            with suppress(StoreUnavailable):
                await self._sheets.return_upload(user_id, day)
            raise

    async def _changeable(self, sheet_id: str, by: Principal) -> Sheet:
        sheet = await self.read(sheet_id, by)
        if not may_change(sheet, by):
            raise Refused(ErrorCode.NOT_OWNER, "only its creator may change a sheet")
        return sheet

    async def _change(self, sheet: Sheet, changes: SheetChanges) -> Sheet:
        """Change a sheet as it is. If it was changed meanwhile, it is found anew whether an editor has to be asked.

        What was rejected keeps the reason until it is approved.
        """
        new = changed_fields(changes)
        for _ in range(ATTEMPTS):
            is_new = any(new[name] != getattr(sheet, name) for name in _APPROVED & new.keys())
            asking = structs.replace(changes, approval=Approval.PENDING) if is_new else changes
            try:
                return await self._update(sheet, asking, sheet.updated)
            except Refused as error:
                changed = await self._sheets.get(sheet.id)
                if error.code is not ErrorCode.CHANGED or changed is None:
                    raise
                sheet = changed
        raise Refused(ErrorCode.CHANGED, "the sheet is being changed all the time")

    async def _update(self, sheet: Sheet, changes: SheetChanges, as_of: int | None = None) -> Sheet:
        # Each change has another time: by that an editor tells what they have looked at.
        changes = structs.replace(changes, updated=max(changes.updated, sheet.updated + 1))
        try:
            return await self._sheets.update(sheet.id, changes, sheet.hash, as_of)
        except NotFound:
            if await self._sheets.get(sheet.id) is None:
                raise _not_there() from None
            raise Refused(ErrorCode.CHANGED, "the sheet has been changed meanwhile") from None

    async def delete(self, sheet_id: str, by: Principal, client: Client) -> None:
        """Remove a sheet: its creator may, and a moderator. Raises Refused (`not-owner`)."""
        sheet = await self.read(sheet_id, by)
        if not may_delete(sheet, by):
            raise Refused(ErrorCode.NOT_OWNER, "only its creator or a moderator may delete a sheet")
        if not await self._sheets.delete(sheet_id):
            raise _not_there()
        action = "sheet.deleted" if sheet.creator_id == by.user_id else "sheet.taken-down"
        self._record(action, sheet, by, client, title=sheet.title, creator=sheet.creator_id)

    # Approval and favourites

    async def judge(
        self,
        sheet_id: str,
        by: Principal,
        verdict: Approval,
        client: Client,
        *,
        reason: str = "",
        hash_: str | None = None,
        as_of: int | None = None,
    ) -> Sheet:
        """Approve or reject a sheet, as an editor.

        Args:
            sheet_id: of the sheet.
            by: the editor.
            verdict: APPROVED or REJECTED.
            client: of the editor.
            reason: of a rejection, for its creator.
            hash_: the content that the editor looked at. Raises Refused (`changed`) if it has another one by now.
            as_of: when what the editor looked at was updated, Unix ms. Raises the same if it has been since then.
        """
        if not is_editor(by):
            raise Refused(ErrorCode.NOT_PERMITTED, "only editors approve sheets")
        sheet = await self.read(sheet_id, by)
        if not may_approve(sheet, by):
            raise _not_there()
        if hash_ not in {None, sheet.hash} or as_of not in {None, sheet.updated}:
            raise Refused(ErrorCode.CHANGED, "the sheet has been changed since you looked at it")
        changes = SheetChanges(updated=unix_ms(), approval=verdict, rejection=reason)
        judged = await self._update(sheet, changes, sheet.updated)
        details: dict[str, Detail] = {"title": sheet.title, "hash": sheet.hash}
        if reason:
            details["reason"] = reason
        self._record(f"sheet.{verdict}", sheet, by, client, **details)
        return judged

    async def like(self, sheet_id: str, by: Principal) -> Entry:
        """Make a sheet one of the user's favourites. Raises Refused (`favorite-limit`)."""
        sheet = await self.read(sheet_id, by)
        try:
            await self._sheets.like(by.user_id, sheet_id, unix_ms(), self._config.favorites)
        except NotFound:
            raise _not_there() from None
        except TooMany:
            raise Refused(ErrorCode.FAVORITE_LIMIT, f"you may have {self._config.favorites} favourites") from None
        return await self.entry(sheet, by)

    async def unlike(self, sheet_id: str, by: Principal) -> Entry | None:
        """Make it none. None for a favourite that the user may not read any more."""
        was_favorite = await self._sheets.unlike(by.user_id, sheet_id)
        sheet = await self._sheets.get(sheet_id)
        if sheet is not None and may_read(sheet, by):
            return await self.entry(sheet, by)
        if was_favorite:
            return None
        raise _not_there()

    def _record(self, action: str, sheet: Sheet, by: Principal, client: Client, **details: Detail) -> None:
        self._auditor.record(action, actor=by.user_id, target=sheet.id, client=client, **details)

    # Beside the requests

    async def tend(self, now: int) -> None:
        """Do what is due: write views, remove contents that nobody has. Raises StoreUnavailable."""
        if now - self._flushed >= self._config.views_every_s * 1000:
            self._flushed = now
            await self._views.flush()
        if now - self._swept >= SWEEP_MS:
            self._swept = now
            await self._files.count()
            await self._files.sweep()
        if now - self._swept_blobs >= DAY_MS:
            self._swept_blobs = now - DAY_MS + HOUR_MS  # if it fails, it is tried again after an hour
            await self._files.sweep_blobs()
            if await self._sheets.strays():  # of a process that was killed in the middle of a deletion
                await self._sheets.strays(remove=True)
            self._swept_blobs = now

    async def close(self) -> None:
        """Write what was counted."""
        await self._views.flush()


def _not_there() -> Refused:
    return Refused(ErrorCode.NOT_FOUND, "there is no such sheet")


def _check_category(given: SheetDescription, facts: ScoreFacts) -> None:
    if given.category not in {UNSET, facts.category}:
        raise Refused(ErrorCode.INVALID_FIELD, f"the file's content is {facts.category}", "category")


def _said(given: SheetDescription) -> dict[str, object]:
    """What the uploader has filled in."""
    return {name: value for name, value in structs.asdict(given).items() if value not in (UNSET, "")}


def _filled(facts: ScoreFacts) -> dict[str, object]:
    """What a file says in place of its uploader."""
    title, artist = one_line(facts.title) or UNTITLED, one_line(facts.composer)
    return {"title": title, "artist": artist, **_musical(facts)}


def _emptied(given: SheetDescription, facts: ScoreFacts) -> dict[str, object]:
    """What the uploader has emptied, as the file says it."""
    filled = _filled(facts)
    return {name: filled.get(name, "") for name, value in structs.asdict(given).items() if value == ""}


def _musical(facts: ScoreFacts) -> dict[str, object]:
    """What a file says of the music, and its uploader may know better."""
    return {"tempo": facts.tempo, "key": facts.key, "time_signature": facts.time_signature}


def _measured(facts: ScoreFacts) -> dict[str, object]:
    """What nobody else can say of a file."""
    names = ("category", "duration_ms", "notes", "parts", "remarks")
    return {name: getattr(facts, name) for name in names}


def one_line(text: str) -> str:
    """A file's text as one that a request could have brought."""
    line = " ".join(clean_line(text).split())[:TITLE_LENGTH]
    return clean_line(line).strip()  # once more, since the cut may have parted what belongs together
