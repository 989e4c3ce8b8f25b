"""Recording a room, and keeping its last minutes."""

from collections.abc import Callable, Coroutine
from typing import Any

from msgspec import UNSET, UnsetType

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import Record, RecordLast
from rhythmd.errors import Refused
from rhythmd.hub.recording.archive import Claim
from rhythmd.hub.rooms.members import Member
from rhythmd.hub.rooms.room import Room
from rhythmd.hub.sessions.context import Context
from rhythmd.hub.sessions.session import Session

__all__ = ["record", "record_last"]

Check = Callable[[Room, Member], None]
Act = Callable[[Room, str, str, Claim], None]


def record(context: Context, session: Session, message: Record) -> Coroutine[Any, Any, None] | None:
    """Begin to record the room, or end it; for its owner and for moderators. Ending what is not on does nothing."""
    recorder = context.recorder
    room, member = context.place(session)
    room.require_authority(member)
    if not message.on:
        recorder.end(room)
        return None

    def check(room: Room, member: Member) -> None:
        room.require_authority(member)
        recorder.check_idle(room)

    return _claimed(context, session, check, recorder.begin, message.name)


def record_last(context: Context, session: Session, message: RecordLast) -> Coroutine[Any, Any, None]:
    """Keep the last minutes of the room; for anybody in it, if its owner allows replays."""
    recorder = context.recorder

    def check(room: Room, _member: Member) -> None:
        recorder.check_replay(room)

    return _claimed(context, session, check, recorder.keep_last, message.name)


async def _claimed(context: Context, session: Session, check: Check, act: Act, name: str | UnsetType) -> None:
    """`act` with a place for another recording, if there is one, and if `check` still passes when that is known."""
    room, member = context.place(session)
    check(room, member)
    claim = await context.recordings.claim(session.profile.id, room.id)
    try:
        check(room, _still_there(context, session, room))
    except Refused:
        claim.release()
        raise
    act(room, session.profile.id, room.name if name is UNSET else name.strip(), claim)


def _still_there(context: Context, session: Session, room: Room) -> Member:
    """The place of `session` in `room` after a wait. Raises Refused when it has left."""
    context.require_connected(session)
    now_in, member = context.place(session)
    if now_in is not room:
        raise Refused(ErrorCode.NOT_IN_ROOM, "you have left this room")
    return member
