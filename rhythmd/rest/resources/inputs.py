"""What requests bring, with the bounds of every field."""

from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, UnsetType

from rhythm_protocol import values
from rhythm_protocol.messages import (
    Colour,
    Line,
    Name,
    Password,
    RoomName,
    RoomSettings,
    RoomSettingsUpdate,
)
from rhythmd.rest.serving.call import Input
from rhythmd.rows import Privacy, Role

__all__ = [
    "FORMS",
    "ActiveRooms",
    "AuditQuery",
    "Ban",
    "CreateRoom",
    "Credentials",
    "GuestLogin",
    "JoinRoom",
    "Mute",
    "NewPassword",
    "OAuthBegin",
    "PageQuery",
    "PreferencesChange",
    "ProfileChange",
    "RecordingKey",
    "Refresh",
    "Register",
    "Roles",
    "RoomChange",
]

MAX_PAGE: Final = 100
YEAR_S: Final = 365 * 86_400

# Bounds against abuse only: what a password, a usertag or an address must be like, the services know.
Secret = Annotated[str, Meta(max_length=1_024)]
Identifier = Annotated[str, Meta(max_length=254)]
Cursor = Annotated[str, Meta(max_length=512)]
Duration = Annotated[int, Meta(ge=1, le=100 * YEAR_S)]
PageSize = Annotated[int, Meta(ge=1, le=MAX_PAGE)]
UnixMs = Annotated[int, Meta(ge=0, le=253_402_300_799_000)]
# Shown to others as an image: from anywhere, but never through plain HTTP and never as a script.
_IMAGE_URL: Final = r"^(https://[^\s\x00-\x1f\x7f]+)?\Z"
ImageUrl = Annotated[str, Meta(max_length=512, pattern=_IMAGE_URL)]

FORMS: Final = {**values.FORMS, _IMAGE_URL: "an address that begins with https://, or nothing"}
"""What the fields' regular expressions ask for, in words."""


# auth


class Register(Input, frozen=True):
    """`cookies`: put the tokens into cookies and not into the answer, for browsers."""

    usertag: Identifier
    password: Secret
    email: Identifier | None = None
    cookies: bool = False


class Credentials(Input, frozen=True):
    """`user` is a usertag or an e-mail address."""

    user: Identifier
    password: Secret
    cookies: bool = False


class Refresh(Input, frozen=True):
    """Without a token, that in the cookie counts, and the next one goes there, too."""

    refresh_token: Secret | None = None


class GuestLogin(Input, frozen=True):
    cookies: bool = False


class NewPassword(Input, frozen=True):
    """`current` is None for an account that has no password yet."""

    new_password: Secret
    current: Secret | None = None


class OAuthBegin(Input, frozen=True):
    """`link`: join the identity there to the account here."""

    link: Literal["true", "false"] = "false"


class PageQuery(Input, frozen=True):
    limit: PageSize = 20
    cursor: Cursor | None = None


# users


class ProfileChange(Input, frozen=True):
    """What is left out stays."""

    username: Name | UnsetType = UNSET
    nickname: Name | UnsetType = UNSET
    colour: Colour | UnsetType = UNSET
    status_text: Line | UnsetType = UNSET
    avatar: ImageUrl | UnsetType = UNSET
    bio: Annotated[str, Meta(max_length=1_000)] | UnsetType = UNSET
    location: Annotated[str, Meta(max_length=64)] | UnsetType = UNSET


class PreferencesChange(Input, frozen=True):
    """What is left out stays."""

    theme: Annotated[str, Meta(min_length=1, max_length=32)] | UnsetType = UNSET
    notifications: bool | UnsetType = UNSET
    privacy: Privacy | UnsetType = UNSET


class Ban(Input, frozen=True):
    """`seconds` of None: for good."""

    seconds: Duration | None = None
    reason: Annotated[str, Meta(max_length=200)] = ""


class Mute(Input, frozen=True):
    """`seconds` of None: for good."""

    seconds: Duration | None = None


class Roles(Input, frozen=True):
    """All roles that the user is to have."""

    roles: frozenset[Role]


class AuditQuery(Input, frozen=True):
    """Entries that agree with all that is given; `since` is included, `until` is not (Unix ms)."""

    limit: PageSize = 50
    cursor: Cursor | None = None
    action: Identifier | None = None
    actor: Identifier | None = None
    target: Identifier | None = None
    since: UnixMs | None = None
    until: UnixMs | None = None


# rooms


class ActiveRooms(Input, frozen=True):
    """What the list is filtered and cut by."""

    type: Literal["lobby", "public"] | None = None
    text: str = ""
    page: Annotated[int, Meta(ge=0, le=10_000)] = 0
    size: PageSize = 20


class CreateRoom(Input, frozen=True):
    name: RoomName
    password: Password | None = None
    settings: RoomSettings = RoomSettings()


class RoomChange(RoomSettingsUpdate, frozen=True, forbid_unknown_fields=True):
    """What is left out stays. `password: null` takes the password away."""


class JoinRoom(Input, frozen=True):
    password: Password | None = None


# recordings


class RecordingKey(Input, frozen=True):
    """`key` is part of the address in `recording-ready`, for those who cannot log in."""

    key: Annotated[str, Meta(max_length=64)] | None = None
