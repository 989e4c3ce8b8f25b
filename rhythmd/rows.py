"""The rows that stores keep, as frozen values. `rhythmd.ports` says what stores do with them.

- Times are Unix milliseconds of the caller's clock.
- Ids are the caller's, random and never used again, but for those of chat lines.
"""

import unicodedata
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

from msgspec import UNSET, Struct, UnsetType, field, structs

from rhythm_protocol.messages import ChatKind, RoomSettings

__all__ = [
    "FOREVER",
    "Account",
    "AccountChanges",
    "AuditEntry",
    "AuditFilter",
    "ExternalIdentity",
    "LoginSession",
    "NewChatLine",
    "Page",
    "Preferences",
    "Privacy",
    "Profile",
    "Recording",
    "Role",
    "Rotation",
    "RotationOutcome",
    "Sanction",
    "SanctionKind",
    "ScoreFacts",
    "SheetCategory",
    "StoredRoom",
    "StoredRoomChanges",
    "changed_fields",
    "fold",
]

FOREVER: Final = 253_402_300_799_000
"""The end of the year 9999 in Unix milliseconds: for a ban without an end."""

RowT = TypeVar("RowT")


def fold(text: str) -> str:
    """The form in which usertags, e-mail addresses and room names are compared (NFKC, caseless)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def changed_fields(changes: Struct) -> dict[str, object]:
    """The fields of an AccountChanges or StoredRoomChanges that are set, by name."""
    return {name: value for name, value in structs.asdict(changes).items() if value is not UNSET}


class Page(Struct, Generic[RowT], frozen=True):
    """One page of a list, newest first, and the cursor of the next one if there is more.

    Rows added while a list is read do not move the others: none is missed and none is shown twice.
    """

    items: list[RowT]
    next: str | None


# Accounts


class Role(StrEnum):
    """Roles of an account. An `editor` lets sheets be listed; a `moderator` and an `admin` may that and more."""

    MEMBER = "member"
    PRO = "pro"
    EDITOR = "editor"
    MODERATOR = "moderator"
    ADMIN = "admin"


class Privacy(StrEnum):
    """The users who may see a profile."""

    PUBLIC = "public"
    MEMBERS = "members"
    PRIVATE = "private"


class Profile(Struct, frozen=True, kw_only=True):
    """The part of an account that its user writes about themselves."""

    avatar: str = ""
    bio: str = ""
    location: str = ""


class Preferences(Struct, frozen=True, kw_only=True):
    """The user's own settings."""

    theme: str = "system"
    notifications: bool = True
    privacy: Privacy = Privacy.PUBLIC


class Account(Struct, frozen=True, kw_only=True):
    """A registered user. `usertag` and `email` are unique after `fold`; both are kept as they were typed.

    `password_hash` is None for one who logs in only through an identity. A ban or mute is over at its time.
    """

    id: str
    usertag: str
    username: str
    nickname: str
    created: int
    updated: int
    email: str | None = None
    email_verified: bool = False
    password_hash: str | None = None
    roles: frozenset[Role] = frozenset({Role.MEMBER})
    colour: str = "#ffffff"
    status_text: str = ""
    profile: Profile = field(default_factory=Profile)
    settings: Preferences = field(default_factory=Preferences)
    banned_until: int | None = None
    ban_reason: str = ""
    muted_until: int | None = None


class AccountChanges(Struct, frozen=True, kw_only=True):
    """Any part of an Account; what is left out stays."""

    updated: int
    usertag: str | UnsetType = UNSET
    username: str | UnsetType = UNSET
    nickname: str | UnsetType = UNSET
    email: str | UnsetType | None = UNSET
    email_verified: bool | UnsetType = UNSET
    password_hash: str | UnsetType | None = UNSET
    roles: frozenset[Role] | UnsetType = UNSET
    colour: str | UnsetType = UNSET
    status_text: str | UnsetType = UNSET
    profile: Profile | UnsetType = UNSET
    settings: Preferences | UnsetType = UNSET
    banned_until: int | UnsetType | None = UNSET
    ban_reason: str | UnsetType = UNSET
    muted_until: int | UnsetType | None = UNSET


class ExternalIdentity(Struct, frozen=True, kw_only=True):
    """An account at an OAuth provider that logs in to an account here. One per provider and account."""

    provider: str
    subject: str
    user_id: str
    name: str
    created: int


# Sessions


class LoginSession(Struct, frozen=True, kw_only=True):
    """One login, and the family of refresh tokens that descend from it.

    `token_hash` is the digest of the one token that is good now. `expires` moves with every rotation.
    """

    id: str
    user_id: str
    token_hash: bytes
    created: int
    last_used: int
    expires: int
    user_agent: str = ""
    address: str = ""
    revoked: int | None = None


class RotationOutcome(StrEnum):
    """UNKNOWN: never given out, expired, or of a session that is revoked.

    REPLAYED: the token was good once and has been used; its session is revoked before the answer.
    """

    ROTATED = "rotated"
    REPLAYED = "replayed"
    UNKNOWN = "unknown"


class Rotation(Struct, frozen=True, kw_only=True):
    """`session` is the session as it is now; None if the token is unknown."""

    outcome: RotationOutcome
    session: LoginSession | None = None


# Rooms


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
    """Whether somebody may come in. Stores tell several kinds apart, though there is only this one so far."""

    BAN = "ban"


class Sanction(Struct, frozen=True, kw_only=True):
    """A ban of `subject` from a room, in force before `until`. `subject` is a user's id or an address."""

    room_id: str
    subject: str
    kind: SanctionKind
    until: int
    created: int
    reason: str = ""
    by: str | None = None


class NewChatLine(Struct, frozen=True, kw_only=True):
    """A ChatLine before it has its id."""

    time: int
    kind: ChatKind
    content: str
    user_id: str | None = None
    name: str | None = None
    colour: str | None = None


# Recordings


class Recording(Struct, frozen=True, kw_only=True):
    """A recording's row; the file itself is a blob. It is gone after `expires`.

    `room` is the room's name at the time. `owner_id` is the user who asked for it. `players` is how many tracks it
    has, `size` the file's bytes. `key_hash` is the digest of the key that opens it to those without a login.
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


# Sheet music


class SheetCategory(StrEnum):
    """The formats of sheet music, as a file's content shows them."""

    MIDI = "midi"
    MUSICXML = "musicxml"
    ABC = "abc"
    VIRTUAL_PIANO = "virtual-piano"
    MULTIPLAYER_PIANO = "multiplayer-piano"


class ScoreFacts(Struct, frozen=True, kw_only=True):
    """What a file of sheet music says about itself. Text is empty, and a number 0, where the file does not say it.

    `tempo` is the first one, in quarter notes a minute. `key` is a tonic and a mode ("E-flat minor"), `time_signature`
    the first one ("6/8"). `duration_ms` ends with the last release, and `notes` counts sounded notes, both with repeats
    played. `parts` is how many hands, voices or tracks have notes. `remarks` name what of the file its MIDI leaves out.
    """

    category: SheetCategory
    title: str = ""
    composer: str = ""
    tempo: float = 0.0
    key: str = ""
    time_signature: str = ""
    duration_ms: int = 0
    notes: int = 0
    parts: int = 0
    remarks: tuple[str, ...] = ()


# Audit


class AuditEntry(Struct, frozen=True, kw_only=True):
    """One action: who did what to whom, from where. It is gone after `expires`."""

    id: str
    time: int
    expires: int
    action: str
    actor_id: str | None = None
    target: str | None = None
    address: str = ""
    user_agent: str = ""
    details: dict[str, Any] = field(default_factory=dict)


class AuditFilter(Struct, frozen=True, kw_only=True):
    """Entries that agree with all that is given; `since` is included, `until` is not."""

    action: str | None = None
    actor_id: str | None = None
    target: str | None = None
    since: int | None = None
    until: int | None = None
