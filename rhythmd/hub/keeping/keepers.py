"""The two keepers of rooms: one writes to the live file, one to the store.

The live file has every room's seats. What else a room must not lose, its settings, password, bans and chat, is there as
well for rooms of guests and lobbies; for a room of an account the store has it, for good.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any, Protocol, Self
from weakref import proxy

from msgspec import UNSET, UnsetType

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import ChatCleared, ChatKind, RoomSettings
from rhythmd.clock import unix_ms
from rhythmd.config import RoomsConfig
from rhythmd.errors import Refused
from rhythmd.fairness.shares import Holder
from rhythmd.hub.keeping.live_file import LiveFile, SavedRoom
from rhythmd.hub.rooms.keeper import Later
from rhythmd.hub.rooms.members import Member
from rhythmd.hub.rooms.room import Room
from rhythmd.ports import Conflict, NotFound, Store, StoreUnavailable, TooMany
from rhythmd.rows import FOREVER, NewChatLine, Sanction, SanctionKind, StoredRoom, StoredRoomChanges

__all__ = ["LiveKeeper", "NameTaken", "PasswordDigest", "PasswordHasher", "StoreKeeper", "StoredSide", "translated"]


class PasswordHasher(Protocol):
    """A slow hash, computed beside the loop. Raises Refused (`unavailable`) when too many wait."""

    async def hash(self, password: str) -> str: ...

    async def verify(self, hashed: str, password: str) -> bool: ...


class NameTaken(Refused):
    """Another stored room has this name, or one that looks like it. `field` is where it stands in the message."""

    def __init__(self, field: str) -> None:
        super().__init__(ErrorCode.TAKEN, "another room has this name, or one that looks like it", field)


@contextmanager
def translated(name_field: str = "name") -> Iterator[None]:
    """A store's errors in the players' words. `name_field` is where the room's name stands in the message."""
    try:
        yield
    except StoreUnavailable as error:
        raise Refused(ErrorCode.UNAVAILABLE, "the server cannot reach its database, try again later") from error
    except Conflict as error:
        raise NameTaken(name_field) from error
    except TooMany as error:
        raise Refused(ErrorCode.ROOM_LIMIT, "you have as many rooms as one may: delete one first") from error
    except NotFound as error:
        raise Refused(ErrorCode.ROOM_NOT_FOUND, "this room is gone") from error


class PasswordDigest:
    """The password of a room that lives in memory only: salted, never in clear. Equal to it without holding it."""

    __slots__ = ("_digest", "_salt")

    def __init__(self, salt: bytes, digest: bytes) -> None:
        self._salt = salt
        self._digest = digest

    @classmethod
    def of(cls, password: str) -> "PasswordDigest":
        salt = secrets.token_bytes(16)
        return cls(salt, _digest(salt, password))

    @property
    def parts(self) -> tuple[bytes, bytes]:
        """Salt and digest."""
        return self._salt, self._digest

    def matches(self, password: str | None) -> bool:
        return password is not None and hmac.compare_digest(_digest(self._salt, password), self._digest)


def _digest(salt: bytes, password: str) -> bytes:
    return hashlib.blake2b(password.encode(), salt=salt).digest()


class _SeatKeeper:
    """What both keepers do alike: every room's seats are in the live file."""

    def __init__(self, room: Room, file: LiveFile) -> None:
        self._room = room
        self._file = file

    def room_changed(self) -> None:
        self._file.write_room(self.saved())

    def room_closed(self) -> Self:
        room = self._room
        self._file.delete_room(room.id)
        room.chat.clear()
        # So that both go at once, and not when garbage is looked for. What still waits for the store has this keeper.
        last = copy(self)
        last._room = proxy(room)
        return last

    def seat_taken(self, member: Member) -> None:
        self._file.write_seat(self._room, member)

    def seat_left(self, member: Member) -> None:
        self._file.delete_seat(member)

    def forget_chat(self) -> None:
        """Here and on every screen."""
        self._room.chat.clear()
        self._room.broadcast("chat-cleared", ChatCleared())

    def saved(self) -> SavedRoom:
        """What the live file has of the room."""
        raise NotImplementedError


class LiveKeeper(_SeatKeeper):
    """Implements `rooms.keeper.Keeper` for a room that ends with its last member. Everything is done at once.

    Args:
        room: which it keeps.
        file: where it is.
        password: of the room.
        holder: who made it; None for a lobby.
    """

    owner_id: str | None = None
    passes_ownership = True

    def __init__(
        self, room: Room, file: LiveFile, password: PasswordDigest | None = None, holder: Holder | None = None
    ) -> None:
        super().__init__(room, file)
        self._password = password
        self._holder = holder

    @property
    def has_password(self) -> bool:
        return self._password is not None

    def check_password(self, password: str | None) -> bool | Coroutine[Any, Any, bool]:
        return self._password is None or self._password.matches(password)

    def say(self, author: Member, kind: ChatKind, content: str, request_id: int | None) -> Later:
        self._file.require_space(author.player, len(content.encode()))
        line = self._room.chat.line(kind, content, author.player)
        self._file.write_line(self._room.id, line, author, request_id)
        self._room.broadcast("chat-message", line, self._room.members.ignoring(line.user_id))
        return None

    def clear_chat(self) -> Later:
        self.forget_chat()
        self._file.clear_chat(self.saved())
        return None

    def sanction(self, _kind: SanctionKind, _user_id: str, _by: str, _reason: str = "") -> Later:
        self.room_changed()
        return None

    def pardon(self, kind: SanctionKind, user_id: str) -> Later:
        self._room.sanctions[kind].lift(user_id)
        self.room_changed()
        return None

    def change(self, name: str, settings: RoomSettings, password: str | UnsetType | None) -> Later:
        if password is not UNSET:
            self._password = None if password is None else PasswordDigest.of(password)
            self._room.seats.clear()  # whoever reserved one with the password before has to know this one
        self._room.change_settings(name, settings)
        return None

    def saved(self) -> SavedRoom:
        password = None if self._password is None else self._password.parts
        return SavedRoom.of(self._room, is_stored=False, password=password, holder=self._holder)


class StoredSide:
    """What keeping rooms in the store takes.

    Args:
        store: of rooms and their chat.
        hasher: of their passwords.
        rooms: how many lines of chat stay, and for how long people are known by what.
    """

    def __init__(self, store: Store, hasher: PasswordHasher, rooms: RoomsConfig) -> None:
        self.store = store
        self.hasher = hasher
        self.rooms = rooms

    async def update(
        self, room_id: str, name: str, settings: RoomSettings, password: str | UnsetType | None
    ) -> StoredRoom:
        """Change the row of a room; as it is then. Raises Refused."""
        hashed = await self.hasher.hash(password) if isinstance(password, str) else password
        changes = StoredRoomChanges(updated=unix_ms(), name=name, settings=settings, password_hash=hashed)
        with translated("settings.name"):
            return await self.store.rooms.update(room_id, changes)


class StoreKeeper(_SeatKeeper):
    """Implements `rooms.keeper.Keeper` for an account's room. What the store has to write is acknowledged afterwards.

    A keeper is of one state of the row: another password or owner comes with another keeper, so that whoever waited for
    a slow hash can tell that it was of a password that counts no more.

    Args:
        room: which it keeps.
        file: where its seats are.
        side: where everything else is.
        row: of the room in the store.
        on_stored: called with the changed row. The room may have ended meanwhile, and another be live with its id.
    """

    passes_ownership = False

    def __init__(
        self, room: Room, file: LiveFile, side: StoredSide, row: StoredRoom, on_stored: Callable[[StoredRoom], None]
    ) -> None:
        super().__init__(room, file)
        self._side = side
        self._on_stored = on_stored
        self._password_hash = row.password_hash
        self.owner_id = row.owner_id

    @property
    def has_password(self) -> bool:
        return self._password_hash is not None

    def check_password(self, password: str | None) -> bool | Coroutine[Any, Any, bool]:
        if self._password_hash is None or password is None:
            return self._password_hash is None
        return self._side.hasher.verify(self._password_hash, password)

    async def say(self, author: Member, kind: ChatKind, content: str, _request_id: int | None) -> None:
        player = author.player
        line = NewChatLine(
            time=unix_ms(), kind=kind, content=content, user_id=player.id, name=player.name, colour=player.colour
        )
        with translated():
            (stored,) = await self._side.store.chat.append(self._room.id, [line], self._side.rooms.chat_history)
        self._room.chat.add(stored)
        self._room.broadcast("chat-message", stored, self._room.members.ignoring(stored.user_id))

    async def clear_chat(self) -> None:
        with translated():
            await self._side.store.chat.clear(self._room.id)
        self.forget_chat()

    async def sanction(self, kind: SanctionKind, user_id: str, by: str, reason: str = "") -> None:
        now = unix_ms()
        imposed = self._room.sanctions[kind].of(user_id)
        if imposed is None:
            return
        left = imposed.seconds_left
        with translated():
            for subject in imposed.subjects:
                await self._side.store.rooms.sanction(
                    Sanction(
                        room_id=self._room.id,
                        subject=subject,
                        kind=kind,
                        until=FOREVER if left is None else now + round(left * 1000),
                        created=round(imposed.since * 1000),
                        reason=reason,
                        by=by,
                        name=imposed.name,
                        rank=imposed.rank,
                        guest=imposed.guest,
                    )
                )
            for given_way in self._room.sanctions[kind].take_given_way():
                for subject in given_way.subjects:
                    await self._side.store.rooms.pardon(self._room.id, subject, kind)

    async def pardon(self, kind: SanctionKind, user_id: str) -> None:
        imposed = self._room.sanctions[kind].of(user_id)
        if imposed is not None:
            with translated():
                for subject in dict.fromkeys((*imposed.subjects, *imposed.keys)):  # of older servers, too
                    await self._side.store.rooms.pardon(self._room.id, subject, kind)
        self._room.sanctions[kind].lift(user_id)

    async def change(self, name: str, settings: RoomSettings, password: str | UnsetType | None) -> None:
        self._on_stored(await self._side.update(self._room.id, name, settings, password))

    def follow(self, row: StoredRoom) -> None:
        """Let the live room be as its row is now. A seat that was reserved with another password is none any more."""
        if row.password_hash != self._password_hash:
            self._room.seats.clear()
        self._room.keeper = StoreKeeper(self._room, self._file, self._side, row, self._on_stored)
        self._room.change_settings(row.name, row.settings)

    def saved(self) -> SavedRoom:
        return SavedRoom.of(self._room, is_stored=True)
