"""The finished recordings: how many there may be, how they get there, and who may have them.

A file is there before its row, and gone before it: what is listed can be downloaded. A process that is killed between
the two leaves a file that nobody knows of.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from hmac import compare_digest
from sys import maxsize
from typing import Final, NamedTuple

from rhythm_protocol.errors import ErrorCode
from rhythmd.auth.secret import digest, new_id, new_secret
from rhythmd.clock import unix_ms
from rhythmd.config import RecordingConfig
from rhythmd.errors import Refused
from rhythmd.fairness.slots import FairSlots
from rhythmd.hub.recording.transcript import Transcript, transcribe
from rhythmd.hub.rooms.tape import Tape
from rhythmd.ports import BlobStore, Conflict, Store, StoreError, StoreUnavailable
from rhythmd.rows import Page, Recording

__all__ = ["Claim", "RecordingArchive", "SavedRecording", "Take", "file_url"]

DAY_MS: Final = 86_400_000
RETRY_S: Final = (0.2, 1.0, 3.0)
SWEEP: Final = 100
EVERYBODY: Final = ""


class Take(NamedTuple):
    """What is to become a recording.

    Args:
        name: its title.
        present: the ids of the users who were there.
        tapes, since_ms, until_ms: as `transcribe` wants them.
    """

    name: str
    room_id: str
    room: str
    owner_id: str
    present: frozenset[str]
    tapes: Sequence[Tape]
    since_ms: int
    until_ms: int


class SavedRecording(NamedTuple):
    """A recording, and the key to it, which nobody else knows."""

    recording: Recording
    key: str


class Claim:
    """A place for a recording that is to come, until it is saved or given up."""

    __slots__ = ("_claims", "_names")

    def __init__(self, claims: Counter[str], owner_id: str, room_id: str) -> None:
        self._claims = claims
        self._names = (f"user {owner_id}", f"room {room_id}", EVERYBODY)
        claims.update(self._names)

    def release(self) -> None:
        self._claims.subtract(self._names)
        for name in self._names:
            if not self._claims[name]:
                del self._claims[name]


def file_url(recording_id: str, key: str | None = None) -> str:
    """Where the file is, as a path on this server; with a key for those who cannot log in."""
    path = f"/api/v1/recordings/{recording_id}/file"
    return path if key is None else f"{path}?key={key}"


class RecordingArchive:
    """The finished recordings: how many there may be, how they get there, and who may have them.

    Args:
        store: of what is known of them.
        blobs: of the files.
        config: how many, and for how long.
    """

    def __init__(self, store: Store, blobs: BlobStore, config: RecordingConfig) -> None:
        self._store = store
        self._blobs = blobs
        self._config = config
        self._claims: Counter[str] = Counter()
        self._transcribing = FairSlots(1, maxsize)  # they would only take the interpreter from one another

    # Making them

    async def claim(self, owner_id: str, room_id: str) -> Claim:
        """A place for one more. Raises Refused: `recording-limit`, or `unavailable`."""
        claim = Claim(self._claims, owner_id, room_id)
        try:
            await self._check_limits(owner_id, room_id)
        except StoreUnavailable as error:
            claim.release()
            raise Refused(ErrorCode.UNAVAILABLE, "the server cannot reach its database, try again later") from error
        except Refused:
            claim.release()
            raise
        return claim

    async def save(self, take: Take) -> SavedRecording:
        """Write it down. Raises StoreUnavailable when that fails, also after some attempts."""
        transcript = await self._transcribe(take)
        key = new_secret()
        recording = self._row(take, transcript, key)
        for wait_s in RETRY_S:
            try:
                await self._put(recording, transcript.file, take.present)
            except StoreUnavailable:
                await asyncio.sleep(wait_s)
            else:
                return SavedRecording(recording, key)
        await self._put_or_clean_up(recording, transcript.file, take.present)
        return SavedRecording(recording, key)

    async def _check_limits(self, owner_id: str, room_id: str) -> None:
        config, count, now = self._config, self._store.recordings.count, unix_ms()
        claims = self._claims.copy()  # before the rows: one that is saved meanwhile counts twice rather than not at all
        for limit, name, stored, whose in (
            (config.per_user, f"user {owner_id}", await count(now, owner_id=owner_id), "you have"),
            (config.per_room, f"room {room_id}", await count(now, room_id=room_id), "this room has"),
            (config.limit, EVERYBODY, await count(now), "this server has"),
        ):
            if stored + claims[name] > limit:
                raise Refused(ErrorCode.RECORDING_LIMIT, f"{whose} as many recordings as are allowed")

    async def _transcribe(self, take: Take) -> Transcript:
        async with self._transcribing.slot():
            return await asyncio.to_thread(transcribe, take.name, take.tapes, take.since_ms, take.until_ms)

    def _row(self, take: Take, transcript: Transcript, key: str) -> Recording:
        now = unix_ms()
        return Recording(
            id=new_id(),
            name=take.name,
            room_id=take.room_id,
            room=take.room,
            owner_id=take.owner_id,
            created=now,
            expires=now + self._config.keep_days * DAY_MS,
            duration_ms=transcript.duration_ms,
            size=len(transcript.file),
            players=transcript.players,
            key_hash=digest(key),
        )

    async def _put(self, recording: Recording, file: bytes, present: frozenset[str]) -> None:
        await self._blobs.put(_blob_key(recording), _in_one(file))
        with suppress(Conflict):  # an attempt that seemed to fail did not
            await self._store.recordings.create(recording, present)

    async def _put_or_clean_up(self, recording: Recording, file: bytes, present: frozenset[str]) -> None:
        try:
            await self._put(recording, file, present)
        except StoreUnavailable:
            with suppress(StoreError):
                await self._blobs.delete(_blob_key(recording))
            raise

    # Having them. What follows may raise StoreUnavailable.

    async def find(self, recording_id: str, user_id: str | None, key: str | None = None) -> Recording | None:
        """A recording, for a user who was present or anybody with its key."""
        recording = await self._store.recordings.get(recording_id, unix_ms())
        if recording is None:
            return None
        if key is not None and compare_digest(digest(key), recording.key_hash):
            return recording
        if user_id is not None and await self._store.recordings.was_present(recording_id, user_id):
            return recording
        return None

    async def page(self, user_id: str, limit: int, cursor: str | None) -> Page[Recording]:
        """Those that this user was present at, the newest first. Raises InvalidCursor."""
        return await self._store.recordings.page(user_id, unix_ms(), limit, cursor)

    async def read(self, recording: Recording, start: int, stop: int) -> AsyncIterator[bytes]:
        """These bytes of the file, in parts. Raises NotFound."""
        return await self._blobs.get(_blob_key(recording), start, stop)

    async def delete(self, recording: Recording) -> bool:
        """Whether it was there."""
        await self._blobs.delete(_blob_key(recording))
        return await self._store.recordings.delete(recording.id)

    async def sweep(self) -> None:
        """Delete those that have expired, some at a time."""
        for recording in await self._store.recordings.expired(unix_ms(), SWEEP):
            try:
                await self._blobs.delete(_blob_key(recording))
            except StoreUnavailable:
                return  # the folder has said so in the log; the database, which the caller asks for, is well
            await self._store.recordings.delete(recording.id)


async def _in_one(file: bytes) -> AsyncIterator[bytes]:
    yield file


def _blob_key(recording: Recording) -> str:
    return f"recordings/{recording.id}.mid"
