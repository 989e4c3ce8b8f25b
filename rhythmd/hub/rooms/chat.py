"""Who may say what in a room, for chat messages and chat commands alike."""

from collections.abc import Coroutine
from typing import Any

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import ChatKind
from rhythmd.errors import Refused
from rhythmd.hub.rooms.members import Member
from rhythmd.hub.rooms.room import Room
from rhythmd.hub.sessions.context import Context

__all__ = ["notice", "say", "whisper"]


def say(context: Context, room: Room, member: Member, kind: ChatKind, content: str) -> Coroutine[Any, Any, None] | None:
    """A line for everybody; in a kept room once it is kept. Raises Refused when `member` may not chat."""
    _check_not_muted(member)
    if room.settings.only_owner_can_chat and room.owner is not member:
        raise Refused(ErrorCode.ONLY_OWNER_CAN_CHAT, "only the owner may chat here")
    if not member.announced:
        room.announce(member)
    if room.kept is not None:
        return context.kept.say(room, member.profile, kind, content)
    line = room.chat.line(kind, content, member.profile)
    context.continuity.line_said(room, line, member, context.sessions[member.key].last_id)
    room.broadcast("chat-message", line)
    return None


def whisper(room: Room, member: Member, to: str, content: str) -> None:
    """A line for the member `to` (id or name) and its writer. Raises Refused."""
    _check_not_muted(member)
    reader = room.members.find(to)
    line = room.chat.line(ChatKind.WHISPER, content, member.profile, reader.profile.id)
    for recipient in {reader, member}:
        recipient.send("chat-message", line)


def notice(room: Room, member: Member, content: str) -> None:
    """A line of the server's for `member` alone."""
    member.send("chat-message", room.chat.line(ChatKind.SYSTEM, content, None, member.profile.id))


def _check_not_muted(member: Member) -> None:
    if member.chat_muted or member.profile.chat_muted:
        raise Refused(ErrorCode.CHAT_MUTED, "you are muted in this chat")
