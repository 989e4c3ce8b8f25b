"""What a room's owner, or a moderator of the server, may do to its members."""

from collections.abc import Coroutine
from math import inf
from typing import Any

from msgspec.structs import replace

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import Ban, ClearChat, Kick, ListSanctions, Mute, SanctionInfo, SanctionsAck, Unban
from rhythmd.errors import Refused
from rhythmd.hub.rooms.keeper import Later
from rhythmd.hub.rooms.members import Member
from rhythmd.hub.rooms.room import Room
from rhythmd.hub.sessions.session import Session
from rhythmd.hub.sessions.sessions import Sessions
from rhythmd.names.fields import cleaned
from rhythmd.rows import SanctionKind

__all__ = ["Moderation"]


class Moderation:
    """Puts members out and silences them. The right to ask for it is checked before."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def kick(self, session: Session, message: Kick) -> None:
        """Put a member out; they may come back."""
        room, member = session.require_place()
        self._sessions.expel(room, _other(room, member, message.user), "kicked", cleaned(message).reason)

    def ban(self, session: Session, message: Ban) -> Later:
        """Put a member out and keep them out, for some seconds or for good; or give a ban another end, by the id.

        A ban is in force at once. A moderator who is told that it could not be written down can say it again.
        """
        message = cleaned(message)
        room, member = session.require_place()
        bans = room.sanctions.bans
        if not bans.change(message.user, message.seconds):
            target = _other(room, member, message.user)
            bans.add(target.player, message.seconds)
            self._sessions.expel(room, target, "banned", message.reason, message.seconds)
            message = replace(message, user=target.player.id)
        return room.keeper.sanction(SanctionKind.BAN, message.user, session.player.id, message.reason)

    def unban(self, session: Session, message: Unban) -> Later:
        """End a ban, by the user's id."""
        room, _ = session.require_place()
        if not room.sanctions.bans.of(message.user):
            raise Refused(ErrorCode.USER_NOT_FOUND, "nobody with this id is banned", "user")
        return room.keeper.pardon(SanctionKind.BAN, message.user)

    def mute(self, session: Session, message: Mute) -> Later:
        """Silence a person's notes, chat or both, for some seconds or until it is taken back; or give them back.

        It is in force at once, and for the person: leaving and coming back ends nothing. A moderator who is told that
        it could not be written down can say it again.
        """
        room, member = session.require_place()
        target = _muted(room, member, message)
        user_id = target if isinstance(target, str) else target.player.id
        given = ((SanctionKind.NOTES, message.notes), (SanctionKind.CHAT, message.chat))
        for kind, is_on in given:
            if is_on is True:
                _impose(room, kind, target, message.seconds)
        keeper, by = room.keeper, session.player.id
        laters: list[Later] = []
        for kind, is_on in given:
            if is_on is True:
                laters.append(keeper.sanction(kind, user_id, by))
            elif is_on is False:
                laters += [keeper.pardon(kind, pardoned) for pardoned in _pardoned(room, kind, target)]
        changed = room.sanctions.refresh()
        if not isinstance(target, str) and target not in changed:
            room.member_changed(target)
        waiting = [later for later in laters if later is not None]
        return _shown_after(waiting, room) if waiting else None

    def sanctions(self, session: Session, _message: ListSanctions) -> SanctionsAck:
        """The bans and mutes in the room."""
        room, _ = session.require_place()
        return SanctionsAck(
            [
                SanctionInfo(one.keys[0], one.name, kind, one.seconds_left)
                for kind, imposed in room.sanctions.items()
                for one in imposed.all()
            ]
        )

    def clear_chat(self, session: Session, _message: ClearChat) -> Later:
        """Forget the room's chat, here and on every screen."""
        return session.require_place().room.keeper.clear_chat()


def _other(room: Room, member: Member, reference: str) -> Member:
    target = room.members.find(reference)
    if target is member:
        raise Refused(ErrorCode.INVALID_FIELD, "expected somebody else than yourself", "user")
    return target


def _muted(room: Room, member: Member, message: Mute) -> Member | str:
    """The member that is meant, or the id of one who is muted and not there. Nobody mutes themselves."""
    if room.members.of_user(message.user) is None and any(mute.of(message.user) for mute in room.sanctions.mutes):
        return message.user
    target = room.members.find(message.user)
    if target is member and (False not in (message.notes, message.chat) or True in (message.notes, message.chat)):
        raise Refused(ErrorCode.INVALID_FIELD, "expected somebody else than yourself", "user")
    return target


def _pardoned(room: Room, kind: SanctionKind, target: Member | str) -> list[str]:
    """The users whose mutes keep the target from being heard: a guest may be muted by the network of another one."""
    if isinstance(target, str):
        return [target]
    return [one.keys[0] for one in room.sanctions[kind].over(target.player)]


def _impose(room: Room, kind: SanctionKind, target: Member | str, seconds: int | None) -> None:
    """Mute a member, or one who is muted in another way and not there. Raises Refused when there are too many."""
    if not isinstance(target, str):
        room.sanctions[kind].add(target.player, seconds)
    elif not room.sanctions[kind].change(target, seconds):
        other = next(one for imposed in room.sanctions.mutes if (one := imposed.of(target)) is not None)
        room.sanctions[kind].restore(other.keys, inf if seconds is None else seconds, other.name)


async def _shown_after(laters: list[Coroutine[Any, Any, None]], room: Room) -> None:
    """Wait for all, one after the other, then let the room see who is muted."""
    try:
        for later in laters:
            await later
    finally:
        for later in laters:
            later.close()  # of one that was not waited for any more
        room.sanctions.refresh()
