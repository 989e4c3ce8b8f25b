"""`sheet_music/…`: the library of sheet music."""

import re
from functools import partial
from typing import Final

from aiohttp import web
from msgspec import UNSET, Struct, structs

from rhythm_protocol.errors import ErrorCode
from rhythmd.auth.names import is_usertag
from rhythmd.errors import Refused
from rhythmd.hub.recording.archive import RecordingArchive
from rhythmd.names.texts import clean_line
from rhythmd.ports import AccountStore
from rhythmd.rest.resources.inputs import (
    SheetBatch,
    SheetBatchRejection,
    SheetChange,
    SheetDescribed,
    SheetDownload,
    SheetForm,
    SheetRejection,
    SheetSearch,
    SheetVerdict,
)
from rhythmd.rest.serving.call import Call, InputT, Nothing
from rhythmd.rest.serving.files import Read, ServedFile, file_response
from rhythmd.rows import (
    Approval,
    Difficulty,
    Page,
    SheetCategory,
    SheetPrivacy,
    SheetQuery,
    fold,
)
from rhythmd.sheets.library import Entry, SheetDescription, SheetLibrary
from rhythmd.sheets.rights import scope_of

__all__ = ["MEDIA_TYPES", "BatchView", "SheetList", "SheetView", "SheetsResource", "described", "plain_name"]

MIDI: Final = "audio/midi"
FILE_NAME_LENGTH: Final = 200
_MEDIA_TYPES: Final = {
    ".mid": MIDI,
    ".musicxml": "application/vnd.recordare.musicxml+xml",
    ".mxl": "application/vnd.recordare.musicxml",
    ".abc": "text/vnd.abc; charset=utf-8",
    ".json": "application/json",
}
_TEXT: Final = "text/plain; charset=utf-8"
MEDIA_TYPES: Final = tuple(dict.fromkeys(kind.partition(";")[0] for kind in (*_MEDIA_TYPES.values(), _TEXT)))
"""Of downloads."""


class SheetView(Struct, frozen=True, kw_only=True):
    """A sheet. Times are Unix ms, `tempo` is in quarter notes a minute; 0 and "" are what nobody has said.

    `rejection` is shown to its creator and to editors. `hash` is the SHA-256 of the content. `remarks` say what of the
    file its MIDI leaves out.
    """

    id: str
    title: str
    artist: str
    album: str
    description: str
    tags: list[str]
    category: SheetCategory
    difficulty: Difficulty
    privacy: SheetPrivacy
    approval: Approval
    rejection: str
    creator_id: str
    creator: str
    created: int
    updated: int
    views: int
    favorites: int
    is_favorite: bool
    tempo: float
    key: str
    time_signature: str
    duration_ms: int
    notes: int
    parts: int
    remarks: list[str]
    hash: str
    bytes: int
    file_name: str
    url: str
    midi_url: str


class SheetFacetsView(Struct, frozen=True, kw_only=True):
    """How many of the found sheets have each value, and the twenty most frequent tags.

    Two thousand sheets are counted at most; `complete` is false when there may be more.
    """

    total: int
    complete: bool
    category: dict[str, int]
    difficulty: dict[str, int]
    tags: dict[str, int]


class SheetList(Struct, frozen=True):
    """One page of sheets; the first page has facets."""

    sheets: list[SheetView]
    next: str | None
    facets: SheetFacetsView | None


class BatchFailure(Struct, frozen=True, kw_only=True):
    """A sheet of a batch that was left as it was, and why."""

    id: str
    code: ErrorCode
    message: str


class BatchView(Struct, frozen=True):
    """What became of a batch."""

    sheets: list[SheetView]
    failed: list[BatchFailure]


def sheet_url(sheet_id: str) -> str:
    """Where the file of a sheet is, as a path on this server."""
    return f"/api/v1/sheet_music/{sheet_id}/download"


def sheet_view(entry: Entry) -> SheetView:
    """A sheet for those who may read it."""
    sheet = entry.sheet
    shown = {name: getattr(sheet, name) for name in SheetView.__struct_fields__ if hasattr(sheet, name)}
    lists = {"tags": list(sheet.tags), "remarks": list(sheet.remarks)}
    url = sheet_url(sheet.id)
    links = {"bytes": sheet.size, "url": url, "midi_url": f"{url}?format=mid"}
    return SheetView(**{**shown, **lists, **links, "favorites": entry.favorites, "is_favorite": entry.is_favorite})


class SheetsResource:
    """Finding, reading, changing and judging sheets."""

    def __init__(self, library: SheetLibrary, accounts: AccountStore, archive: RecordingArchive) -> None:
        self._library = library
        self._accounts = accounts
        self._archive = archive

    async def search(self, call: Call[SheetSearch]) -> SheetList:
        """Search the library. Each word of `text` begins a word of the title, artist, album, tags or creator."""
        query = await self._query(call)
        if query is None:
            return SheetList([], None, SheetFacetsView(total=0, complete=True, category={}, difficulty={}, tags={}))
        given = call.input
        page: Page[Entry] = await self._library.search(query, given.limit, given.cursor)
        facets = None
        if given.cursor is None:
            facets = SheetFacetsView(**structs.asdict(await self._library.facets(query)))
        return SheetList([sheet_view(entry) for entry in page.items], page.next, facets)

    async def _query(self, call: Call[SheetSearch]) -> SheetQuery | None:
        """None if nothing can be found: nobody has that usertag, or nobody asks for their own."""
        given, who = call.input, call.principal
        favorite = given.favorites == "true"
        creator = None
        if given.creator is not None:
            account = await self._accounts.by_usertag(given.creator) if is_usertag(given.creator) else None
            if account is None:
                return None
            creator = account.id
        wants_own = favorite or given.approval not in {None, Approval.APPROVED}
        if wants_own and (who is None or who.account is None):
            raise Refused(ErrorCode.LOGIN_REQUIRED, "log in to see favourites, or sheets that are not listed")
        return SheetQuery(
            text=given.text,
            scope=scope_of(who, creator, given.approval, favorite=favorite),
            viewer=who.user_id if who is not None else "",
            category=given.category,
            difficulty=given.difficulty,
            tag=None if given.tag is None else fold(given.tag),
            creator=creator,
            approval=given.approval,
            favorite=favorite,
            sort=given.sort,
        )

    async def upload(self, call: Call[SheetForm]) -> SheetView:
        """Upload a file of sheet music: MIDI, MusicXML, ABC, Virtual Piano or multiplayer-piano text.

        The content tells which it is. A public sheet is listed when an editor has approved it.
        """
        file = call.upload
        said, address = described(call.input), call.client.address
        sheet = await self._library.upload(call.account, file.content, plain_name(file.name), said, address)
        return sheet_view(await self._library.entry(sheet, call.principal))

    async def from_recording(self, call: Call[SheetDescribed]) -> SheetView:
        """Make a sheet of a recording that you were present at."""
        recording = await self._archive.find(call.path("id"), call.known.user_id)
        if recording is None:
            raise Refused(ErrorCode.NOT_FOUND, "there is no such recording")
        said = described(call.input)
        if not call.input.title:
            said = structs.replace(said, title=recording.name)
        parts = await self._archive.read(recording, 0, recording.size)
        sheet = await self._library.save(
            call.account, parts, plain_name(f"{recording.name}.mid"), said, call.client.address
        )
        return sheet_view(await self._library.entry(sheet, call.principal))

    async def one(self, call: Call[Nothing]) -> SheetView:
        """A sheet. Each reader is counted as a view once an hour."""
        return sheet_view(await self._library.view(call.path("id"), call.principal, call.network))

    async def change(self, call: Call[SheetChange]) -> SheetView:
        """Change what is said of one of your sheets, or its file. An approved one is looked at again if its text
        or its content changes."""
        given = call.input
        said = SheetDescription(**structs.asdict(given))
        if given.tags is not UNSET:
            said = structs.replace(said, tags=unique_tags(given.tags))
        file = call.file
        content, name = (None, "") if file is None else (file.content, plain_name(file.name))
        sheet = await self._library.change(call.path("id"), call.known, said, content, name, call.client.address)
        return sheet_view(await self._library.entry(sheet, call.principal))

    async def delete(self, call: Call[Nothing]) -> None:
        """Delete one of your sheets, or as a moderator anybody's."""
        await self._library.delete(call.path("id"), call.known, call.client)

    async def like(self, call: Call[Nothing]) -> SheetView:
        """Make a sheet one of your favourites."""
        return sheet_view(await self._library.like(call.path("id"), call.known))

    async def unlike(self, call: Call[Nothing]) -> SheetView | None:
        """Make a sheet none of your favourites. The answer is empty if you may not read it any more."""
        entry = await self._library.unlike(call.path("id"), call.known)
        return None if entry is None else sheet_view(entry)

    async def download(self, call: Call[SheetDownload]) -> web.StreamResponse:
        """The file as it was uploaded, or as a Standard MIDI File."""
        library = self._library
        sheet = await library.read(call.path("id"), call.principal)
        file = await library.file(sheet)
        size, extension, etag = file.size, file.extension, f'"{file.hash}"'
        read: Read = partial(library.read_file, file)
        if call.input.format == "mid" and file.midi_size:
            size, extension, etag = file.midi_size, ".mid", f'"{file.hash}-mid"'
            read = partial(library.read_midi, file)
        return await file_response(
            call.request,
            ServedFile(
                etag=etag,
                size=size,
                media_type=_MEDIA_TYPES.get(extension, _TEXT),
                name=f"{sheet.title}{extension}",
                cache_control="private, no-cache",  # who may have it, and which content it has, is asked each time
                read=read,
            ),
        )

    async def approve(self, call: Call[SheetVerdict]) -> SheetView:
        """Approve a sheet, as an editor: a public one is listed from now on."""
        given = call.input
        return await self._judge(call, call.path("id"), Approval.APPROVED, hash_=given.hash, as_of=given.updated)

    async def reject(self, call: Call[SheetRejection]) -> SheetView:
        """Reject a sheet, as an editor: until it is approved its creator, editors and moderators alone can read it."""
        given = call.input
        return await self._judge(call, call.path("id"), Approval.REJECTED, given.reason, given.hash, given.updated)

    async def approve_batch(self, call: Call[SheetBatch]) -> BatchView:
        """Approve several sheets, as an editor, each by itself."""
        return await self._judge_all(call, call.input.ids, Approval.APPROVED)

    async def reject_batch(self, call: Call[SheetBatchRejection]) -> BatchView:
        """Reject several sheets, as an editor, each by itself."""
        return await self._judge_all(call, call.input.ids, Approval.REJECTED, call.input.reason)

    async def _judge(
        self,
        call: Call[InputT],
        sheet_id: str,
        verdict: Approval,
        reason: str = "",
        hash_: str | None = None,
        as_of: int | None = None,
    ) -> SheetView:
        by, client = call.known, call.client
        sheet = await self._library.judge(sheet_id, by, verdict, client, reason=reason, hash_=hash_, as_of=as_of)
        return sheet_view(await self._library.entry(sheet, by))

    async def _judge_all(
        self, call: Call[InputT], sheet_ids: tuple[str, ...], verdict: Approval, reason: str = ""
    ) -> BatchView:
        outcome = BatchView([], [])
        for sheet_id in dict.fromkeys(sheet_ids):
            try:
                outcome.sheets.append(await self._judge(call, sheet_id, verdict, reason))
            except Refused as error:
                if error.code is ErrorCode.NOT_PERMITTED:
                    raise
                outcome.failed.append(BatchFailure(id=sheet_id, code=error.code, message=error.message))
        return outcome


def described(form: SheetDescribed) -> SheetDescription:
    """What a form says of a sheet."""
    said = {name: value for name, value in structs.asdict(form).items() if value is not None}
    return SheetDescription(**{**said, "tags": unique_tags(form.tags)})


def plain_name(name: str) -> str:
    """What the sender calls a file, without the folders that it is in there."""
    last = re.split(r"[/\\]", clean_line(name))[-1][:FILE_NAME_LENGTH]
    return clean_line(last).strip()  # once more, since the cuts may have parted what belongs together


def unique_tags(tags: tuple[str, ...]) -> tuple[str, ...]:
    """Tags as they are kept and compared."""
    return tuple(dict.fromkeys(folded for tag in tags if (folded := fold(tag).strip())))
