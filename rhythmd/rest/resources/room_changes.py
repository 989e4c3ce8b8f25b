"""`rooms/…` for those who make rooms, change them and take seats in them."""

from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from math import ceil
from typing import Final

from msgspec import UNSET, Struct

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import RoomInfo
from rhythmd.auth.service import Auth
from rhythmd.auth.tickets import TICKET_S
from rhythmd.errors import Refused
from rhythmd.fairness.shares import Holder, Shares
from rhythmd.hub.handlers.rooms import (
    ENTERED_BY_RANK,
    JOIN_ATTEMPTS,
    Entry,
    check_admission,
    check_settings,
    merge_settings,
    owns_room,
    settled,
)
from rhythmd.hub.keeping.catalogue import Catalogue
from rhythmd.hub.rooms.members import Player
from rhythmd.hub.rooms.registry import LOBBY, Registry
from rhythmd.hub.rooms.room import Room
from rhythmd.hub.sessions.sessions import Sessions
from rhythmd.rest.resources.inputs import CreateRoom, JoinRoom, RoomChange
from rhythmd.rest.resources.rooms import info_of, is_hidden
from rhythmd.rest.resources.users import require_unmuted
from rhythmd.rest.serving.call import Call, InputT, Nothing
from rhythmd.rest.serving.envelope import ApiError
from rhythmd.rest.serving.source import PublicUrls
from rhythmd.rows import SanctionKind, StoredRoom

__all__ = ["RoomChangesResource", "SeatView"]

CREATED: Final = "room.created"
CHANGED: Final = "room.changed"
DELETED: Final = "room.deleted"


class SeatView(Struct, frozen=True):
    """A seat is yours for `seconds`, while the room's password stays the same.

    `url` is where a socket opens with the ticket, once: a path, without a `public_url`.
    """

    room: RoomInfo
    ticket: str
    seconds: int
    url: str


class RoomChangesResource:
    """Rooms as they are made, changed, deleted, joined and left."""

    def __init__(
        self,
        registry: Registry,
        catalogue: Catalogue,
        sessions: Sessions,
        auth: Auth,
        urls: PublicUrls,
        most_players: int,
        shares: Shares,
    ) -> None:
        self._shares = shares
        self._registry = registry
        self._catalogue = catalogue
        self._sessions = sessions
        self._most_players = most_players
        self._auth = auth
        self._urls = urls

    async def create(self, call: Call[CreateRoom]) -> RoomInfo:
        """Make a room that is kept, also when nobody is in it."""
        given = call.input
        require_unmuted(call.known.account)
        with _fields_of({"room": "name"}):
            check_settings(given.settings, self._most_players, has_password=given.password is not None)
            stored = await self._catalogue.store(call.known.user_id, given.name, given.settings, given.password)
        self._record(CREATED, call, stored)
        return info_of(stored)

    async def change(self, call: Call[RoomChange]) -> RoomInfo:
        """Change a room of yours; who is in it notices at once."""
        stored, given = await self._own(call), call.input
        if any(new not in (UNSET, "") for new in (given.name, given.stage, given.welcome_message)):
            await self._require_voice(call, stored)
        settings = merge_settings(stored.settings, given)
        has_password = stored.password_hash is not None if given.password is UNSET else given.password is not None
        name = stored.name if given.name is UNSET else given.name.strip()
        with _fields_of({f"settings.{field}": field for field in RoomChange.__struct_fields__}):
            check_settings(settings, self._most_players, has_password=has_password)
            stored = await self._catalogue.change(stored, name=name, settings=settings, password=given.password)
        self._record(CHANGED, call, stored)
        live = self._registry.by_id(stored.id)
        return live.info() if live else info_of(stored)

    async def delete(self, call: Call[Nothing]) -> None:
        """Delete a room of yours, with its chat. Those who are in it may stay; nobody comes back to it."""
        stored = await self._own(call)
        if not await self._catalogue.delete(stored.id):
            raise ApiError(ErrorCode.ROOM_NOT_FOUND, "there is no such room")
        room = self._registry.by_id(stored.id)
        if room is not None and all(member.reconnecting for member in room.members.values()):
            for member in list(room.members.values()):
                self._sessions.leave(self._sessions.of_member(member), "left")
        self._record(DELETED, call, stored)

    async def join(self, call: Call[JoinRoom]) -> SeatView:
        """Reserve a seat, or learn why there is none."""
        return await self._join(call, JOIN_ATTEMPTS)

    async def _join(self, call: Call[JoinRoom], attempts: int) -> SeatView:
        if not attempts:
            raise ApiError(ErrorCode.UNAVAILABLE, "this room changes all the time, try again later")
        room = await self._find(call.path("id"), self._shares.holder(_player(call)))
        user_id, seconds = call.known.user_id, TICKET_S
        if room.members.of_user(user_id) is None:
            keeper = room.keeper
            password = call.input.password if keeper.has_password else None
            player = _player(call)
            guess = self._sessions.guesses.begin(room.id, player, password, owns=owns_room(room, user_id))
            knows_password = keeper.check_password(call.input.password)
            if isinstance(knows_password, Coroutine):
                knows_password = await settled(knows_password, guess)
                if self._registry.by_id(room.id) is not room or room.keeper is not keeper:
                    return await self._join(call, attempts - 1)  # deleted, freed or changed meanwhile
            elif guess is not None and knows_password:
                guess.succeed()
            # From here to the seat nothing waits, so that two can never have the last one.
            entry = check_admission(room, player, knows_password=knows_password, is_here=False)
            is_new = user_id not in room.seats
            seconds = room.seats.reserve(user_id, self._shares.holder(player))
            if is_new:
                room.changed()
            if entry is Entry.BY_RANK:
                details = {"name": room.name}
                self._auth.auditor.record(ENTERED_BY_RANK, actor=user_id, target=room.id, client=call.client, **details)
        ticket = await self._auth.tickets.issue(call.known)
        return SeatView(room.info(), ticket, ceil(min(seconds, TICKET_S)), self._urls.socket(ticket))

    async def leave(self, call: Call[Nothing]) -> None:
        """Give the seat back, and leave the room if you are in it."""
        user_id = call.known.user_id
        room = self._registry.get(call.path("id"))
        member = None if room is None else room.members.of_user(user_id)
        is_here = room is not None and (member is not None or user_id in room.seats)
        if room is None or (not is_here and is_hidden(room.settings, room.keeper.owner_id, user_id)):
            raise ApiError(ErrorCode.ROOM_NOT_FOUND, "there is no such room")
        if not is_here:
            raise ApiError(ErrorCode.NOT_IN_ROOM, "you are not in this room")
        if user_id in room.seats:
            room.seats.release(user_id)
            room.changed()
        if member is not None:
            self._sessions.leave(self._sessions.of_member(member), "left")

    async def _find(self, reference: str, opener: Holder) -> Room:
        room = self._registry.lobby() if reference == LOBBY else await self._catalogue.open(reference, opener)
        # One that was deleted stays for those who are in it, and waits for nobody.
        if room is None or room.vacancy.is_deleted:
            raise ApiError(ErrorCode.ROOM_NOT_FOUND, "there is no such room")
        return room

    async def _require_voice(self, call: Call[RoomChange], stored: StoredRoom) -> None:
        """Raise ApiError for words by one who is muted, in the room or everywhere."""
        require_unmuted(call.known.account)
        room = await self._catalogue.open(stored.id)
        if room is not None and room.sanctions[SanctionKind.CHAT].applies_to(_player(call)):
            raise ApiError(ErrorCode.CHAT_MUTED, "you are muted in this room")

    async def _own(self, call: Call[InputT]) -> StoredRoom:
        """The kept room in the path, if it is the caller's. A caller who may not know of it learns nothing."""
        stored, user_id = await self._catalogue.find(call.path("id")), call.known.user_id
        if stored is not None and stored.owner_id == user_id:
            return stored
        live = self._registry.get(call.path("id")) if stored is None else None
        found = stored or live
        if found is None or is_hidden(found.settings, None if live is None else live.keeper.owner_id, user_id):
            raise ApiError(ErrorCode.ROOM_NOT_FOUND, "there is no such room")
        if live is not None:
            raise ApiError(ErrorCode.NOT_PERMITTED, "this room is not kept: it is changed by those in it")
        raise ApiError(ErrorCode.NOT_OWNER, "only the room's owner may do this")

    def _record(self, action: str, call: Call[InputT], room: StoredRoom) -> None:
        self._auth.auditor.record(action, actor=call.known.user_id, target=room.id, client=call.client, name=room.name)


@contextmanager
def _fields_of(names: Mapping[str, str]) -> Iterator[None]:
    """Refusals name the hub's messages' fields; `names` says which ones of the request these are."""
    try:
        yield
    except Refused as refused:
        field = names.get(refused.field or "", refused.field)
        raise ApiError(refused.code, refused.message, field) from refused


def _player(call: Call[InputT]) -> Player:
    """The caller as the room's rules see them."""
    principal = call.known
    name = principal.account.nickname if principal.account else "Guest"
    player = Player(principal.user_id, name, "#ffffff", call.client.address, guest=principal.is_guest, bot=False)
    player.roles = frozenset(principal.roles)
    player.browser = call.client.browser
    player.since = principal.account.created / 1000 if principal.account else 0.0
    return player
