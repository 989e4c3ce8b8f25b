"""Lines, whispers and typing."""

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import ChatKind, ChatMessage, Typing, UserTyping
from rhythmd.errors import Refused
from rhythmd.hub.commands import run_command
from rhythmd.hub.rooms.chat import say, whisper
from rhythmd.hub.sessions.context import Context
from rhythmd.hub.sessions.session import Session

__all__ = ["chat_message", "typing"]


def chat_message(context: Context, session: Session, message: ChatMessage) -> object:
    """Say a line to the room, whisper it to one member, or run a `/command`."""
    room, member = context.place(session)
    if not message.content.strip():
        raise Refused(ErrorCode.INVALID_FIELD, "an empty line says nothing", "content")
    if message.to is not None:
        whisper(room, member, message.to, message.content)
        return None
    if message.content.startswith("/"):
        return run_command(context, session, message.content)
    return say(context, room, member, ChatKind.TEXT, message.content)


def typing(context: Context, session: Session, message: Typing) -> None:
    """Show, or stop showing, that this member is writing."""
    room, member = context.place(session)
    if member.announced:
        room.broadcast("typing", UserTyping(member.slot, message.typing), skip=member)
