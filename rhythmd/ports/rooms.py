"""Stored rooms, the chat of rooms, and their recordings."""

from collections.abc import Collection, Sequence
from typing import Protocol

from rhythm_protocol.messages import ChatLine
from rhythmd.rows import NewChatLine, Page, Recording, Sanction, SanctionKind, StoredRoom, StoredRoomChanges

__all__ = ["ChatStore", "RecordingStore", "RoomStore"]


class RoomStore(Protocol):
    """Rooms of users with an account, and bans from them. No row has members.

    Names are unique, whatever their case, and no two look alike but those from before that rule.
    """

    async def create(self, room: StoredRoom, most: int | None = None) -> None:
        """Raises Conflict (`name`, `id`), or TooMany if its owner has `most` rooms.

        Of several that are the last one at once, none may be kept, but never more than one.
        """

    async def get(self, room_id: str) -> StoredRoom | None: ...

    async def by_name(self, name: str) -> StoredRoom | None: ...

    async def by_look(self, name: str) -> StoredRoom | None:
        """The room whose name looks like this one (`names.looks`)."""

    async def update(self, room_id: str, changes: StoredRoomChanges) -> StoredRoom:
        """The room as it is after the change. Raises NotFound, or Conflict (`name`)."""

    async def delete(self, room_id: str) -> bool:
        """Remove the room, its sanctions and its chat; whether there was one."""

    async def sanction(self, sanction: Sanction) -> None:
        """Set it, in place of one of the same room, subject and kind. Raises NotFound if there is no room."""

    async def pardon(self, room_id: str, subject: str, kind: SanctionKind) -> bool:
        """Whether there was such a sanction."""

    async def sanctions(self, room_id: str, now: int) -> list[Sanction]:
        """Those in force."""


class ChatStore(Protocol):
    """Lines of any room, kept or not."""

    async def append(self, room_id: str, lines: Sequence[NewChatLine], keep: int) -> list[ChatLine]:
        """Add lines; they get ids above all that the room ever had. The room's last `keep` lines stay."""

    async def last(self, room_id: str, limit: int) -> list[ChatLine]:
        """The newest lines, oldest first."""

    async def clear(self, room_id: str) -> None: ...


class RecordingStore(Protocol):
    """Rows of recordings. `expire` of the store leaves them: their files have to go first."""

    async def create(self, recording: Recording, present: Collection[str]) -> None:
        """Add a recording, and the ids of the users who were present. Raises Conflict (`id`)."""

    async def get(self, recording_id: str, now: int) -> Recording | None:
        """One that has not expired."""

    async def was_present(self, recording_id: str, user_id: str) -> bool: ...

    async def page(self, user_id: str, now: int, limit: int, cursor: str | None = None) -> Page[Recording]:
        """Those by creation that this user was present at, and that have not expired. Raises InvalidCursor."""

    async def count(
        self,
        now: int,
        *,
        owner_id: str | None = None,
        room_id: str | None = None,
        guest_network: str | None = None,
        account_network: str | None = None,
        guests: bool = False,
    ) -> int:
        """How many have not expired; of one owner, room or network of guests or accounts if given, or of `guests`."""

    async def files(self, limit: int, after: str = "") -> list[Recording]:
        """Recordings in the order of their ids, those after that one; expired ones included."""

    async def expired(self, now: int, limit: int) -> list[Recording]:
        """Those that have, the oldest first."""

    async def delete(self, recording_id: str) -> bool:
        """Whether there was one."""
