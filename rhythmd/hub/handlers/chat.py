"""Lines, whispers and typing: who may say what in a room, for chat messages and chat commands alike."""

from time import monotonic

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import ChatKind, Typing, UserTyping
from rhythmd.errors import Refused
from rhythmd.hub.rooms.keeper import Later
from rhythmd.hub.sessions.session import Session
from rhythmd.names.texts import clean_lines, shows

__all__ = ["ignore", "notice", "say", "typing", "unignore", "whisper"]


def say(session: Session, kind: ChatKind, content: str) -> Later:
    """A line for everybody. Raises Refused when the member may not chat."""
    room, member = session.require_place()
    room.sanctions.require_voice(member)
    is_above = room.owner is member or member.player.is_moderator  # one rule of an owner does not silence moderators
    if room.settings.only_owner_can_chat and not is_above:
        raise Refused(ErrorCode.ONLY_OWNER_CAN_CHAT, "only the owner may chat here")
    said = _said(content)
    if not member.announced:
        room.announce(member)
    return room.keeper.say(member, kind, said, session.last_id)


def whisper(session: Session, to: str, content: str) -> None:
    """A line for the member `to` (id or name) and its writer. Raises Refused.

    A reader who ignores the writer does not get it, and the writer does not learn that.
    """
    room, member = session.require_place()
    room.sanctions.require_voice(member)
    reader = room.members.find(to)
    said, player = _said(content), member.player
    is_read = not reader.player.ignores(player.id)
    if is_read and not room.budget.takes_whisper(reader.player, player.network or player.id, monotonic()):
        raise Refused(ErrorCode.RATE_LIMITED, "this member gets too many whispers now, try again later")
    line = room.chat.line(ChatKind.WHISPER, said, player, reader.player.id)
    for recipient in {reader, member} if is_read else {member}:
        recipient.send("chat-message", line)


def ignore(session: Session, who: str) -> None:
    """Hide what the member `who` (id or name) says from this one, for as long as the session lasts. Raises Refused."""
    room, member = session.require_place()
    other = room.members.find(who)
    if other is member:
        raise Refused(ErrorCode.INVALID_FIELD, "nobody can ignore themself", "content")
    if not member.player.ignore(other.player.id, other.player.name):
        raise Refused(ErrorCode.MUTE_LIMIT, "you ignore as many as you may; /unignore one first")


def unignore(session: Session, who: str) -> None:
    """Show it again. `who` may be somebody who is not there, by id or name. Raises Refused."""
    _, member = session.require_place()
    if not member.player.unignore(who):
        raise Refused(ErrorCode.USER_NOT_FOUND, "you ignore nobody of this id or name")


def notice(session: Session, content: str) -> None:
    """A line of the server's for this member alone."""
    room, member = session.require_place()
    member.send("chat-message", room.chat.line(ChatKind.SYSTEM, content, None, member.player.id))


def _said(content: str) -> str:
    """A line as everybody may read it. Raises Refused when nothing is to be seen of it."""
    said = clean_lines(content)
    if not shows(said):
        raise Refused(ErrorCode.INVALID_FIELD, "an empty line says nothing", "content")
    return said


def typing(session: Session, message: Typing) -> None:
    """Show, or stop showing, that this member is writing. Of one who may say nothing nothing is shown."""
    room, member = session.require_place()
    if member.announced and not room.sanctions.gags(member):
        state = UserTyping(member.slot, message.typing)
        room.news.tell(("typing", member.slot), lambda: state, skip=(member.delivery,))
