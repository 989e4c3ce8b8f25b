"""What a room's owner, or a moderator of the server, may do to its members."""

from collections.abc import Coroutine
from math import inf
from time import monotonic
from typing import Any

from msgspec.structs import replace

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import Ban, ClearChat, Kick, ListSanctions, Mute, SanctionInfo, SanctionsAck, Unban
from rhythmd.auth.auditor import AuditTrail
from rhythmd.auth.ranks import Act, Rank, may
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
    """Puts members out and silences them. The right to ask for it at all is checked before.

    Over whom is decided by the one rule of `auth/ranks.py`: nobody has power over equals, nor over what higher ranks
    have imposed.

    Args:
        sessions: of all clients.
        audit: of what moderators of the server do in rooms of others.
    """

    def __init__(self, sessions: Sessions, audit: AuditTrail) -> None:
        self._sessions = sessions
        self._audit = audit

    def kick(self, session: Session, message: Kick) -> None:
        """Put a member out; they may come back."""
        room, member = session.require_place()
        message = cleaned(message)
        _require_voice(room, member, message.reason)
        target = _other(room, member, message.user)
        _require_power(room, member, target)
        self._sessions.expel(room, target, "kicked", message.reason)
        self._record("room.kicked", room, member, target.player.id, reason=message.reason)

    def ban(self, session: Session, message: Ban) -> Later:
        """Put a member out and keep them out, for some seconds or for good; or give a ban another end, by the id.

        A ban is in force at once. A moderator who is told that it could not be written down can say it again.
        """
        message = cleaned(message)
        room, member = session.require_place()
        _require_voice(room, member, message.reason)
        bans, rank = room.sanctions.bans, _rank(room, member)
        before = bans.of(message.user)
        if before is not None:
            _require_lift(rank, before.rank)
            bans.change(message.user, message.seconds, rank)
        else:
            target = _other(room, member, message.user)
            _require_power(room, member, target)
            bans.add(target.player, message.seconds, rank)
            for each in (target, *_same_browser(room, target)):
                self._sessions.expel(room, each, "banned", message.reason, message.seconds)
            message = replace(message, user=target.player.id)
        self._record("room.banned", room, member, message.user, reason=message.reason)
        return room.keeper.sanction(SanctionKind.BAN, message.user, session.player.id, message.reason)

    def unban(self, session: Session, message: Unban) -> Later:
        """End a ban, by the user's id."""
        room, member = session.require_place()
        ban = room.sanctions.bans.of(message.user)
        if ban is None:
            raise Refused(ErrorCode.USER_NOT_FOUND, "nobody with this id is banned", "user")
        _require_lift(_rank(room, member), ban.rank)
        self._record("room.unbanned", room, member, message.user)
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
        rank = _rank(room, member)
        for kind, is_on in given:
            _require_right_to(room, member, target, kind, is_on=is_on)
        for kind, is_on in given:
            if is_on is True:
                _impose(room, kind, target, message.seconds, rank)
        keeper, by = room.keeper, session.player.id
        laters: list[Later] = []
        for kind, is_on in given:
            if is_on is True:
                laters.append(keeper.sanction(kind, user_id, by))
            elif is_on is False:
                laters += [keeper.pardon(kind, pardoned) for pardoned in _pardoned(room, kind, target)]
        if laters or True in (message.notes, message.chat):
            self._record("room.muted", room, member, user_id, notes=str(message.notes), chat=str(message.chat))
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
        room, member = session.require_place()
        self._record("room.chat-cleared", room, member, room.id)
        return room.keeper.clear_chat()

    def _record(self, action: str, room: Room, member: Member, target: str, **details: str) -> None:
        """What an owner does in their own room is theirs; what a moderator does in a room of others is written down."""
        player = member.player
        if room.owner is not member and player.is_moderator:
            self._audit.record(action, actor=player.id, target=target, address=player.address, room=room.id, **details)


def _rank(room: Room, member: Member) -> Rank:
    return member.rank(owns=room.owner is member)


def _require_voice(room: Room, judge: Member, reason: str) -> None:
    """Raise Refused for a reason, which its reader hears, by one who may say nothing."""
    if reason:
        room.sanctions.require_voice(judge)


def _require_power(room: Room, judge: Member, other: Member) -> None:
    """Raise Refused unless one member may put the other out, or silence them."""
    if not may(_rank(room, judge), Act.SANCTION, _rank(room, other)):
        raise Refused(ErrorCode.NOT_PERMITTED, "this user's rank is as high as yours", "user")


def _same_browser(room: Room, target: Member) -> list[Member]:
    """Those who are the same person in another tab, and whom the ban of `target` applies to."""
    browser, bans = target.player.browser, room.sanctions.bans
    others = (other for other in room.members.values() if other is not target and other is not room.owner)
    return [other for other in others if browser and other.player.browser == browser and bans.applies_to(other.player)]


def _require_lift(judge: Rank, imposed_by: Rank) -> None:
    """Raise Refused unless one of this rank may end what is imposed, or give it another end."""
    if not may(judge, Act.LIFT, imposed_by):
        raise Refused(ErrorCode.NOT_PERMITTED, "somebody of a higher rank has imposed this", "user")


def _require_right_to(room: Room, judge: Member, target: Member | str, kind: SanctionKind, *, is_on: object) -> None:
    """Raise Refused unless `judge` may mute the target, or end all that keeps them from being heard."""
    if is_on is True and not isinstance(target, str):
        _require_power(room, judge, target)
    one = room.sanctions[kind].of(target if isinstance(target, str) else target.player.id)
    changed = [one] if one is not None and is_on is True else []
    if is_on is False:
        changed = [one for user in _pardoned(room, kind, target) if (one := room.sanctions[kind].of(user)) is not None]
    for imposed in changed:
        _require_lift(_rank(room, judge), imposed.rank)


def _other(room: Room, member: Member, reference: str) -> Member:
    target = room.members.find(reference)
    if target is member:
        raise Refused(ErrorCode.INVALID_FIELD, "expected somebody else than yourself", "user")
    return target


def _muted(room: Room, member: Member, message: Mute) -> Member | str:
    """The member that is meant, or the id of one who is muted and not there.

    Nobody mutes themselves, nor ends a mute of their own: it is over when whoever imposed it has said.
    """
    if room.members.of_user(message.user) is None and any(mute.of(message.user) for mute in room.sanctions.mutes):
        return message.user
    target = room.members.find(message.user)
    if target is member and (True in (message.notes, message.chat) or False not in (message.notes, message.chat)):
        raise Refused(ErrorCode.INVALID_FIELD, "expected somebody else than yourself", "user")
    if target is member:
        raise Refused(ErrorCode.NOT_PERMITTED, "somebody else has to end a mute of yours", "user")
    return target


def _pardoned(room: Room, kind: SanctionKind, target: Member | str) -> list[str]:
    """The users whose mutes keep the target from being heard: a guest may be muted by the network of another one."""
    if isinstance(target, str):
        return [target]
    return [one.keys[0] for one in room.sanctions[kind].over(target.player, target.came)]


def _impose(room: Room, kind: SanctionKind, target: Member | str, seconds: int | None, rank: Rank) -> None:
    """Mute a member, or one who is muted in another way and not there. Raises Refused when there are too many."""
    if not isinstance(target, str):
        room.sanctions[kind].add(target.player, seconds, rank)
    elif not room.sanctions[kind].change(target, seconds, rank):
        other = next(one for imposed in room.sanctions.mutes if (one := imposed.of(target)) is not None)
        until = inf if seconds is None else monotonic() + seconds
        room.sanctions[kind].restore(other._replace(until=until, rank=max(rank, other.rank)))


async def _shown_after(laters: list[Coroutine[Any, Any, None]], room: Room) -> None:
    """Wait for all, one after the other, then let the room see who is muted."""
    try:
        for later in laters:
            await later
    finally:
        for later in laters:
            later.close()  # of one that was not waited for any more
        room.sanctions.refresh()
