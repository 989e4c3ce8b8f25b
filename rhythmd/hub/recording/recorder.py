"""Which rooms are recorded at this moment, and what comes of it."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterator, Mapping
from functools import partial
from heapq import heapify, heappop, heapreplace
from operator import attrgetter
from typing import Any, Final, NamedTuple

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import Error, RecordingInfo, RecordingReady, RecordingState
from rhythmd.addresses import customer_network
from rhythmd.clock import server_ms
from rhythmd.config import RecordingConfig
from rhythmd.errors import Refused
from rhythmd.fairness.memory import Memory
from rhythmd.hub.recording.archive import Claim, NothingRecorded, RecordingArchive, SavedRecording, Take, file_url
from rhythmd.hub.rooms.registry import Registry
from rhythmd.hub.rooms.room import Room
from rhythmd.hub.rooms.tape import Tape, is_silent, present
from rhythmd.hub.sending.pacer import Pacer
from rhythmd.hub.sessions.sessions import Sessions
from rhythmd.ports import StoreError
from rhythmd.telemetry import hub_log

__all__ = ["Recorder"]

LOOK_S: Final = 1.0
MINUTE_MS: Final = 60_000
MAKING_PER_ROOM: Final = 4
MAKING_PER_NETWORK: Final = 5
"""Of recordings that are made into files; at so many none begins, since one is made after the other."""
WORK: Final = 8
"""Bytes that it takes to make a byte of tape into a file; one is made at a time."""
ALL: Final = 0
"""Before anything on the server's clock."""


class _Running(NamedTuple):
    """A recording under way; of which network it is, if that is known."""

    name: str
    owner_id: str
    network: str
    claim: Claim
    tape: Tape


class _Making(NamedTuple):
    """What becomes a file: of what, in which room, and from which network it was asked for."""

    take: Take
    room: Room
    network: str

    @property
    def size(self) -> int:
        return sum(tape.memory for tape in self.take.tapes)


class Recorder:
    """Begins recordings, ends them, and sees to it that they are saved.

    A recording ends when the room's owner or a moderator says so, when nobody is left in the room, at its longest or
    biggest, and with the server, which keeps it before it goes. It goes on when the one who began it leaves: whoever
    owns the room then may end it. What ends by itself does so at the next look, once a second.

    Args:
        config: the bounds.
        archive: where they end.
        registry: of live rooms.
        sessions: of all clients.
        pacer: of the loop.
        spawn: runs what has to wait.
        memory: counts what is on tape.
    """

    def __init__(
        self,
        config: RecordingConfig,
        archive: RecordingArchive,
        registry: Registry,
        sessions: Sessions,
        pacer: Pacer,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        memory: Memory,
    ) -> None:
        self._config = config
        self._archive = archive
        self._registry = registry
        self._sessions = sessions
        self._pacer = pacer
        self._spawn = spawn
        self._memory = memory
        self._on_tape = memory.of("tape")
        self._in_making = memory.of("recording")
        self._making: dict[Claim, _Making] = {}
        self._replay_ms = round(config.replay_minutes * MINUTE_MS)
        self._longest_ms = round(config.max_minutes * MINUTE_MS)
        self._running: dict[Room, _Running] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False

    def __len__(self) -> int:
        """How many rooms are recorded."""
        return len(self._running)

    def start(self) -> None:
        """Begin to look after what runs."""
        self._look()

    def stop(self) -> None:
        """End all recordings; what was spawned for each has to be waited for."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        for room in list(self._running):
            self.end(room)

    # What people ask for

    def check_idle(self, room: Room, user_id: str) -> None:
        """Raise Refused unless this user may begin a recording of `room`."""
        self._check_running()
        if room in self._running:
            raise Refused(ErrorCode.RECORDING_LIMIT, "this room is being recorded already")
        self._check_making(room, self._network(user_id))

    def begin(self, room: Room, owner_id: str, name: str, claim: Claim) -> None:
        """Record `room` from now on."""
        self._running[room] = _Running(name, owner_id, self._network(owner_id), claim, room.deck.record(owner_id))
        _announce_state(room)

    def end(self, room: Room) -> None:
        """End the recording of `room`, if there is one."""
        running = self._running.pop(room, None)
        if running is None:
            return
        room.deck.stop()
        _announce_state(room)
        tapes = [running.tape]
        if is_silent(tapes):
            running.claim.release()
            self._tell(running.owner_id, NothingRecorded())
        else:
            self._save(room, running.name, running.owner_id, running.claim, tapes, ALL)

    def check_replay(self, room: Room, user_id: str) -> None:
        """Raise Refused unless this user may have the last minutes of `room`."""
        self._check_running()
        if not room.settings.allow_replay:
            raise Refused(ErrorCode.REPLAY_NOT_ALLOWED, "the owner of this room does not allow replays")
        if is_silent(room.deck.replay):
            raise NothingRecorded
        self._check_making(room, self._network(user_id))

    def keep_last(self, room: Room, owner_id: str, name: str, claim: Claim) -> None:
        """Make a recording of the last minutes of `room`."""
        since_ms = server_ms() - self._replay_ms
        self._save(room, name, owner_id, claim, room.deck.replay_since(since_ms), since_ms)

    def _check_making(self, room: Room, network: str) -> None:
        """Raise Refused when the room, or the network of who asks, has to wait until others are made."""
        of_room = sum(making.room is room for making in self._making.values())
        of_network = sum(making.network == network for making in self._making.values())
        is_full = self._memory.excess > 0 or self._in_making.bytes > self._config.memory_bytes
        if is_full or of_room >= MAKING_PER_ROOM or of_network >= MAKING_PER_NETWORK:
            raise Refused(ErrorCode.RECORDING_LIMIT, "other recordings are still being made, try again later")

    def _network(self, user_id: str) -> str:
        """Where a user is connected from."""
        return next((customer_network(session.player.address) for session in self._sessions.of_user(user_id)), "")

    def _check_running(self) -> None:
        if self._stopped:
            raise Refused(ErrorCode.STOPPING, "the server is going down")

    # What comes of it

    def _save(self, room: Room, name: str, owner_id: str, claim: Claim, tapes: list[Tape], since_ms: int) -> None:
        there = present(tapes, since_ms)
        networks = claim.guest_network, claim.account_network
        take = Take(name, room.id, room.name, owner_id, *networks, there, tapes, since_ms, server_ms())
        self._making[claim] = _Making(take, room, self._network(owner_id))
        self._measure_making()
        self._spawn(self._finish(room, take, claim))

    async def _finish(self, room: Room, take: Take, claim: Claim) -> None:
        try:
            saved = await self._archive.save(take)
        except asyncio.CancelledError:
            hub_log.error("a recording of room %s is lost: the server had no time to write it", take.room_id)
            raise
        except Refused as refused:
            self._tell(take.owner_id, refused)
        except StoreError as error:
            hub_log.error("a recording of room %s is lost: %s", take.room_id, error)
            self._tell(take.owner_id, Refused(ErrorCode.UNAVAILABLE, "the recording could not be kept"))
        else:
            self._announce(room, take, saved)
        finally:
            claim.release()
            del self._making[claim]
            self._measure_making()

    def _tell(self, owner_id: str, refused: Refused) -> None:
        """Tell whoever asked for it that there is none."""
        for session in self._sessions.of_user(owner_id):
            session.send("error", Error(refused.code, refused.message))

    def _announce(self, room: Room, take: Take, saved: SavedRecording) -> None:
        """To those who were present and still are, and to whoever asked for it."""
        ready = RecordingReady(_info(saved))
        absent = [member for member in room.members.values() if member.player.id not in take.present]
        room.broadcast("recording-ready", ready, absent)
        for session in self._sessions.of_user(take.owner_id):
            if session.place is None or session.place.room is not room:
                session.send("recording-ready", ready)

    # What has to be looked after

    def _look(self) -> None:
        now = server_ms()
        for room, running in list(self._running.items()):
            if not room.members or self._is_over(running.tape, now):
                self.end(room)
        for room in self._registry:
            if room.deck.replay and self._is_full(room.deck.replay[-1], now):
                self._pacer.in_turn(room.deck.turn)
        self._bound_memory()
        self._timer = self._pacer.later(LOOK_S, self._look)

    def _is_over(self, tape: Tape, now: int) -> bool:
        return tape.size >= self._config.max_bytes or now - tape.began_ms >= self._longest_ms

    def _is_full(self, tape: Tape, now: int) -> bool:
        """Whether a tape of a replay is long, or fills half of what there is for two."""
        is_long = tape.length > 0 and now - tape.began_ms >= self._replay_ms
        return is_long or tape.size >= self._config.replay_bytes / 2

    def _bound_memory(self) -> None:
        """Forget replays while there is too much on tape; then end recordings."""
        self._measure()
        most = self._config.memory_bytes
        self._forget_replays(lambda: self._on_tape.bytes > most)
        self._end_biggest(lambda: self._on_tape.bytes > most)

    def _measure(self) -> None:
        """See how much is on tape."""
        self._on_tape.measured(sum(room.deck.memory for room in self._registry if room.deck.running))

    def _measure_making(self) -> None:
        """See how much recordings in the making take, what they share with a tape that still runs left out."""
        making = self._making.values()
        shared = {id(part) for room in {one.room for one in making} for part in room.deck.parts()}
        parts = {id(part): len(part) for one in making for tape in one.take.tapes for part in tape.parts()}
        own = sum(size for number, size in parts.items() if number not in shared)
        self._in_making.measured(own + WORK * max((one.size for one in making), default=0))

    def forget_replays(self) -> int:
        """Give up replays while too much waits, of the network with most of them first; how many."""
        self._measure()
        return self._forget_replays(lambda: self._memory.excess > 0)

    def _forget_replays(self, is_too_much: Callable[[], bool]) -> int:
        count = 0
        networks = {room: _network_of(room) for room in self._registry if room.deck.replay}
        for room in _by_share(networks):
            if not is_too_much():
                break
            if freed := room.deck.forget():
                self._on_tape.give(freed)
                count += 1
            self._pacer.in_turn(partial(_begin_anew, room))
        return count

    def end_biggest(self) -> int:
        """End recordings while too much waits, of the network with most of them first; how many."""
        return self._end_biggest(lambda: self._memory.excess > 0)

    def _end_biggest(self, is_too_much: Callable[[], bool]) -> int:
        count = 0
        for room in _by_share({room: running.network for room, running in self._running.items()}):
            if not is_too_much():
                break
            self._on_tape.give(room.deck.memory)
            self.end(room)
            count += 1
        return count


def _begin_anew(room: Room) -> None:
    """Go on with a replay that was forgotten: to look what everybody holds takes a while."""
    room.deck.allow_replay(allowed=room.settings.allow_replay)


def _network_of(room: Room) -> str:
    """Of whoever owns it now."""
    return "" if room.owner is None else room.owner.player.network or ""


def _by_share(networks: Mapping[Room, str]) -> Iterator[Room]:
    """The rooms, each time the biggest of the network that has most on tape: many small ones are much, too.

    A room of which no network is known stands for itself.
    """
    waiting: defaultdict[str, list[Room]] = defaultdict(list)
    for room in sorted(networks, key=attrgetter("deck.memory")):
        waiting[networks[room] or room.id].append(room)
    heap = [(-sum(room.deck.memory for room in rooms), whose) for whose, rooms in waiting.items()]
    heapify(heap)
    while heap:
        held, whose = heap[0]
        room = waiting[whose].pop()
        if waiting[whose]:
            heapreplace(heap, (held + room.deck.memory, whose))
        else:
            heappop(heap)
        yield room


def _announce_state(room: Room) -> None:
    """Tell everybody whether `room` is recorded."""
    by = room.deck.recorded_by
    room.broadcast("recording", RecordingState(by is not None, by))
    room.changed()


def _info(saved: SavedRecording) -> RecordingInfo:
    recording = saved.recording
    return RecordingInfo(
        id=recording.id,
        name=recording.name,
        room=recording.room,
        created=recording.created,
        duration_ms=recording.duration_ms,
        bytes=recording.size,
        players=recording.players,
        url=file_url(recording.id, saved.key),
    )
