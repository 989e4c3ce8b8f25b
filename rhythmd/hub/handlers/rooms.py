"""Coming, going, and the rules of a room."""

from collections.abc import Coroutine
from enum import Enum, auto
from typing import Any, Final

from msgspec import UNSET, structs

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import (
    ChatKind,
    ChatLine,
    JoinAck,
    JoinRoom,
    LeaveRoom,
    Right,
    RoomSettings,
    RoomSettingsUpdate,
    RoomType,
    RoomUpdate,
    TransferOwner,
)
from rhythmd.auth.auditor import AuditTrail
from rhythmd.auth.guesses import Guess
from rhythmd.auth.ranks import Act, may, rank_of
from rhythmd.errors import Refused
from rhythmd.fairness.shares import Shares
from rhythmd.hub.keeping.catalogue import Catalogue
from rhythmd.hub.rooms.keeper import Later
from rhythmd.hub.rooms.members import Member, Player
from rhythmd.hub.rooms.registry import LOBBY, Registry
from rhythmd.hub.rooms.room import Room
from rhythmd.hub.sessions.session import Session, require_right
from rhythmd.hub.sessions.sessions import Sessions
from rhythmd.names.fields import cleaned

__all__ = [
    "ENTERED_BY_RANK",
    "JOIN_ATTEMPTS",
    "Entry",
    "RoomMessages",
    "check_admission",
    "check_settings",
    "full_state",
    "merge_settings",
    "owns_room",
    "settled",
    "transfer_owner",
]

JOIN_ATTEMPTS: Final = 4
"""To check a password takes a slow hash, which a room that gets another one meanwhile asks for once more."""
ENTERED_BY_RANK: Final = "room.entered-by-rank"
"""In the audit: a moderator came into a room whose password they did not give."""


class RoomMessages:
    """Lets sessions into rooms and out again, and changes rooms.

    Args:
        registry: of live rooms.
        catalogue: of all rooms.
        sessions: of all clients.
        most_players: that a room may have.
        audit: of those who come in by their roles.
        shares: of guests and others in rooms.
    """

    def __init__(
        self,
        registry: Registry,
        catalogue: Catalogue,
        sessions: Sessions,
        most_players: int,
        audit: AuditTrail,
        shares: Shares,
    ) -> None:
        self._shares = shares
        self._audit = audit
        self._registry = registry
        self._catalogue = catalogue
        self._sessions = sessions
        self._most_players = most_players

    def join_room(self, session: Session, message: JoinRoom) -> JoinAck | Coroutine[Any, Any, JoinAck]:
        """Move `session` into a room. A refusal leaves it where it is.

        Raises:
            Refused: with one of the join reasons of PROTOCOL.md.
        """
        return self._join(session, message, JOIN_ATTEMPTS)

    def _join(self, session: Session, message: JoinRoom, attempts: int) -> JoinAck | Coroutine[Any, Any, JoinAck]:
        self._sessions.require_running()
        room = self._live(session, message)
        if room is None:
            return self._join_later(session, message, attempts)
        guess = self._guess(session, room, message.password)
        knows_password = room.keeper.check_password(message.password)
        if isinstance(knows_password, Coroutine):
            return self._join_checked(session, message, room, knows_password, guess, attempts)
        if guess is not None and knows_password:
            guess.succeed()
        return self._enter(session, room, knows_password=knows_password)

    def _guess(self, session: Session, room: Room, password: str | None) -> Guess | None:
        """Count a guess at the room's password. Raises Refused when there were too many."""
        player = session.player
        if not room.keeper.has_password:
            return None
        return self._sessions.guesses.begin(room.id, player, password, owns=owns_room(room, player.id))

    async def _join_later(self, session: Session, message: JoinRoom, attempts: int) -> JoinAck:
        """Join a room that has to be looked for, or made; again, since it has changed meanwhile, only so many times."""
        if not attempts:
            raise Refused(ErrorCode.UNAVAILABLE, "this room changes all the time, try again later")
        attempts -= 1
        room = await self._catalogue.open(message.room, self._shares.holder(session.player))
        if room is None:
            return await self._join_new(session, message, attempts)
        self._sessions.require_connected(session)
        joined = self._join(session, message, attempts)
        return await joined if isinstance(joined, Coroutine) else joined

    async def _join_checked(
        self,
        session: Session,
        message: JoinRoom,
        room: Room,
        check: Coroutine[Any, Any, bool],
        guess: Guess | None,
        attempts: int,
    ) -> JoinAck:
        """Join a room whose password is checked with a slow hash."""
        keeper = room.keeper
        knows_password = await settled(check, guess)
        self._sessions.require_connected(session)
        if self._registry.by_id(room.id) is not room or room.keeper is not keeper:  # freed, or changed, meanwhile
            return await self._join_later(session, message, attempts)
        return self._enter(session, room, knows_password=knows_password)

    async def _join_new(self, session: Session, message: JoinRoom, attempts: int) -> JoinAck:
        """Make the room and enter it as its owner."""
        self._sessions.require_connected(session)
        if not message.create:
            raise Refused(ErrorCode.ROOM_NOT_FOUND, "there is no such room", "room")
        if session.player.chat_muted:
            raise Refused(ErrorCode.CHAT_MUTED, "you are muted, and everybody reads the name of a new room")
        settings = cleaned(message.settings or RoomSettings())
        check_settings(settings, self._most_players, has_password=message.password is not None)
        holder = self._shares.holder(session.player)
        room = await self._catalogue.create(session.identity, message.room, settings, message.password, holder)
        if room is None:
            return await self._join_later(session, message, attempts)  # somebody was quicker
        self._sessions.require_connected(session)
        self._sessions.guesses.learn(room.id, session.player.id, message.password)
        return self._enter(session, room, knows_password=True, as_owner=True)

    def _live(self, session: Session, message: JoinRoom) -> Room | None:
        """The room that is meant, if somebody is in it or it is a lobby."""
        if message.room.strip().casefold() == LOBBY:
            if session.place is not None and session.place.room.settings.type is RoomType.LOBBY:
                return session.place.room
            return self._registry.lobby(session.player.id)
        return self._registry.get(message.room)

    def _enter(self, session: Session, room: Room, *, knows_password: bool, as_owner: bool = False) -> JoinAck:
        """Take a seat in `room`, and leave the one before."""
        if session.place is not None and session.place.room is room:
            raise Refused(ErrorCode.ALREADY_IN_ROOM, "you are in this room already")
        player = session.player
        other = room.members.of_user(player.id)
        if other is not None:
            self._sessions.leave(session, "left")
            self._sessions.take_over(session, room, other)
            return full_state(room, other)
        owns = as_owner or owns_room(room, player.id)
        entry = None if as_owner else check_admission(room, player, knows_password=knows_password, is_here=True)
        if entry is Entry.BY_RANK:
            self._audit.record(ENTERED_BY_RANK, actor=player.id, target=room.id, address=player.address, name=room.name)
        self._sessions.leave(session, "left")
        return full_state(room, self._sessions.seat(session, room, as_owner=owns))

    def leave_room(self, session: Session, _message: LeaveRoom) -> None:
        """Leave the room."""
        self._sessions.leave(session, "left")

    def room_update(self, session: Session, message: RoomUpdate) -> Later:
        """Change the room's rules. What all read of it is said by who changes it."""
        room, member = session.require_place()
        update = cleaned(message.settings)
        if _says_something(room, update):
            room.sanctions.require_voice(member)
        name, settings = self._updated(room, update)
        if name != room.name:
            return self._rename(session, room, update)
        return room.keeper.change(name, settings, update.password)

    async def _rename(self, session: Session, room: Room, update: RoomSettingsUpdate) -> None:
        """Change a room that gets a new name, under which no other room, live or only stored, may be found."""
        await self._catalogue.check_free(self._updated(room, update)[0], room.id, "settings.name")
        # Meanwhile the room may have been changed, or given to somebody else.
        self._sessions.require_still_in(session, room)
        require_right(session, Right.OWNER)
        later = room.keeper.change(*self._updated(room, update), update.password)
        if later is not None:
            await later

    def _updated(self, room: Room, update: RoomSettingsUpdate) -> tuple[str, RoomSettings]:
        """The name and settings of `room` after `update`. Raises Refused when it may not be like that."""
        settings = merge_settings(room.settings, update)
        has_password = room.keeper.has_password if update.password is UNSET else update.password is not None
        check_settings(settings, self._most_players, has_password=has_password)
        if update.name is UNSET or update.name.strip() == room.name:  # an older one may break a rule that came later
            return room.name, settings
        return self._registry.fit_name(update.name, "settings.name"), settings


def _says_something(room: Room, update: RoomSettingsUpdate) -> bool:
    """Whether a change has words that were not there before."""
    before = (room.name, room.settings.stage, room.settings.welcome_message)
    after = (update.name, update.stage, update.welcome_message)
    return any(new not in (UNSET, "", old) for new, old in zip(after, before, strict=True))


async def settled(check: Coroutine[Any, Any, bool], guess: Guess | None) -> bool:
    """What a slow check says. The guess is forgiven if it is right, or was not looked at."""
    try:
        knows_password = await check
    except Refused:
        if guess is not None:
            guess.withdraw()
        raise
    if guess is not None and knows_password:
        guess.succeed()
    return knows_password


class Entry(Enum):
    """Why somebody may come in: as others do, or to work there as a moderator, without the password."""

    AS_OTHERS = auto()
    BY_RANK = auto()


def check_admission(room: Room, player: Player, *, knows_password: bool, is_here: bool) -> Entry:
    """Raise Refused, with the first reason that applies, unless `player` may take a seat in `room` now.

    To one who is here, on a socket, the seats of absent guests give way.
    """
    settings = room.settings
    if room.sanctions.bans.applies_to(player):
        raise Refused(ErrorCode.BANNED, "you are banned from this room")
    if player.guest and not settings.allow_guests:
        raise Refused(ErrorCode.GUESTS_NOT_ALLOWED, "this room is for members with an account")
    if player.bot and not settings.allow_bots:
        raise Refused(ErrorCode.BOTS_NOT_ALLOWED, "this room does not allow bots")
    if player.id in room.seats:
        return Entry.AS_OTHERS
    if not knows_password and not may(rank_of(player.roles), Act.ENTER):
        raise Refused(ErrorCode.WRONG_PASSWORD, "this room's password is another one", "password")
    reserved = room.seats.firm if is_here else len(room.seats)
    if len(room.members) + reserved >= settings.max_players:
        raise Refused(ErrorCode.ROOM_FULL, f"all {settings.max_players} seats are taken")
    return Entry.AS_OTHERS if knows_password else Entry.BY_RANK


def check_settings(settings: RoomSettings, most_players: int, *, has_password: bool) -> None:
    """Raise Refused unless a room may be like that on a server that allows so many players."""
    if settings.max_players > most_players:
        raise Refused(ErrorCode.INVALID_FIELD, f"expected at most {most_players}", "settings.max_players")
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
        notes=room.notes(member.delivery),
        quota=member.quota.state(),
        chat=[*chat, line] if line else chat,
    )


def _welcome_line(room: Room, member: Member) -> ChatLine | None:
    """The room's welcome message, said to `member`."""
    text = room.settings.welcome_message.replace("%%user%%", member.player.name)
    return room.chat.line(ChatKind.SYSTEM, text, None, member.player.id) if text else None


def merge_settings(settings: RoomSettings, update: RoomSettingsUpdate) -> RoomSettings:
    given = structs.asdict(update)
    changes = {key: given[key] for key in RoomSettings.__struct_fields__ if given.get(key, UNSET) is not UNSET}
    return structs.replace(settings, **changes)


def transfer_owner(session: Session, message: TransferOwner) -> None:
    """Make another member the owner. One who is muted would be so in a room of their own, and could not end it."""
    room, _ = session.require_place()
    if not room.keeper.passes_ownership:
        raise Refused(ErrorCode.NOT_PERMITTED, "a kept room stays its account's")
    heir = room.members.find(message.user)
    if heir.notes_muted or heir.chat_muted:
        raise Refused(ErrorCode.NOT_PERMITTED, "this member is muted: end that first", "user")
    room.set_owner(heir)


def owns_room(room: Room, user_id: str) -> bool:
    """Whether this user owns `room` once they are in it: their account, or their older socket, or they did before."""
    if room.keeper.passes_ownership:
        return room.vacancy.is_claimed_by(user_id) or (room.owner is not None and room.owner.player.id == user_id)
    return room.keeper.owner_id == user_id
