"""Stored rooms, bans and mutes in them, lines of chat, and recordings."""

from enum import StrEnum

from msgspec import UNSET, Struct, UnsetType

from rhythm_protocol.messages import ChatKind, RoomSettings

__all__ = [
    "NewChatLine",
    "Recording",
    "Sanction",
    "SanctionKind",
    "StoredRoom",
    "StoredRoomChanges",
]


class StoredRoom(Struct, frozen=True, kw_only=True):
    """A room that is kept, without its members. `name` is unique after `fold`."""

    id: str
    name: str
    owner_id: str | None
    settings: RoomSettings
    created: int
    updated: int
    password_hash: str | None = None


class StoredRoomChanges(Struct, frozen=True, kw_only=True):
    """Any part of a StoredRoom; what is left out stays."""

    updated: int
    name: str | UnsetType = UNSET
    settings: RoomSettings | UnsetType = UNSET
    password_hash: str | UnsetType | None = UNSET


class SanctionKind(StrEnum):
    """Whether somebody may not come in, not play, or not chat."""

    BAN = "ban"
    NOTES = "notes"
    CHAT = "chat"


class Sanction(Struct, frozen=True, kw_only=True):
    """What a moderator has imposed on `subject`, a user's id or an address, in a room. It is in force before `until`.

    `name` is what the user was called then, `by` the id of the moderator and `rank` how much they may decide
    (`auth/ranks.py`); `guest` whether the user is one.
    """

    room_id: str
    subject: str
    kind: SanctionKind
    until: int
    created: int
    reason: str = ""
    by: str | None = None
    name: str = ""
    rank: int = 1
    guest: bool = True


class NewChatLine(Struct, frozen=True, kw_only=True):
    """A ChatLine before it has its id."""

    time: int
    kind: ChatKind
    content: str
    user_id: str | None = None
    name: str | None = None
    colour: str | None = None


class Recording(Struct, frozen=True, kw_only=True):
    """A recording's row; the file itself is a blob. It is gone after `expires`.

    `room` is the room's name at the time. `owner_id` is the user who asked for it. `players` is how many tracks it
    has, `size` the file's bytes. `key_hash` is the digest of the key that opens it to those without a login.
    `guest_network` is what a guest's counts under, a digest too short to tell an address; "" of an account's.
    `account_network` is the same of an account's; "" of a guest's, and where it is not known.
    """

    id: str
    name: str
    room_id: str
    room: str
    owner_id: str
    created: int
    expires: int
    duration_ms: int
    size: int
    players: int
    key_hash: bytes
    guest_network: str = ""
    account_network: str = ""
