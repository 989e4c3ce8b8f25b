"""Rooms of users with an account: settings, password, bans and chat are in the store, members never.

What is in the store is true; a live room follows it. Everything here waits, so none of it is on the hot path.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import Protocol

from msgspec import UnsetType

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import Ban, ChatKind, RoomSettings
from rhythmd.clock import unix_ms
from rhythmd.config import RoomsConfig
from rhythmd.errors import Refused
from rhythmd.hub.keeping.keptstate import KeptState
from rhythmd.hub.rooms.members import Profile
from rhythmd.hub.rooms.registry import Registry
from rhythmd.hub.rooms.room import Room
from rhythmd.ports import Conflict, NotFound, Store, StoreUnavailable, TooMany
from rhythmd.rows import FOREVER, NewChatLine, Sanction, SanctionKind, StoredRoom, StoredRoomChanges

__all__ = ["KeptRooms", "NameTaken", "PasswordHasher"]


class PasswordHasher(Protocol):
    """A slow hash, computed beside the loop. Raises Refused (`unavailable`) when too many wait."""

    async def hash(self, password: str) -> str: ...

    async def verify(self, hashed: str, password: str) -> bool: ...


class NameTaken(Refused):
    """Another kept room has this name. `field` is where it stands in the message."""

    def __init__(self, field: str) -> None:
        super().__init__(ErrorCode.INVALID_FIELD, "another room has this name", field)


@contextmanager
def _translated(name_field: str = "name") -> Iterator[None]:
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


def _restore_bans(room: Room, sanctions: list[Sanction]) -> None:
    """Put kept bans back in force. What one ban stands under was stored with one time and author."""
    for _, group in groupby(sanctions, key=lambda ban: (ban.created, ban.by, ban.until)):
        parts = list(group)
        room.bans.restore(tuple(ban.subject for ban in parts), (parts[0].until - unix_ms()) / 1000)


class KeptRooms:
    """Opens, makes and changes rooms that outlive their members. Every method may raise Refused."""

    def __init__(self, store: Store, hasher: PasswordHasher, registry: Registry, config: RoomsConfig) -> None:
        self._store = store
        self._hasher = hasher
        self._registry = registry
        self._history = config.chat_history
        self._most = config.kept_per_account

    async def find(self, reference: str) -> StoredRoom | None:
        """The room with this id or, in any case and with any space around it, this name."""
        with _translated():
            return await self._store.rooms.get(reference) or await self._store.rooms.by_name(reference.strip())

    async def open(self, reference: str) -> Room | None:
        """The live room for an id or name, fetched from the store if nobody is in it."""
        found = None if self._registry.get(reference) else await self.find(reference)
        if found is None:
            return self._registry.get(reference)
        with _translated():
            lines = await self._store.chat.last(found.id, self._history)
            sanctions = await self._store.rooms.sanctions(found.id, unix_ms())
            # Last and once more: a change that is stored before this answer is in it, a later one finds the live room.
            stored = await self._store.rooms.get(found.id)
        room = self._registry.get(found.id)
        if room is None and stored is not None:
            room = self._registry.adopt(stored)
            room.chat.restore(lines)
            _restore_bans(room, sanctions)
        return room

    async def create(self, owner_id: str, name: str, settings: RoomSettings, password: str | None) -> StoredRoom:
        """Keep a new room. Raises NameTaken."""
        self._registry.check_name(name, "room")
        now = unix_ms()
        room = StoredRoom(
            id=self._registry.new_id(),
            name=name,
            owner_id=owner_id,
            settings=settings,
            created=now,
            updated=now,
            password_hash=None if password is None else await self._hasher.hash(password),
        )
        with _translated():
            await self._store.rooms.create(room, self._most)
        return room

    async def knows_password(self, room: Room, password: str | None) -> bool:
        """Whether `password` opens `room`."""
        if room.kept is None or room.kept.password_hash is None:
            return room.password is None or room.password.matches(password)
        return password is not None and await self._hasher.verify(room.kept.password_hash, password)

    async def change(
        self, room_id: str, *, name: str, settings: RoomSettings, password: str | UnsetType | None
    ) -> StoredRoom:
        """Change what is kept; a live room follows. `password` UNSET stays, None is taken away."""
        self._registry.check_free(name, room_id)
        hashed = await self._hasher.hash(password) if isinstance(password, str) else password
        changes = StoredRoomChanges(updated=unix_ms(), name=name, settings=settings, password_hash=hashed)
        with _translated("settings.name"):
            stored = await self._store.rooms.update(room_id, changes)
        room = self._registry.get(room_id)
        if room is not None and room.kept is not None:
            self._registry.rename(room, stored.name)
            room.kept = KeptState(stored.owner_id, stored.password_hash)
            room.change_settings(stored.settings, stored.name, None)
        return stored

    async def delete(self, room_id: str) -> bool:
        """Forget the room and its chat; whether there was one. Who is in it stays, in a room that is not kept."""
        with _translated():
            deleted = await self._store.rooms.delete(room_id)
        room = self._registry.get(room_id)
        if room is not None:
            room.kept = None
            self._registry.room_changed(room)
            room.crown()
        return deleted

    async def say(self, room: Room, author: Profile, kind: ChatKind, content: str) -> None:
        """Keep a line of chat, then say it: who hears it, or is told that it was said, can rely on it."""
        line = NewChatLine(
            time=unix_ms(),
            kind=kind,
            content=content,
            user_id=author.id,
            name=author.name,
            colour=author.colour,
        )
        with _translated():
            (kept,) = await self._store.chat.append(room.id, [line], self._history)
        room.chat.add(kept)
        room.broadcast("chat-message", kept)

    async def check_free(self, name: str) -> None:
        """Raise Refused when a kept room has this name, whether somebody is in it or not."""
        with _translated():
            taken = await self._store.rooms.by_name(name)
        if taken is not None:
            raise NameTaken("settings.name")

    async def clear_chat(self, room: Room) -> None:
        """Forget the chat; on the screens once the store has forgotten it."""
        with _translated():
            await self._store.chat.clear(room.id)
        room.clear_chat()

    async def ban(self, room: Room, ban: Ban, by: str) -> None:
        """Keep a ban that is in force, of the user with this id."""
        now = unix_ms()
        with _translated():
            for subject in room.bans.keys_of(ban.user):
                await self._store.rooms.sanction(
                    Sanction(
                        room_id=room.id,
                        subject=subject,
                        kind=SanctionKind.BAN,
                        until=FOREVER if ban.seconds is None else now + ban.seconds * 1000,
                        created=now,
                        reason=ban.reason,
                        by=by,
                    )
                )

    async def pardon(self, room: Room, key: str) -> None:
        """End a kept ban; one that the store cannot forget now stays, so that it can be ended later."""
        with _translated():
            for subject in room.bans.keys_of(key):
                await self._store.rooms.pardon(room.id, subject, SanctionKind.BAN)
        room.bans.lift(key)
