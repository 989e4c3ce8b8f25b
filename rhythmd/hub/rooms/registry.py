"""All live rooms of this server, by id and by name, and the lobbies that overflow into one another."""

import re
import secrets
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Final

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import RoomSettings, RoomType
from rhythmd.config import Config
from rhythmd.errors import Refused
from rhythmd.fairness.shares import Claim, Holder, Scope, Shares
from rhythmd.hub.rooms.admission import Reservations
from rhythmd.hub.rooms.keeper import Keeper
from rhythmd.hub.rooms.lingering import Lingering
from rhythmd.hub.rooms.room import Room
from rhythmd.hub.sending.pacer import Pacer
from rhythmd.names.looks import letters, look
from rhythmd.names.rule import fit_name
from rhythmd.rows import fold

__all__ = ["LOBBY", "MakeKeeper", "Registry"]

LOBBY: Final = "lobby"
LOBBY_LETTERS: Final = re.compile(r"[li]obby[\dlio]*")  # a look has `l` and `o` for 1 and 0

MakeKeeper = Callable[[Room], Keeper]


class Registry:
    """The live rooms. They come with their first member and go with their last, or linger; the first lobby stays.

    Args:
        config: of rooms.
        pacer: of the loop.
        lobby_keeper: makes the keepers of lobbies.
        shares: of guests and others. A lobby is made whatever others have taken.

    Attributes:
        version: grows with every change that a list of rooms shows.
    """

    def __init__(self, config: Config, pacer: Pacer, lobby_keeper: MakeKeeper, shares: Shares) -> None:
        self._config = config
        self._pacer = pacer
        self._lobby_keeper = lobby_keeper
        self._shares = shares
        self._claims: dict[str, Claim] = {}
        self._rooms: dict[str, Room] = {}
        self._names: dict[str, str] = {}  # by room id
        self._ids_by_name: dict[str, str] = {}  # folded
        self._ids_by_look: dict[str, str] = {}
        self._lingering = Lingering()
        self.version = 0
        self._open_lobby(1)

    def __len__(self) -> int:
        return len(self._rooms)

    def __iter__(self) -> Iterator[Room]:
        return iter(self._rooms.values())

    def get(self, reference: str) -> Room | None:
        """The room with this id or, in any case and with any space around it, this name."""
        room = self.by_id(reference)
        if room is None:
            room = self._rooms.get(self._ids_by_name.get(_key(reference), ""))
        return room

    def similar(self, name: str) -> Room | None:
        """The room whose name looks like this one, or is this one."""
        return self.get(name) or self._rooms.get(self._ids_by_look.get(look(name), ""))

    def by_id(self, room_id: str) -> Room | None:
        """The room with this id. A name, which anybody may choose, never stands for it."""
        return self._rooms.get(room_id)

    def lobby(self, user_id: str | None = None) -> Room:
        """The first lobby with a free seat, or one that is reserved for this user; a new one when all are full."""
        number = 1
        while True:
            room = self._rooms.get(_lobby_id(number))
            if room is None:
                return self._open_lobby(number)
            is_reserved = user_id is not None and user_id in room.seats
            if is_reserved or len(room.members) + len(room.seats) < room.settings.max_players:
                return room
            number += 1

    def open(self, id_: str, name: str, settings: RoomSettings, make_keeper: MakeKeeper, holder: Holder) -> Room:
        """Make a room live that is not yet; `holder` is who made it.

        An empty one gives way. Raises Refused when there are too many already.
        """
        self.make_space(holder)
        return self._add(id_, name, settings, make_keeper, holder)

    def make_space(self, holder: Holder) -> None:
        """End empty rooms until this holder may have one more. Raises Refused (`room-limit`)."""
        while (scope := self._shares.rooms.used_up(holder)) is not None:
            if not self.make_way(scope, holder):
                self._shares.rooms.require(holder, ErrorCode.ROOM_LIMIT, "rooms")

    def make_way(self, scope: Scope, holder: Holder) -> bool:
        """End the empty room that gives way first, of this holder's if only their own share is used up."""
        is_for_all = scope in (Scope.GUESTS, Scope.ALL)
        return self._give_way(self._lingering.oldest(None if is_for_all else holder.key))

    def _add(self, id_: str, name: str, settings: RoomSettings, make_keeper: MakeKeeper, holder: Holder | None) -> Room:
        seats = Reservations(self._shares.seats)
        room = Room(id_, name, settings, self._config, self._pacer, make_keeper, self._room_changed, seats)
        self._rooms[id_] = room
        self._claims[id_] = self._shares.rooms.take(holder)
        self._learn_name(room)
        self.version += 1
        return room

    @staticmethod
    def new_id() -> str:
        """An id that no room has."""
        return secrets.token_urlsafe(9)

    @staticmethod
    def fit_name(name: str, field: str) -> str:
        """A name of a room, tidied. Raises Refused, naming `field`, when it is none, or looks like a lobby's."""
        name = fit_name(name, field)
        if LOBBY_LETTERS.fullmatch(letters(name)):
            raise Refused(ErrorCode.INVALID_FIELD, "the lobbies' names are the server's own", field)
        return name

    def check_free(self, name: str, room_id: str, field: str) -> None:
        """Raise Refused unless the room with this id, live or not, may be called `name`."""
        taken = self.similar(name)
        if taken is not None and taken.id != room_id:
            raise Refused(ErrorCode.TAKEN, "another room has this name, or one that looks like it", field)

    def free(self, room: Room) -> None:
        """Forget `room` if nobody is left in it and it does not linger."""
        if not room.members and not room.seats and room.id != LOBBY and not self._lingers(room):
            self._forget(room)

    def _lingers(self, room: Room) -> bool:
        """Whether an empty room stays for those who come back: one of a guest, which no store has."""
        vacancy, seconds = room.vacancy, self._config.rooms.linger_s
        is_guests = room.keeper.passes_ownership and room.settings.type is not RoomType.LOBBY
        if not is_guests or vacancy.is_deleted or vacancy.owner is None or seconds == 0:
            return False
        is_new = room.id not in self._lingering
        until = vacancy.begin(seconds)
        if is_new:
            room.keeper.room_changed()
            self.version += 1
            self._give_way(self._lingering.add(room.id, self._owner_key(room)))
        return until > monotonic() and room.id in self._rooms

    def _owner_key(self, room: Room) -> str:
        holder = self._claims[room.id].holder
        return room.id if holder is None else holder.key

    def forget_longest_empty(self) -> Room | None:
        """Forget the longest empty of the rooms that linger, if there is one."""
        room_id = self._lingering.oldest()
        room = None if room_id is None else self._rooms[room_id]
        self._give_way(room_id)
        return room

    def _give_way(self, room_id: str | None) -> bool:
        """Forget an empty room; whether there is one."""
        if room_id is None:
            return False
        self._forget(self._rooms[room_id])
        return True

    def _forget(self, room: Room) -> None:
        self._lingering.discard(room.id)
        self._claims.pop(room.id).release()
        room.seats.clear()
        del self._rooms[room.id]
        self._forget_name(room)
        self.version += 1
        room.close()

    def sweep(self) -> None:
        """Free the rooms whose reserved seats nobody took; end the mutes whose time is over."""
        for room in self._rooms.values():
            if room.sanctions.next_end <= monotonic():
                self._pacer.in_turn(room.sanctions.end)
            if room.seats.sweep():
                room.changed()
        for room in [room for room in self._rooms.values() if not room.members]:
            self.free(room)

    def _open_lobby(self, number: int) -> Room:
        settings = RoomSettings(type=RoomType.LOBBY, max_players=self._config.rooms.lobby_players)
        name = "Lobby" if number == 1 else f"Lobby {number}"
        return self._add(_lobby_id(number), name, settings, self._lobby_keeper, None)

    def _room_changed(self, room: Room) -> None:
        self.version += 1
        if room.vacancy.empty_until is None:
            self._lingering.discard(room.id)
        if self._names[room.id] != room.name:
            self._forget_name(room)
            self._learn_name(room)

    def _learn_name(self, room: Room) -> None:
        self._names[room.id] = room.name
        self._ids_by_name.setdefault(_key(room.name), room.id)
        self._ids_by_look.setdefault(look(room.name), room.id)

    def _forget_name(self, room: Room) -> None:
        """A stored room may have a name that a room of guests took while the store was asked."""
        name = self._names.pop(room.id)
        if self._ids_by_name.get(_key(name)) == room.id:
            del self._ids_by_name[_key(name)]
        if self._ids_by_look.get(look(name)) == room.id:
            del self._ids_by_look[look(name)]


def _key(name: str) -> str:
    """What a room is found by: its name in any case, with any space around and between its words."""
    return fold(" ".join(name.split()))


def _lobby_id(number: int) -> str:
    return LOBBY if number == 1 else f"{LOBBY}-{number}"
