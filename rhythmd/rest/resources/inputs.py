"""What requests bring, with the bounds of every field."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, Literal

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
from rhythm_protocol.values import LINE, LINES
from rhythmd.rest.serving.call import Input
from rhythmd.rows import Approval, Difficulty, Privacy, Role, SheetCategory, SheetPrivacy, SheetSort

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
    "SheetBatch",
    "SheetBatchRejection",
    "SheetChange",
    "SheetDescribed",
    "SheetDownload",
    "SheetForm",
    "SheetRejection",
    "SheetSearch",
    "SheetVerdict",
]

MAX_PAGE: Final = 100
YEAR_S: Final = 365 * 86_400

# Bounds against abuse only: what a password, a usertag or an address must be like, the services know.
Secret = Annotated[str, Meta(max_length=1_024)]
Identifier = Annotated[str, Meta(max_length=254)]
# The API's document says it all: what the services refuse has a code and words of its own.
NewUsertag = Annotated[str, Meta(max_length=254, extra_json_schema={"pattern": "^[A-Za-z0-9_.-]{3,24}$"})]
NewSecret = Annotated[str, Meta(max_length=128, extra_json_schema={"minLength": 8})]
Cursor = Annotated[str, Meta(max_length=512)]
Duration = Annotated[int, Meta(ge=1, le=100 * YEAR_S)]
_SHOWN: Final = (
    "One line that can be seen: it is put into NFC, spaces around it are taken away, and control, invisible and bidi"
    " characters are refused with `invalid-field`, whose `message` names the first of them."
)
ShownName = Annotated[Name, Meta(description=_SHOWN)]
ShownRoomName = Annotated[RoomName, Meta(description=_SHOWN)]
ShownLine = Annotated[Line, Meta(description=f"{_SHOWN} It may be empty.")]
PageSize = Annotated[int, Meta(ge=1, le=MAX_PAGE)]
UnixMs = Annotated[int, Meta(ge=0, le=253_402_300_799_000)]
# Shown to others as an image: from anywhere, but never through plain HTTP and never as a script.
_IMAGE_URL: Final = r"^(https://[^\s\x00-\x1f\x7f]+)?\Z"
ImageUrl = Annotated[str, Meta(max_length=512, pattern=_IMAGE_URL)]

_TAG: Final = r"^[^\x00-\x1f\x7f,]+\Z"
_LINE: Final = r"^[^\x00-\x1f\x7f]*\Z"

FORMS: Final = {
    **values.FORMS,
    _LINE: "one line of text",
    _TAG: "a tag without a comma; `tags` may be there once for each",
    _IMAGE_URL: "an address that begins with https://, or nothing",
}
"""What the fields' regular expressions ask for, in words."""


# auth


class Register(Input, frozen=True):
    """A new account. With `cookies` the tokens go into cookies and not into the answer, for browsers.

    `email` is not verified by this, so that it logs nobody in, and any number of accounts may give the same one.
    """

    usertag: NewUsertag
    password: NewSecret
    email: Identifier | None = None
    cookies: bool = False


class Credentials(Input, frozen=True):
    """A user and a password. `usertag` may also be an e-mail address that the account has verified (`email_verified`).

    Its old name, `user`, is deprecated.
    """

    aliases: ClassVar[Mapping[str, str]] = {"user": "usertag"}
    usertag: Identifier
    password: Secret
    cookies: bool = False


class Refresh(Input, frozen=True):
    """A refresh token. Without one, that in the cookie counts, and the next one goes there, too."""

    refresh_token: Secret | None = None


class GuestLogin(Input, frozen=True):
    """A login without an account."""

    cookies: bool = False


class NewPassword(Input, frozen=True):
    """A change of password; `current` is None for an account that has none yet."""

    new_password: NewSecret
    current: Secret | None = None


class OAuthBegin(Input, frozen=True):
    """The beginning of a login at another site. With `link`, the identity there is joined to the account here."""

    link: Literal["true", "false"] = "false"


class PageQuery(Input, frozen=True):
    """Which page of a list is asked for."""

    limit: PageSize = 20
    cursor: Cursor | None = None


# users


class ProfileChange(Input, frozen=True):
    """A change of one's own profile. What is left out stays."""

    username: ShownName | UnsetType = UNSET
    nickname: ShownName | UnsetType = UNSET
    colour: Colour | UnsetType = UNSET
    status_text: ShownLine | UnsetType = UNSET
    avatar: ImageUrl | UnsetType = UNSET
    bio: Annotated[str, Meta(max_length=1_000, extra=LINES)] | UnsetType = UNSET
    location: Annotated[str, Meta(max_length=64, extra=LINE)] | UnsetType = UNSET


class PreferencesChange(Input, frozen=True):
    """A change of one's own settings. What is left out stays."""

    theme: Annotated[str, Meta(min_length=1, max_length=32, extra=LINE)] | UnsetType = UNSET
    notifications: bool | UnsetType = UNSET
    privacy: Privacy | UnsetType = UNSET


class Ban(Input, frozen=True):
    """A ban from the server. Without `seconds` it is for good."""

    seconds: Duration | None = None
    reason: Annotated[str, Meta(max_length=200, extra=LINES)] = ""


class Mute(Input, frozen=True):
    """A mute in all chats. Without `seconds` it is for good."""

    seconds: Duration | None = None


class Roles(Input, frozen=True):
    """All roles that the user is to have."""

    roles: frozenset[Role]


class AuditQuery(Input, frozen=True):
    """The audit's entries that agree with all that is given; `since` is included, `until` is not (Unix ms)."""

    limit: PageSize = 50
    cursor: Cursor | None = None
    action: Identifier | None = None
    actor: Identifier | None = None
    target: Identifier | None = None
    since: UnixMs | None = None
    until: UnixMs | None = None


# rooms


class ActiveRooms(Input, frozen=True):
    """A choice of the rooms that are listed, and a page of it."""

    type: Literal["lobby", "public"] | None = None
    text: str = ""
    page: Annotated[int, Meta(ge=0, le=10_000)] = 0
    size: PageSize = 20


class CreateRoom(Input, frozen=True):
    """A new room of the caller's account."""

    name: ShownRoomName
    password: Password | None = None
    settings: RoomSettings = RoomSettings()


class RoomChange(RoomSettingsUpdate, frozen=True, forbid_unknown_fields=True):
    """A change of a room. What is left out stays; `password: null` takes the password away.

    A name that cannot be seen, or has a control, invisible or bidi character, is refused with `invalid-field`.
    """


class JoinRoom(Input, frozen=True):
    """A request for a seat, with the room's password if it has one."""

    password: Password | None = None


# recordings


class RecordingKey(Input, frozen=True):
    """The key to a recording: part of the address in `recording-ready`, for those who cannot log in."""

    key: Annotated[str, Meta(max_length=64)] | None = None


# sheet music

SheetTitle = Annotated[str, Meta(max_length=200, pattern=_LINE, extra=LINE)]
SheetText = Annotated[str, Meta(max_length=4_000, extra=LINES)]
SheetTag = Annotated[str, Meta(min_length=1, max_length=32, pattern=_TAG, extra=LINE)]
SheetTags = Annotated[tuple[SheetTag, ...], Meta(max_length=3)]
SheetKey = Annotated[str, Meta(max_length=32, pattern=_LINE, extra=LINE)]
SheetTempo = Annotated[float, Meta(ge=1, le=1_000)]
Reason = Annotated[str, Meta(min_length=1, max_length=500, extra=LINES)]
SheetId = Annotated[str, Meta(max_length=64)]


class SheetSearch(Input, frozen=True):
    """What is searched for, and which page of it.

    `creator` is a usertag. `favorites` asks for your own favourites, `approval` for what is not listed: all of it if
    you are an editor, else what is yours.
    """

    text: Annotated[str, Meta(max_length=200)] = ""
    category: SheetCategory | None = None
    difficulty: Difficulty | None = None
    tag: SheetTag | None = None
    creator: Identifier | None = None
    favorites: Literal["true", "false"] = "false"
    approval: Approval | None = None
    sort: SheetSort = SheetSort.BEST
    limit: PageSize = 18
    cursor: Cursor | None = None


class SheetDescribed(Input, frozen=True):
    """What is said of a new sheet; what is empty is read from its file."""

    title: SheetTitle = ""
    artist: SheetTitle = ""
    album: SheetTitle = ""
    description: SheetText = ""
    tags: SheetTags = ()
    category: SheetCategory | None = None
    difficulty: Difficulty = Difficulty.UNKNOWN
    privacy: SheetPrivacy = SheetPrivacy.PUBLIC
    tempo: SheetTempo | None = None
    key: SheetKey = ""
    time_signature: SheetKey = ""


class SheetForm(SheetDescribed, frozen=True):
    """What an uploader says of a file; what is empty is read from it."""


class SheetChange(Input, frozen=True):
    """A change of what is said of a sheet. What is left out stays; what is emptied is read from the file.

    In a form, `file` gives the sheet another content.
    """

    title: SheetTitle | UnsetType = UNSET
    artist: SheetTitle | UnsetType = UNSET
    album: SheetTitle | UnsetType = UNSET
    description: SheetText | UnsetType = UNSET
    tags: SheetTags | UnsetType = UNSET
    difficulty: Difficulty | UnsetType = UNSET
    privacy: SheetPrivacy | UnsetType = UNSET
    tempo: SheetTempo | UnsetType = UNSET
    key: SheetKey | UnsetType = UNSET
    time_signature: SheetKey | UnsetType = UNSET


class SheetDownload(Input, frozen=True):
    """Which form of a sheet is wanted: the file as it was uploaded, or MIDI made from it."""

    format: Literal["original", "mid"] = "original"


class SheetVerdict(Input, frozen=True):
    """An approval. With `hash`, of that content only, and with `updated`, only of the sheet as it was then."""

    hash: Annotated[str, Meta(max_length=64)] | None = None
    updated: UnixMs | None = None


class SheetRejection(Input, frozen=True):
    """A rejection, with its reason for the sheet's creator."""

    reason: Reason
    hash: Annotated[str, Meta(max_length=64)] | None = None
    updated: UnixMs | None = None


class SheetBatch(Input, frozen=True):
    """Sheets to approve, each by itself."""

    ids: Annotated[tuple[SheetId, ...], Meta(min_length=1, max_length=100)]


class SheetBatchRejection(Input, frozen=True):
    """Sheets to reject, each by itself, all for the same reason."""

    ids: Annotated[tuple[SheetId, ...], Meta(min_length=1, max_length=100)]
    reason: Reason
