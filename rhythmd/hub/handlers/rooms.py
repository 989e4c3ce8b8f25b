"""Coming, going, and the rules of a room."""

from msgspec import UNSET, structs

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import (
    JoinAck,
    JoinRoom,
    LeaveRoom,
    RoomSettings,
    RoomSettingsUpdate,
    RoomType,
    RoomUpdate,
    TransferOwner,
)
from rhythmd.errors import Refused
from rhythmd.hub.admission import check_admission
from rhythmd.hub.context import Context
from rhythmd.hub.member import Member
from rhythmd.hub.password import PasswordHash
from rhythmd.hub.registry import LOBBY
from rhythmd.hub.room import Room
from rhythmd.hub.session import Session

__all__ = ["join_room", "leave_room", "room_update", "transfer_owner"]


def join_room(context: Context, session: Session, message: JoinRoom) -> JoinAck:
    """Move `session` into a room. A refusal leaves it where it is.

    Raises:
        Refused: with one of the join reasons of PROTOCOL.md.
    """
    if context.stopping:
        raise Refused(ErrorCode.STOPPING, "the server is going down")
    room = _find(context, session, message)
    created = room is None
    if room is None:
        room = _create(context, session, message)
    else:
        if room is session.room:
            raise Refused(ErrorCode.ALREADY_IN_ROOM, "you are in this room already")
        check_admission(room, session.profile, message.password)
    context.leave(session, "left")
    member = room.add(session.profile, session.encoding, session.write, as_owner=created)
    session.room, session.member = room, member
    return _ack(room, member)


def _find(context: Context, session: Session, message: JoinRoom) -> Room | None:
    """The room that is meant; None when it shall be created."""
    if message.room.casefold() == LOBBY:
        if session.room is not None and session.room.settings.type is RoomType.LOBBY:
            return session.room
        return context.registry.lobby()
    room = context.registry.get(message.room)
    if room is None and not message.create:
        raise Refused(ErrorCode.ROOM_NOT_FOUND, "there is no such room", "room")
    return room


def _create(context: Context, session: Session, message: JoinRoom) -> Room:
    settings = message.settings or RoomSettings()
    _check_settings(context, settings, has_password=message.password is not None)
    room = context.registry.create(message.room.strip(), settings)
    if message.password is not None:
        room.password = PasswordHash(message.password)
    return room


def _check_settings(context: Context, settings: RoomSettings, *, has_password: bool) -> None:
    most = context.config.rooms.max_players
    if settings.max_players > most:
        raise Refused(ErrorCode.INVALID_FIELD, f"expected at most {most}", "settings.max_players")
    if settings.type is RoomType.LOBBY:
        raise Refused(ErrorCode.INVALID_FIELD, "lobbies are the server's own", "settings.type")
    if settings.type is RoomType.PRIVATE and not has_password:
        raise Refused(ErrorCode.INVALID_FIELD, "a private room needs a password", "password")


def _ack(room: Room, member: Member) -> JoinAck:
    """What the newcomer has to know. Everything written to it later comes after."""
    members = [other.as_user() for other in room.members.values() if other.announced or other is member]
    chat = room.chat.history()
    line = room.welcome_line(member)
    return JoinAck(
        slot=member.slot,
        room=room.info(),
        members=members,
        notes=room.notes(),
        quota=member.quota.state(),
        chat=[*chat, line] if line else chat,
    )


def leave_room(context: Context, session: Session, _message: LeaveRoom) -> None:
    """Leave the room; refused when in none."""
    context.place(session)
    context.leave(session, "left")


def room_update(context: Context, session: Session, message: RoomUpdate) -> None:
    """Change the room's rules; for its owner only."""
    room, member = context.place(session)
    room.require_owner(member)
    update = message.settings
    password = _new_password(room, update)
    settings = _merge(room.settings, update)
    _check_settings(context, settings, has_password=password is not None)
    name = room.name if update.name is UNSET else update.name.strip()
    context.registry.rename(room, name)
    room.change_settings(settings, name, password)


def _new_password(room: Room, update: RoomSettingsUpdate) -> PasswordHash | None:
    if update.password is UNSET:
        return room.password
    return None if update.password is None else PasswordHash(update.password)


def _merge(settings: RoomSettings, update: RoomSettingsUpdate) -> RoomSettings:
    given = structs.asdict(update)
    changes = {key: given[key] for key in RoomSettings.__struct_fields__ if given.get(key, UNSET) is not UNSET}
    return structs.replace(settings, **changes)


def transfer_owner(context: Context, session: Session, message: TransferOwner) -> None:
    """Make another member the owner; for the owner only."""
    room, member = context.place(session)
    room.require_owner(member)
    room.set_owner(room.find(message.user))
