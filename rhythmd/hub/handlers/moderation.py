"""What a room's owner, or a moderator of the server, may do to its members."""

from collections.abc import Coroutine
from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import Ban, ClearChat, Kick, Mute, Unban
from rhythmd.errors import Refused
from rhythmd.hub.rooms.members import Member
from rhythmd.hub.rooms.room import Room
from rhythmd.hub.sessions.context import Context
from rhythmd.hub.sessions.session import Session

__all__ = ["ban", "clear_chat", "kick", "mute", "unban"]


Later = Coroutine[Any, Any, None]
"""What a handler returns in a kept room: it is done when the store has it."""


def _moderated(context: Context, session: Session) -> Room:
    room, member = context.place(session)
    room.require_authority(member)
    return room


def _other(room: Room, session: Session, reference: str) -> Member:
    target = room.members.find(reference)
    if target is session.member:
        raise Refused(ErrorCode.INVALID_FIELD, "expected somebody else than yourself", "user")
    return target


def kick(context: Context, session: Session, message: Kick) -> None:
    """Put a member out; they may come back."""
    room = _moderated(context, session)
    context.expel(room, _other(room, session, message.user), "kicked", message.reason)


def ban(context: Context, session: Session, message: Ban) -> Later | None:
    """Put a member out and keep them out, for some seconds or for good; or ban again who is banned, by their id.

    It is in force at once. Who is told that it could not be stored can say it again.
    """
    room = _moderated(context, session)
    if room.bans.change(message.user, message.seconds):
        context.continuity.room_changed(room)
    else:
        target = _other(room, session, message.user)
        room.bans.add(target.profile, message.seconds)
        context.expel(room, target, "banned", message.reason, message.seconds)
        message = replace(message, user=target.profile.id)
    if room.kept is None:
        return None
    return context.kept.ban(room, message, session.profile.id)


def unban(context: Context, session: Session, message: Unban) -> Later | None:
    """End a ban, by the user's id."""
    room = _moderated(context, session)
    if not room.bans.keys_of(message.user):
        raise Refused(ErrorCode.USER_NOT_FOUND, "nobody with this id is banned", "user")
    if room.kept is not None:
        return context.kept.pardon(room, message.user)
    room.bans.lift(message.user)
    context.continuity.room_changed(room)
    return None


def mute(context: Context, session: Session, message: Mute) -> None:
    """Silence a member's notes, chat or both, or give them back."""
    room = _moderated(context, session)
    target = _other(room, session, message.user)
    if message.notes is not UNSET:
        target.notes_muted = message.notes
    if message.chat is not UNSET:
        target.chat_muted = message.chat
    room.member_changed(target)


def clear_chat(context: Context, session: Session, _message: ClearChat) -> Later | None:
    """Forget the room's chat, here and on every screen."""
    room = _moderated(context, session)
    if room.kept is not None:
        return context.kept.clear_chat(room)
    room.clear_chat()
    context.continuity.chat_cleared(room)
    return None
