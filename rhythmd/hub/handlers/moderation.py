"""What a room's owner may do to its members."""

from msgspec import UNSET

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import Ban, ChatCleared, ClearChat, Kick, Mute, Unban
from rhythmd.errors import Refused
from rhythmd.hub.context import Context
from rhythmd.hub.member import Member
from rhythmd.hub.room import Room
from rhythmd.hub.session import Session

__all__ = ["ban", "clear_chat", "kick", "mute", "unban"]


def _owned(context: Context, session: Session) -> Room:
    room, member = context.place(session)
    room.require_owner(member)
    return room


def _other(room: Room, session: Session, reference: str) -> Member:
    target = room.find(reference)
    if target is session.member:
        raise Refused(ErrorCode.INVALID_FIELD, "expected somebody else than yourself", "user")
    return target


def kick(context: Context, session: Session, message: Kick) -> None:
    """Put a member out; they may come back."""
    room = _owned(context, session)
    context.expel(room, _other(room, session, message.user), "kicked", message.reason)


def ban(context: Context, session: Session, message: Ban) -> None:
    """Put a member out and keep them out, for some seconds or for as long as the room lives."""
    room = _owned(context, session)
    target = _other(room, session, message.user)
    room.bans.add(target.profile, message.seconds)
    context.expel(room, target, "banned", message.reason, message.seconds)


def unban(context: Context, session: Session, message: Unban) -> None:
    """End a ban, by the user's id."""
    room = _owned(context, session)
    if not room.bans.lift(message.user):
        raise Refused(ErrorCode.USER_NOT_FOUND, "nobody with this id is banned", "user")


def mute(context: Context, session: Session, message: Mute) -> None:
    """Silence a member's notes, chat or both, or give them back."""
    room = _owned(context, session)
    target = _other(room, session, message.user)
    if message.notes is not UNSET:
        target.notes_muted = message.notes
    if message.chat is not UNSET:
        target.chat_muted = message.chat
    room.member_changed(target)


def clear_chat(context: Context, session: Session, _message: ClearChat) -> None:
    """Forget the room's chat, here and on every screen."""
    room = _owned(context, session)
    room.chat.clear()
    room.broadcast("chat-cleared", ChatCleared())
