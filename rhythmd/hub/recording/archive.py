"""The finished recordings: how many there may be, how they get there, and who may have them.

A file is there before its row, and gone before it: what is listed can be downloaded. A process that is killed between
the two leaves a file that nobody knows of.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from hmac import compare_digest
from sys import maxsize
from time import monotonic
from typing import Final, NamedTuple

from rhythm_protocol.errors import ErrorCode
from rhythmd.auth.secret import digest, new_id, new_secret
from rhythmd.bounded import BoundedDict
from rhythmd.clock import unix_ms
from rhythmd.config import RecordingConfig
from rhythmd.errors import Refused
from rhythmd.fairness.disk import Disk, KeptFile, row_digest
from rhythmd.fairness.shares import Holder, Scope, Shares
from rhythmd.fairness.slots import FairSlots
from rhythmd.hub.recording.transcript import Transcript, transcribe
from rhythmd.hub.rooms.members import Player
from rhythmd.hub.rooms.tape import Tape
from rhythmd.ports import BlobStore, Conflict, Store, StoreError, StoreUnavailable
from rhythmd.rows import Page, Recording

__all__ = ["Claim", "NothingRecorded", "RecordingArchive", "SavedRecording", "Take", "file_url"]

DAY_MS: Final = 86_400_000
RETRY_S: Final = (0.2, 1.0, 3.0)
SWEEP: Final = 100
PAGE: Final = 1_000
COUNTS: Final = 1_000
COUNTED_S: Final = 1.0

Count = Callable[[int], Awaitable[int]]


class Take(NamedTuple):
    """What is to become a recording.

    Args:
        name: its title.
        guest_network, account_network: what it is counted under, as its claim has them.
        present: the ids of the users who were there.
        tapes, since_ms, until_ms: as `transcribe` wants them.
    """

    name: str
    room_id: str
    room: str
    owner_id: str
    guest_network: str
    account_network: str
    present: frozenset[str]
    tapes: Sequence[Tape]
    since_ms: int
    until_ms: int


class _Bound(NamedTuple):
    """How many recordings there may be of one kind, those under `name` that are to come included."""

    most: int
    name: str
    stored: Count
    whose: str


class Counted:
    """What the store counted a moment ago: to begin recordings of nothing, over and over, shall cost it nothing."""

    def __init__(self) -> None:
        self._counts: BoundedDict[str, tuple[int, float]] = BoundedDict(COUNTS)
        self._changes = 0

    async def get(self, bound: _Bound, now: int) -> int:
        count, until = self._counts.get(bound.name, (0, 0.0))
        if until > monotonic():
            return count
        before = self._changes
        count = await bound.stored(now)
        if before == self._changes:
            self._counts[bound.name] = count, monotonic() + COUNTED_S
        return count

    def clear(self) -> None:
        """There are more of them, or fewer."""
        self._changes += 1
        self._counts.clear()


class NothingRecorded(Refused):
    """No note was played, and nothing empty is kept."""

    def __init__(self) -> None:
        super().__init__(ErrorCode.NOTHING_RECORDED, "no note was played: there is nothing to keep")


class SavedRecording(NamedTuple):
    """A recording, and the key to it, which nobody else knows."""

    recording: Recording
    key: str


class Claim:
    """A place for a recording that is to come, until it is saved or given up. The networks are as its row has them."""

    __slots__ = ("_claims", "_names", "account_network", "guest_network")

    def __init__(self, claims: Counter[str], names: Sequence[str], holder: Holder) -> None:
        self._claims = claims
        self._names = names
        self.guest_network = _guest_network(holder)
        self.account_network = _account_network(holder)
        claims.update(names)

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
        shares: of guests and others.
        disk: which recordings share with other files.
    """

    def __init__(self, store: Store, blobs: BlobStore, config: RecordingConfig, shares: Shares, disk: Disk) -> None:
        self._disk = disk
        disk.add_kind(self._kept)
        self._shares = shares
        self._store = store
        self._blobs = blobs
        self._config = config
        self._claims: Counter[str] = Counter()
        self._counted = Counted()
        self._transcribing = FairSlots(1, maxsize)  # they would only take the interpreter from one another

    # Making them

    async def claim(self, owner: Player, room_id: str) -> Claim:
        """A place for one more. Raises Refused: `recording-limit`, or `unavailable`."""
        holder = self._shares.holder(owner)
        bounds = list(self._bounds(owner.id, room_id, holder))
        claim = Claim(self._claims, [bound.name for bound in bounds], holder)
        try:
            await self._check_limits(bounds)
            held = _held_by(owner.id, claim.guest_network, claim.account_network)
            await self._disk.require(1, held, ErrorCode.RECORDING_LIMIT)
        except StoreUnavailable as error:
            claim.release()
            raise Refused(ErrorCode.UNAVAILABLE, "the server cannot reach its database, try again later") from error
        except Refused:
            claim.release()
            raise
        return claim

    async def save(self, take: Take) -> SavedRecording:
        """Write it down.

        Raises Refused: `nothing-recorded` if no note was played, `recording-limit` if it is larger than what is left of
        the disk for its owner. Raises StoreUnavailable when it fails, also after some attempts.
        """
        transcript = await self._transcribe(take)
        if not transcript.has_notes:
            raise NothingRecorded
        key = new_secret()
        recording = self._row(take, transcript, key)
        holder = _holder(recording)
        await self._disk.require(recording.size, holder, ErrorCode.RECORDING_LIMIT)
        self._disk.take(_blob_key(recording), recording.size, holder, ErrorCode.RECORDING_LIMIT)
        for wait_s in RETRY_S:
            try:
                await self._put(recording, transcript.file, take.present)
            except StoreUnavailable:
                await asyncio.sleep(wait_s)
            else:
                return SavedRecording(recording, key)
        await self._put_or_clean_up(recording, transcript.file, take.present)
        return SavedRecording(recording, key)

    def _bounds(self, owner_id: str, room_id: str, holder: Holder) -> Iterator[_Bound]:
        """All that a recording must fit into."""
        config, count = self._config, self._store.recordings.count
        yield _Bound(config.per_user, f"user {owner_id}", partial(count, owner_id=owner_id), "you have")
        yield _Bound(config.per_room, f"room {room_id}", partial(count, room_id=room_id), "this room has")
        stored: dict[Scope, Count] = {
            Scope.NETWORK: partial(count, guest_network=_guest_network(holder)),
            Scope.ACCOUNT: partial(count, owner_id=owner_id),
            Scope.ACCOUNTS: partial(count, account_network=_account_network(holder)),
            Scope.GUESTS: partial(count, guests=True),
            Scope.ALL: count,
        }
        for scope, name, most in self._shares.recordings.bounds(holder):
            yield _Bound(most, name, stored[scope], scope)

    async def _check_limits(self, bounds: Sequence[_Bound]) -> None:
        now = unix_ms()
        claims = self._claims.copy()  # before the rows: one that is saved meanwhile counts twice rather than not at all
        for bound in bounds:
            if await self._counted.get(bound, now) + claims[bound.name] > bound.most:
                raise Refused(ErrorCode.RECORDING_LIMIT, f"{bound.whose} as many recordings as are allowed")

    async def _transcribe(self, take: Take) -> Transcript:
        return await self._transcribing.run(
            lambda: asyncio.to_thread(transcribe, take.name, take.tapes, take.since_ms, take.until_ms)
        )

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
            guest_network=take.guest_network,
            account_network=take.account_network,
        )

    async def _put(self, recording: Recording, file: bytes, present: frozenset[str]) -> None:
        await self._blobs.put(_blob_key(recording), _in_one(file))
        with suppress(Conflict):  # an attempt that seemed to fail did not
            await self._store.recordings.create(recording, present)
        self._counted.clear()

    async def _put_or_clean_up(self, recording: Recording, file: bytes, present: frozenset[str]) -> None:
        try:
            await self._put(recording, file, present)
        except StoreUnavailable:
            with suppress(StoreError):
                await self._blobs.delete(_blob_key(recording))
                self._disk.release(_blob_key(recording))
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
        deleted = await self._store.recordings.delete(recording.id)
        self._disk.release(_blob_key(recording))
        self._counted.clear()
        return deleted

    async def sweep(self) -> None:
        """Delete those that have expired, some at a time."""
        for recording in await self._store.recordings.expired(unix_ms(), SWEEP):
            try:
                await self._blobs.delete(_blob_key(recording))
            except StoreUnavailable:
                return  # the folder has said so in the log; the database, which the caller asks for, is well
            await self._store.recordings.delete(recording.id)
            self._disk.release(_blob_key(recording))

    async def _kept(self) -> AsyncIterator[KeptFile]:
        last = ""
        while recordings := await self._store.recordings.files(PAGE, last):
            for recording in recordings:
                yield KeptFile(_blob_key(recording), recording.size, _holder(recording))
            last = recordings[-1].id


async def _in_one(file: bytes) -> AsyncIterator[bytes]:
    yield file


def _guest_network(holder: Holder) -> str:
    return row_digest(holder.key) if holder.guest else ""


def _account_network(holder: Holder) -> str:
    return row_digest(holder.network) if holder.network else ""


def _holder(recording: Recording) -> Holder:
    return _held_by(recording.owner_id, recording.guest_network, recording.account_network)


def _held_by(owner_id: str, guest_network: str, account_network: str) -> Holder:
    """Whose the bytes of a recording are, as its row tells it: the same before a restart and after it."""
    if guest_network:
        return Holder(guest_network, guest=True, is_network=True)
    return Holder(owner_id, network=account_network)


def _blob_key(recording: Recording) -> str:
    return f"recordings/{recording.id}.mid"
