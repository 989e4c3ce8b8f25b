"""All rooms of this server, by id and by name, and the lobbies that overflow into one another."""

import re
import secrets
from collections.abc import Iterator
from time import monotonic
from typing import Final

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import RoomSettings, RoomType
from rhythmd.config import Config
from rhythmd.errors import Refused
from rhythmd.hub.keeping.continuity import Continuity
from rhythmd.hub.keeping.keptstate import KeptState
from rhythmd.hub.keeping.password import PasswordHash
from rhythmd.hub.keeping.records import RoomRecord
from rhythmd.hub.rooms.members import Member
from rhythmd.hub.rooms.room import Room
from rhythmd.hub.sending.pacer import Pacer
from rhythmd.rows import StoredRoom, fold

__all__ = ["LOBBY", "Registry"]

LOBBY: Final = "lobby"
LOBBY_NAME: Final = re.compile(r"\s*lobby([ -]\d+)?\s*")


class Registry:
    """Rooms come with their first member and go with their last; the first lobby stays. Implements `hub.room.Witness`.

    `version` grows with every change that a list of rooms shows.
    """

    def __init__(self, config: Config, pacer: Pacer, continuity: Continuity) -> None:
        self._continuity = continuity
        self._config = config
        self._pacer = pacer
        self._rooms: dict[str, Room] = {}
        self._ids_by_name: dict[str, str] = {}
        self.version = 0
        self._open_lobby(1)

    def __len__(self) -> int:
        return len(self._rooms)

    def __iter__(self) -> Iterator[Room]:
        return iter(self._rooms.values())

    def get(self, reference: str) -> Room | None:
        """The room with this id or, in any case and with any space around it, this name."""
        room = self._rooms.get(reference)
        if room is None:
            room = self._rooms.get(self._ids_by_name.get(fold(reference.strip()), ""))
        return room

    def lobby(self, user_id: str | None = None) -> Room:
        """The first lobby with a free seat, or one that is held for this user; a new one when all are full."""
        number = 1
        while True:
            room = self._rooms.get(_lobby_id(number))
            if room is None:
                return self._open_lobby(number)
            is_held = user_id is not None and room.seats.holds(user_id)
            if is_held or len(room.members) + len(room.seats) < room.settings.max_players:
                return room
            number += 1

    def create(self, name: str, settings: RoomSettings) -> Room:
        """A new, empty room. Raises Refused when there are too many already, or the name is a lobby's."""
        self.check_name(name, "room")
        return self._add(self.new_id(), name, settings)

    def restore(self, record: RoomRecord) -> Room:
        """The room that was live under this record before the server's start. Raises Refused."""
        room = self._rooms.get(record.id) or self._add(record.id, record.name, record.settings)
        room.password = None if record.password is None else PasswordHash.of_parts(record.password)
        now = monotonic()
        for keys, until in record.bans:
            room.bans.restore(keys, until - now)
        return room

    def adopt(self, stored: StoredRoom) -> Room:
        """Make a kept room live. Raises Refused when there are too many already."""
        room = self._add(stored.id, stored.name, stored.settings)
        room.kept = KeptState(stored.owner_id, stored.password_hash)
        return room

    @staticmethod
    def new_id() -> str:
        """An id that no room has."""
        return secrets.token_urlsafe(9)

    @staticmethod
    def check_name(name: str, field: str) -> None:
        """Raise Refused, naming `field`, when only the server itself may use `name`."""
        if LOBBY_NAME.fullmatch(fold(name)):
            raise Refused(ErrorCode.INVALID_FIELD, "the lobbies' names are the server's own", field)

    def check_free(self, name: str, room_id: str) -> None:
        """Raise Refused unless the room with this id, live or not, may be called `name`."""
        self.check_name(name, "settings.name")
        taken = self.get(name)
        if taken is not None and taken.id != room_id:
            raise Refused(ErrorCode.TAKEN, "another room has this name", "settings.name")

    def rename(self, room: Room, name: str) -> None:
        """Find `room` under another name from now on."""
        self._forget_name(room)
        self._ids_by_name.setdefault(fold(name), room.id)

    def free(self, room: Room) -> None:
        """Forget `room` if nobody is left in it."""
        if not room.members and not room.seats and room.id != LOBBY:
            del self._rooms[room.id]
            self._forget_name(room)
            self.version += 1
            self._continuity.room_freed(room)

    def sweep(self) -> None:
        """Free the rooms whose held seats nobody took."""
        for room in [room for room in self._rooms.values() if not room.members]:
            self.free(room)

    def _open_lobby(self, number: int) -> Room:
        settings = RoomSettings(type=RoomType.LOBBY, max_players=self._config.rooms.lobby_players)
        return self._add(_lobby_id(number), "Lobby" if number == 1 else f"Lobby {number}", settings)

    def _add(self, id_: str, name: str, settings: RoomSettings) -> Room:
        if len(self._rooms) >= self._config.rooms.limit:
            raise Refused(ErrorCode.ROOM_LIMIT, "this server has as many rooms as it may")
        room = Room(id_, name, settings, self._config, self._pacer, self)
        self._rooms[id_] = room
        self._ids_by_name.setdefault(fold(name), id_)
        self.version += 1
        return room

    def _forget_name(self, room: Room) -> None:
        """A kept room may have a name that a room of guests took while the store was asked."""
        if self._ids_by_name.get(fold(room.name)) == room.id:
            del self._ids_by_name[fold(room.name)]

    def room_changed(self, room: Room) -> None:
        self.version += 1
        self._continuity.room_changed(room)

    def seat_changed(self, room: Room, member: Member) -> None:
        self._continuity.seat_changed(room, member)


def _lobby_id(number: int) -> str:
    return LOBBY if number == 1 else f"{LOBBY}-{number}"
