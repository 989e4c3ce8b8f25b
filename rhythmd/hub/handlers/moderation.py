"""What a room's owner, or a moderator of the server, may do to its members."""

from msgspec import UNSET
from msgspec.structs import replace

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import Ban, ClearChat, Kick, Mute, Unban
from rhythmd.errors import Refused
from rhythmd.hub.rooms.keeper import Later
from rhythmd.hub.rooms.members import Member
from rhythmd.hub.rooms.room import Room
from rhythmd.hub.sessions.session import Session
from rhythmd.hub.sessions.sessions import Sessions

__all__ = ["Moderation"]


class Moderation:
    """Puts members out and silences them. The right to ask for it is checked before."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def kick(self, session: Session, message: Kick) -> None:
        """Put a member out; they may come back."""
        room, member = session.require_place()
        self._sessions.expel(room, _other(room, member, message.user), "kicked", message.reason)

    def ban(self, session: Session, message: Ban) -> Later:
        """Put a member out and keep them out, for some seconds or for good; or give a ban another end, by the id.

        A ban is in force at once. A moderator who is told that it could not be written down can say it again.
        """
        room, member = session.require_place()
        if not room.bans.change(message.user, message.seconds):
            target = _other(room, member, message.user)
            room.bans.add(target.player, message.seconds)
            self._sessions.expel(room, target, "banned", message.reason, message.seconds)
            message = replace(message, user=target.player.id)
        return room.keeper.ban(message, session.player.id)

    def unban(self, session: Session, message: Unban) -> Later:
        """End a ban, by the user's id."""
        room, _ = session.require_place()
        if not room.bans.keys_of(message.user):
            raise Refused(ErrorCode.USER_NOT_FOUND, "nobody with this id is banned", "user")
        return room.keeper.pardon(message.user)

    def mute(self, session: Session, message: Mute) -> None:
        """Silence a member's notes, chat or both, or give them back."""
        room, member = session.require_place()
        target = _other(room, member, message.user)
        if message.notes is not UNSET:
            target.notes_muted = message.notes
        if message.chat is not UNSET:
            target.chat_muted = message.chat
        room.member_changed(target)

    def clear_chat(self, session: Session, _message: ClearChat) -> Later:
        """Forget the room's chat, here and on every screen."""
        return session.require_place().room.keeper.clear_chat()


def _other(room: Room, member: Member, reference: str) -> Member:
    target = room.members.find(reference)
    if target is member:
        raise Refused(ErrorCode.INVALID_FIELD, "expected somebody else than yourself", "user")
    return target
