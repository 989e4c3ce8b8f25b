"""Accounts, what they log in with, and their logins."""

from enum import StrEnum

from msgspec import UNSET, Struct, UnsetType, field

__all__ = [
    "Account",
    "AccountChanges",
    "ExternalIdentity",
    "LoginSession",
    "Preferences",
    "Privacy",
    "Profile",
    "Role",
    "Rotation",
    "RotationOutcome",
]


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
    """A registered user. `usertag` is unique after `fold`, and so is `email` among accounts where it is verified.

    Any number of accounts may have given an address that they have not verified. Both are kept as they were typed.
    `password_hash` is None for one who logs in only through an identity. A ban or mute is over at its time, and
    `muted_since` is when a mute was imposed last. `ban_rank` and `mute_rank` say how much those who imposed it may
    decide (`auth/ranks.py`). `avatar_network` is what the bytes of its avatar count under beside it, a digest too short
    to tell an address; "" where it is not known.
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
    muted_since: int | None = None
    ban_rank: int = 0
    mute_rank: int = 0
    avatar_network: str = ""


class AccountChanges(Struct, frozen=True, kw_only=True):
    """Any part of an Account; what is left out stays. `email` and `email_verified` change together or not at all.

    Raises ValueError: only one of those two.
    """

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
    muted_since: int | UnsetType | None = UNSET
    ban_rank: int | UnsetType = UNSET
    mute_rank: int | UnsetType = UNSET
    avatar_network: str | UnsetType = UNSET

    def __post_init__(self) -> None:
        if (self.email is UNSET) != (self.email_verified is UNSET):
            raise ValueError("an address and whether it is verified change together")


class ExternalIdentity(Struct, frozen=True, kw_only=True):
    """An account at an OAuth provider that logs in to an account here. One per provider and account."""

    provider: str
    subject: str
    user_id: str
    name: str
    created: int


class LoginSession(Struct, frozen=True, kw_only=True):
    """One login, and the family of refresh tokens that descend from it.

    `token_hash` is the digest of the one token that is good now. `expires` moves with every rotation. `browser` is what
    tells the browser that it began in from others; "" if that showed nothing.
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
    browser: str = ""


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
