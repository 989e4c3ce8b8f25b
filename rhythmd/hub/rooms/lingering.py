"""Rooms that nobody is in any more: they stay for a while, as they are, for those who come back.

A page that is loaded again, or somebody who leaves and thinks better of it, finds the room, and its owner owns it. Such
rooms are bounded, in all and for each owner, and give way to rooms that somebody is in.
"""

from time import monotonic
from typing import Final

from msgspec import Struct

__all__ = ["Lingering", "Vacancy"]

LIMIT: Final = 1_000
LIMIT_PER_OWNER: Final = 10


class Vacancy(Struct):
    """Whose a room was when nobody was in it any more. Times are `monotonic` seconds.

    Attributes:
        owner: id of the last owner who left; None if nobody has owned the room.
        claimant: id of the user who gets the room back before `claimed_until`, whoever owns it then.
        empty_until: when the empty room ends; None while it is not empty.
        is_deleted: whether it was deleted, and does not stay.
    """

    owner: str | None = None
    claimant: str | None = None
    claimed_until: float = 0.0
    empty_until: float | None = None
    is_deleted: bool = False

    def begin(self, seconds: float) -> float:
        """Nobody is in the room any more; when it ends. Visitors of a claimed room leave the claim as it is."""
        now = monotonic()
        if self.empty_until is None:
            self.empty_until = now + seconds
        if self.claimed_until <= now:
            self.claimant, self.claimed_until = self.owner, self.empty_until
        return self.empty_until

    def begin_anew(self, seconds: float) -> None:
        """Times of before a restart of the server begin again."""
        until = monotonic() + seconds
        if self.empty_until is not None:
            self.empty_until = until
        if self.claimant is not None:
            self.claimed_until = until

    def is_claimed_by(self, user_id: str) -> bool:
        """Whether this user gets the room back."""
        return self.claimant == user_id and self.claimed_until > monotonic()


class Lingering:
    """The empty rooms that stay, by id, the longest empty first."""

    def __init__(self) -> None:
        self._rooms: dict[str, str] = {}  # whose it is
        self._of_owners: dict[str, dict[str, None]] = {}

    def __contains__(self, room_id: str) -> bool:
        return room_id in self._rooms

    def add(self, room_id: str, owner_key: str) -> str | None:
        """The room stays; the id of one that has to give way for it. `owner_key` is what its maker is counted under."""
        self._rooms[room_id] = owner_key
        rooms = self._of_owners.setdefault(owner_key, {})
        rooms[room_id] = None
        if len(rooms) > LIMIT_PER_OWNER:
            return self.oldest(owner_key)
        return self.oldest() if len(self._rooms) > LIMIT else None

    def discard(self, room_id: str) -> None:
        """The room is not empty any more, or gone."""
        owner_key = self._rooms.pop(room_id, None)
        if owner_key is not None:
            del self._of_owners[owner_key][room_id]
            if not self._of_owners[owner_key]:
                del self._of_owners[owner_key]

    def oldest(self, owner_key: str | None = None) -> str | None:
        """The id of the room that gives way first, of this owner if one is given."""
        return next(iter(self._rooms if owner_key is None else self._of_owners.get(owner_key, ())), None)
