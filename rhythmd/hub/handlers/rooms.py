"""Coming, going, and the rules of a room."""

from collections.abc import Coroutine
from typing import Any

from msgspec import UNSET, structs

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import (
    ChatKind,
    ChatLine,
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
from rhythmd.hub.keeping.password import PasswordHash
from rhythmd.hub.keeping.stored_rooms import NameTaken
from rhythmd.hub.rooms.admission import check_admission
from rhythmd.hub.rooms.members import Member
from rhythmd.hub.rooms.registry import LOBBY
from rhythmd.hub.rooms.room import Room
from rhythmd.hub.sessions.context import Context
from rhythmd.hub.sessions.session import Session
from rhythmd.rows import fold

__all__ = ["check_settings", "full_state", "join_room", "leave_room", "merge_settings", "room_update", "transfer_owner"]


def join_room(context: Context, session: Session, message: JoinRoom) -> JoinAck | Coroutine[Any, Any, JoinAck]:
    """Move `session` into a room. A refusal leaves it where it is.

    Raises:
        Refused: with one of the join reasons of PROTOCOL.md.
    """
    if context.stopping:
        raise Refused(ErrorCode.STOPPING, "the server is going down")
    room = _live(context, session, message)
    if room is None or (room.kept is not None and room.has_password):
        return _join_later(context, session, message)
    knows_password = room.password is None or room.password.matches(message.password)
    return _enter(context, session, room, knows_password=knows_password)


async def _join_later(context: Context, session: Session, message: JoinRoom) -> JoinAck:
    """Join a room that has to be looked for, made, or opened with a slow hash."""
    room = await context.kept.open(message.room)
    if room is None:
        return await _join_new(context, session, message)
    kept = room.kept
    knows_password = await context.kept.knows_password(room, message.password)
    context.require_connected(session)
    if context.registry.get(room.id) is not room or room.kept is not kept:  # freed, or changed, meanwhile
        return await _join_later(context, session, message)
    return _enter(context, session, room, knows_password=knows_password)


async def _join_new(context: Context, session: Session, message: JoinRoom) -> JoinAck:
    """Make the room and enter it as its owner. One of a user with an account is kept."""
    context.require_connected(session)
    if not message.create:
        raise Refused(ErrorCode.ROOM_NOT_FOUND, "there is no such room", "room")
    name, settings = message.room.strip(), message.settings or RoomSettings()
    check_settings(context, settings, has_password=message.password is not None)
    if session.identity is None or session.identity.guest:
        room = context.registry.create(name, settings)
        room.password = PasswordHash(message.password) if message.password is not None else None
    else:
        try:
            stored = await context.kept.create(session.identity.user_id, name, settings, message.password)
        except NameTaken:
            return await _join_later(context, session, message)  # somebody was quicker
        opened = await context.kept.open(stored.id)
        if opened is None:
            raise Refused(ErrorCode.ROOM_NOT_FOUND, "this room is gone", "room")
        room = opened
        context.require_connected(session)
    return _enter(context, session, room, knows_password=True, as_owner=True)


def _live(context: Context, session: Session, message: JoinRoom) -> Room | None:
    """The room that is meant, if somebody is in it or it is a lobby."""
    if message.room.casefold() == LOBBY:
        if session.room is not None and session.room.settings.type is RoomType.LOBBY:
            return session.room
        return context.registry.lobby(session.profile.id)
    return context.registry.get(message.room)


def _enter(context: Context, session: Session, room: Room, *, knows_password: bool, as_owner: bool = False) -> JoinAck:
    """Take a seat in `room`, and leave the one before."""
    if room is session.room:
        raise Refused(ErrorCode.ALREADY_IN_ROOM, "you are in this room already")
    profile = session.profile
    other = room.members.of_user(profile.id)
    owns = as_owner or _owns(room, profile.id)
    if other is None and not as_owner:
        check_admission(room, profile, knows_password=knows_password)
    elif other is not None:
        room.seats.hold(profile.id)  # so that the room stays, if nobody else is in it
        context.expel(room, other, "replaced", "you joined from somewhere else")
    context.leave(session, "left")
    return full_state(room, context.seat(session, room, as_owner=owns))


def _owns(room: Room, user_id: str) -> bool:
    """Whether this user owns `room` once they are in it: it is kept for them, or their older socket's."""
    if room.kept is not None:
        return room.kept.owner_id == user_id
    return room.owner is not None and room.owner.profile.id == user_id


def check_settings(context: Context, settings: RoomSettings, *, has_password: bool) -> None:
    most = context.config.rooms.max_players
    if settings.max_players > most:
        raise Refused(ErrorCode.INVALID_FIELD, f"expected at most {most}", "settings.max_players")
    if settings.type is RoomType.LOBBY:
        raise Refused(ErrorCode.INVALID_FIELD, "lobbies are the server's own", "settings.type")
    if settings.type is RoomType.PRIVATE and not has_password:
        raise Refused(ErrorCode.INVALID_FIELD, "a private room needs a password", "password")


def full_state(room: Room, member: Member) -> JoinAck:
    """What a newcomer has to know. Everything written to it later comes after."""
    members = [other.as_user() for other in room.members.values() if other.announced or other is member]
    chat = room.chat.history()
    line = _welcome_line(room, member)
    return JoinAck(
        slot=member.slot,
        room=room.info(),
        members=members,
        notes=room.notes(),
        quota=member.quota.state(),
        chat=[*chat, line] if line else chat,
    )


def _welcome_line(room: Room, member: Member) -> ChatLine | None:
    """The room's welcome message, said to `member`."""
    text = room.settings.welcome_message.replace("%%user%%", member.profile.name)
    return room.chat.line(ChatKind.SYSTEM, text, None, member.profile.id) if text else None


def leave_room(context: Context, session: Session, _message: LeaveRoom) -> None:
    """Leave the room; refused when in none."""
    context.place(session)
    context.leave(session, "left")


def room_update(context: Context, session: Session, message: RoomUpdate) -> Coroutine[Any, Any, None] | None:
    """Change the room's rules; for its owner only."""
    room, member = context.place(session)
    room.require_owner(member)
    update = message.settings
    settings = merge_settings(room.settings, update)
    has_password = room.has_password if update.password is UNSET else update.password is not None
    check_settings(context, settings, has_password=has_password)
    name = room.name if update.name is UNSET else update.name.strip()
    if room.kept is not None:
        return _update_kept(context, room, settings, name, update)
    if fold(name) != fold(room.name):
        return _update_name(context, room, settings, name, update)
    room.change_settings(settings, name, _new_password(room, update))
    return None


async def _update_kept(
    context: Context, room: Room, settings: RoomSettings, name: str, update: RoomSettingsUpdate
) -> None:
    await context.kept.change(room.id, name=name, settings=settings, password=update.password)


async def _update_name(
    context: Context, room: Room, settings: RoomSettings, name: str, update: RoomSettingsUpdate
) -> None:
    """Change a room that is not kept; no other room, live or only kept, may have its new name."""
    await context.kept.check_free(name)
    context.registry.check_free(name, room.id)
    context.registry.rename(room, name)
    room.change_settings(settings, name, _new_password(room, update))


def _new_password(room: Room, update: RoomSettingsUpdate) -> PasswordHash | None:
    if update.password is UNSET:
        return room.password
    return None if update.password is None else PasswordHash(update.password)


def merge_settings(settings: RoomSettings, update: RoomSettingsUpdate) -> RoomSettings:
    given = structs.asdict(update)
    changes = {key: given[key] for key in RoomSettings.__struct_fields__ if given.get(key, UNSET) is not UNSET}
    return structs.replace(settings, **changes)


def transfer_owner(context: Context, session: Session, message: TransferOwner) -> None:
    """Make another member the owner; for the owner only."""
    room, member = context.place(session)
    room.require_owner(member)
    if room.kept is not None:
        raise Refused(ErrorCode.NOT_PERMITTED, "a kept room stays its account's")
    room.set_owner(room.members.find(message.user))
