"""All rooms that there are, live or only stored: found, opened, made, changed and deleted.

What is in the store is true; a live room follows it. Nearly everything here waits, so none of it is on the hot path.
"""

import asyncio
from functools import partial

from msgspec import UnsetType

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import RoomSettings
from rhythmd.auth.secret import new_secret
from rhythmd.clock import unix_ms
from rhythmd.errors import Refused
from rhythmd.fairness.shares import Holder
from rhythmd.hub.keeping.keepers import LiveKeeper, NameTaken, PasswordDigest, StoredSide, StoreKeeper, translated
from rhythmd.hub.keeping.live_file import LiveFile, SavedRoom
from rhythmd.hub.ports import Identity
from rhythmd.hub.rooms.registry import Registry
from rhythmd.hub.rooms.room import Room
from rhythmd.hub.rooms.sanctions import stored_lists
from rhythmd.rows import StoredRoom

__all__ = ["Catalogue"]


class Catalogue:
    """All rooms: those of accounts are in the store and outlive their members, others are only live.

    Every method may raise Refused.

    Args:
        registry: of live rooms.
        side: what keeping them in the store takes.
        file: where live rooms are written down.
        most: rooms that an account may have.
    """

    def __init__(self, registry: Registry, side: StoredSide, file: LiveFile, most: int) -> None:
        self._registry = registry
        self._side = side
        self._store = side.store
        self._file = file
        self._most = most

    async def find(self, reference: str) -> StoredRoom | None:
        """The stored room with this id or, in any case and with any space around and between its words, this name."""
        rooms, spaced = self._store.rooms, " ".join(reference.split())
        with translated():
            found = await rooms.get(reference) or await rooms.by_name(spaced)
            # Older names may have more spaces.
            return found or (None if spaced == reference.strip() else await rooms.by_name(reference.strip()))

    async def open(self, reference: str, opener: Holder | None = None) -> Room | None:
        """The live room for an id or name, fetched from the store if nobody is in it.

        It counts for the account that owns it, and for the network of `opener`. Raises Refused (`room-limit`).
        """
        found = None if self._registry.get(reference) else await self.find(reference)
        if found is None:
            return self._registry.get(reference)
        with translated():
            lines = await self._store.chat.last(found.id, self._side.rooms.chat_history)
            imposed = await self._store.rooms.sanctions(found.id, unix_ms())
            sanctions = await asyncio.to_thread(stored_lists, imposed, self._side.rooms) if imposed else {}
            # Last and once more: a change that is stored before this answer is in it, a later one finds the live room.
            row = await self._store.rooms.get(found.id)
        room = self._registry.by_id(found.id)
        if room is None and row is not None:
            keeper = partial(StoreKeeper, file=self._file, side=self._side, row=row, on_stored=self._follow)
            room = self._registry.open(row.id, row.name, row.settings, keeper, _owner(row, opener))
            room.chat.restore(lines)
            room.sanctions.update(sanctions)
        return room

    def restore(self, saved: SavedRoom) -> Room:
        """The room that was only live before the server's start."""
        password = None if saved.password is None else PasswordDigest(*saved.password)
        return self._open_live(saved.id, saved.name, saved.settings, password, saved.holder or _nobody(saved.id))

    async def create(
        self,
        owner: Identity | None,
        name: str,
        settings: RoomSettings,
        password: str | None,
        holder: Holder | None = None,
    ) -> Room | None:
        """A new live room, empty; an account's is stored as well. It is of the share of `holder`.

        None when somebody was quicker: the room's name was taken, or the room deleted, in the meantime.
        """
        try:
            if owner is not None and not owner.guest:
                if holder is not None:
                    self._registry.make_space(holder)
                row = await self.store(owner.user_id, name, settings, password)
                return await self.open(row.id, holder)
            name = await self.check_free(name, "", "room")
        except Refused as refused:
            if refused.code is ErrorCode.TAKEN and (self._registry.get(name) or await self.find(name)):
                return None
            raise
        digest = None if password is None else PasswordDigest.of(password)
        new_id = self._registry.new_id()
        holder = holder or _nobody(new_id)
        self._file.require_room(holder)
        return self._open_live(new_id, name, settings, digest, holder)

    def _open_live(
        self, id_: str, name: str, settings: RoomSettings, password: PasswordDigest | None, holder: Holder
    ) -> Room:
        keeper = partial(LiveKeeper, file=self._file, password=password, holder=holder)
        return self._registry.open(id_, name, settings, keeper, holder)

    async def store(self, owner_id: str, name: str, settings: RoomSettings, password: str | None) -> StoredRoom:
        """Keep a new room of an account, with nobody in it."""
        name = await self.check_free(name, "", "room")
        now = unix_ms()
        row = StoredRoom(
            id=self._registry.new_id(),
            name=name,
            owner_id=owner_id,
            settings=settings,
            created=now,
            updated=now,
            password_hash=None if password is None else await self._side.hasher.hash(password),
        )
        with translated("room"):
            await self._store.rooms.create(row, self._most)
        return row

    async def change(
        self, room: StoredRoom, *, name: str, settings: RoomSettings, password: str | UnsetType | None
    ) -> StoredRoom:
        """Change a stored room; if it is live, it follows. `password` UNSET stays, None is taken away."""
        if name != room.name:  # an older one may break a rule that came later
            name = await self.check_free(name, room.id, "settings.name")
        row = await self._side.update(room.id, name, settings, password)
        self._follow(row)
        return row

    def _follow(self, row: StoredRoom) -> None:
        """Let the room that is live now be as its row is."""
        room = self._registry.by_id(row.id)
        if room is not None and isinstance(room.keeper, StoreKeeper):
            room.keeper.follow(row)

    async def check_free(self, name: str, room_id: str, field: str) -> str:
        """The name, tidied, if no other room than this one, live or only stored, looks like it. Raises Refused."""
        name = self._registry.fit_name(name, field)
        self._registry.check_free(name, room_id, field)
        with translated():
            taken = await self.find(name) or await self._store.rooms.by_look(name)
        if taken is not None and taken.id != room_id:
            raise NameTaken(field)
        self._registry.check_free(name, room_id, field)  # one may have been made meanwhile
        return name

    async def delete(self, room_id: str) -> bool:
        """Forget a stored room and its chat; whether there was one.

        Its members stay, in a room that is only live and ends with the last of them. Reserved seats are given up. If it
        had a password nobody knows the one that it has from then on: it does not open because it was deleted.
        """
        with translated():
            deleted = await self._store.rooms.delete(room_id)
        room = self._registry.by_id(room_id)
        if room is not None:
            password = PasswordDigest.of(new_secret()) if room.keeper.has_password else None
            room.keeper = keeper = LiveKeeper(room, self._file, password)
            keeper.forget_chat()
            room.vacancy.is_deleted = True
            room.seats.clear()
            room.changed()
            room.pass_ownership()
            self._registry.free(room)
        return deleted


def _owner(row: StoredRoom, opener: Holder | None) -> Holder:
    """What a stored room is counted under while it is live."""
    return Holder(row.owner_id or row.id, network="" if opener is None else opener.origin)


def _nobody(room_id: str) -> Holder:
    """Stands for whoever made a guest's room, where that is not known: in a file of an earlier version."""
    return Holder(room_id, guest=True)
