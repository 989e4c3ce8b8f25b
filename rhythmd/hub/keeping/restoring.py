"""At the start: put back who was where when the process before ended, so that they can resume."""

from rhythmd.errors import Refused
from rhythmd.hub.keeping.continuity import Remains
from rhythmd.hub.keeping.records import RoomRecord, SeatRecord, restored_profile
from rhythmd.hub.rooms.members import Member
from rhythmd.hub.rooms.room import Room
from rhythmd.hub.sessions.context import Context
from rhythmd.telemetry import hub_log

__all__ = ["restore"]


async def restore(context: Context) -> None:
    """Everybody who was in a room is away and may resume; whoever does not is gone as any other who is lost."""
    remains = context.continuity.remains()
    if remains is None:
        return
    rooms = {record.id: record for record in remains.rooms}
    for record in rooms.values():
        await _restore_room(context, record, remains)
    seats = sorted(remains.seats.items(), key=lambda item: item[1].joined_us)
    for key, seat in seats:
        _restore_seat(context, key, seat, remains)
    for record in rooms.values():
        _restore_owner(context, record)
    context.continuity.forget_others({room.id for room in context.registry} | context.sessions.keys())
    hub_log.info("%d players and %d rooms may go on", len(context.away), len(context.registry))


async def _restore_room(context: Context, record: RoomRecord, remains: Remains) -> None:
    try:
        if record.is_kept:
            room = await context.kept.open(record.id)
        else:
            room = context.registry.restore(record)
            room.chat.restore(remains.chat.get(record.id, []), record.last_line)
    except Refused as refused:
        hub_log.warning("room %s is not restored: %s", record.id, refused.message)
    else:
        if room is not None:
            room.metronome.state = record.metronome


def _restore_seat(context: Context, key: str, seat: SeatRecord, remains: Remains) -> None:
    room = context.registry.get(seat.room_id)
    if room is None or seat.slot in room.members:
        return
    session = context.restore_session(key, restored_profile(seat), remains.logins.get(key))
    session.last_id = remains.last_ids.get(key)
    session.room = room
    session.member = member = Member(session, seat.slot, room.new_quota())
    member.joined_us = seat.joined_us
    member.announced = seat.announced
    member.notes_muted, member.self_muted, member.chat_muted = seat.notes_muted, seat.self_muted, seat.chat_muted
    room.restore(member)
    context.wait_for(session)


def _restore_owner(context: Context, record: RoomRecord) -> None:
    room: Room | None = context.registry.get(record.id)
    if room is None:
        return
    owner = None if record.owner_slot is None else room.members.get(record.owner_slot)
    if owner is not None:
        room.owner = owner
        owner.announced = True
        room.refresh_quota(owner)
    elif room.members:
        room.crown()
    context.registry.room_changed(room)
