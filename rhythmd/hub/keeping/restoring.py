"""At the start: everybody is put back where they were when the process before ended, so that they can resume."""

from rhythmd.errors import Refused
from rhythmd.hub.keeping.catalogue import Catalogue
from rhythmd.hub.keeping.live_file import LiveFile, Remains, SavedRoom, SavedSeat
from rhythmd.hub.rooms.registry import Registry
from rhythmd.hub.rooms.room import Room
from rhythmd.hub.sessions.sessions import Sessions
from rhythmd.rows import SanctionKind
from rhythmd.telemetry import hub_log

__all__ = ["Restoration"]


class Restoration:
    """Reads the live file once. Everybody who was in a room is away, and may resume; the rest is forgotten."""

    def __init__(
        self, file: LiveFile, registry: Registry, catalogue: Catalogue, sessions: Sessions, linger_s: float
    ) -> None:
        self._linger_s = linger_s
        self._file = file
        self._registry = registry
        self._catalogue = catalogue
        self._sessions = sessions

    async def run(self) -> None:
        remains = self._file.remains()
        if remains is None:
            return
        rooms = {saved.id: saved for saved in remains.rooms}
        for saved in rooms.values():
            await self._restore_room(saved, remains)
        for key, seat in sorted(remains.seats.items(), key=lambda item: item[1].joined_us):
            self._restore_seat(key, seat, remains)
        for saved in rooms.values():
            self._restore_owner(saved)
        living = {room.id for room in self._registry} | {session.key for session in self._sessions}
        self._file.forget_others(living)
        hub_log.info("%d players and %d rooms may go on", len(self._sessions.away), len(self._registry))

    async def _restore_room(self, saved: SavedRoom, remains: Remains) -> None:
        try:
            room = await self._open(saved)
        except Refused as refused:
            hub_log.warning("room %s is not restored: %s", saved.id, refused.message)
            return
        if room is None:
            return
        if not saved.is_stored:
            lines = remains.chat.get(saved.id, [])
            room.chat.restore(lines, saved.last_line)
            self._file.count_lines(saved, lines)
            for kind, imposed in saved.imposed():
                for one in imposed:
                    room.sanctions[kind].restore(one)
        room.metronome.restore(saved.metronome)
        room.vacancy = saved.vacancy
        room.vacancy.begin_anew(self._linger_s)

    async def _open(self, saved: SavedRoom) -> Room | None:
        if saved.is_stored:
            return await self._catalogue.open(saved.id)
        return self._registry.by_id(saved.id) or self._catalogue.restore(saved)

    def _restore_seat(self, key: str, seat: SavedSeat, remains: Remains) -> None:
        room = self._registry.by_id(seat.room_id)
        if room is None or seat.slot in room.members:
            return
        session = self._sessions.restore(key, seat.player(), seat.identity)
        session.last_id = remains.last_ids.get(key)
        for kind, is_muted in ((SanctionKind.NOTES, seat.notes_muted), (SanctionKind.CHAT, seat.chat_muted)):
            if is_muted:
                room.sanctions[kind].add(session.player, None)
        member = room.restore(session, seat.slot)
        seat.describe(member)
        room.sanctions.mark(member)  # who came before a mute is not new to it
        session.sit(room, member)
        self._sessions.wait_for(session)

    def _restore_owner(self, saved: SavedRoom) -> None:
        room = self._registry.by_id(saved.id)
        if room is None:
            return
        owner = None if saved.owner_slot is None else room.members.get(saved.owner_slot)
        if owner is not None:
            room.owner = owner
            owner.announced = True
            room.refresh_quota(owner)
        elif room.members:
            room.pass_ownership()
        room.keeper.room_changed()
