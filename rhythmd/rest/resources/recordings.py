"""`recordings/…`: what was recorded while somebody was there."""

from functools import partial
from typing import Final

from aiohttp import web
from msgspec import Struct

from rhythm_protocol.errors import ErrorCode
from rhythmd.auth.auditor import Auditor
from rhythmd.hub.recording.archive import RecordingArchive, file_url
from rhythmd.rest.resources.inputs import PageQuery, RecordingKey
from rhythmd.rest.serving.call import Call, InputT, Nothing
from rhythmd.rest.serving.envelope import ApiError
from rhythmd.rest.serving.files import ServedFile, file_response
from rhythmd.rows import Recording

__all__ = ["MIDI", "RecordingList", "RecordingView", "RecordingsResource"]

DELETED: Final = "recording.deleted"
MIDI: Final = "audio/midi"


class RecordingView(Struct, frozen=True, kw_only=True):
    """A recording. Times are Unix ms; `owner` is the id of the user who asked for it and may delete it."""

    id: str
    name: str
    room_id: str
    room: str
    owner: str
    created: int
    expires: int
    duration_ms: int
    bytes: int
    players: int
    url: str


class RecordingList(Struct, frozen=True):
    """One page of recordings."""

    recordings: list[RecordingView]
    next: str | None


class RecordingsResource:
    """Recordings, for those who were present, by their login, and for those who have a recording's key."""

    def __init__(self, archive: RecordingArchive, auditor: Auditor) -> None:
        self._archive = archive
        self._auditor = auditor

    async def mine(self, call: Call[PageQuery]) -> RecordingList:
        """The recordings that you were present at, the newest first."""
        page = await self._archive.page(call.known.user_id, call.input.limit, call.input.cursor)
        return RecordingList([_view(recording) for recording in page.items], page.next)

    async def one(self, call: Call[RecordingKey]) -> RecordingView:
        """What is known of a recording."""
        return _view(await self._find(call, call.input.key))

    async def file(self, call: Call[RecordingKey]) -> web.StreamResponse:
        """The recording as a Standard MIDI File, a track for each player."""
        recording = await self._find(call, call.input.key)
        return await file_response(
            call.request,
            ServedFile(
                etag=f'"{recording.id}"',
                size=recording.size,
                media_type=MIDI,
                name=f"{recording.name}.mid",
                cache_control="private, no-cache",  # it never changes, but who may have it is asked each time
                read=partial(self._archive.read, recording),
            ),
        )

    async def delete(self, call: Call[Nothing]) -> None:
        """Delete a recording that you asked for."""
        recording = await self._find(call)
        if recording.owner_id != call.known.user_id:
            raise ApiError(ErrorCode.NOT_OWNER, "only who asked for a recording may delete it")
        if not await self._archive.delete(recording):
            raise _not_there()
        details = {"name": recording.name, "room": recording.room_id}
        self._auditor.record(DELETED, actor=call.known.user_id, target=recording.id, client=call.client, **details)

    async def _find(self, call: Call[InputT], key: str | None = None) -> Recording:
        user_id = call.principal.user_id if call.principal else None
        recording = await self._archive.find(call.path("id"), user_id, key)
        if recording is None:
            raise _not_there()
        return recording


def _not_there() -> ApiError:
    return ApiError(ErrorCode.NOT_FOUND, "there is no such recording")


def _view(recording: Recording) -> RecordingView:
    return RecordingView(
        id=recording.id,
        name=recording.name,
        room_id=recording.room_id,
        room=recording.room,
        owner=recording.owner_id,
        created=recording.created,
        expires=recording.expires,
        duration_ms=recording.duration_ms,
        bytes=recording.size,
        players=recording.players,
        url=file_url(recording.id),
    )
