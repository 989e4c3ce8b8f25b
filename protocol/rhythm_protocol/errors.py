"""What can be wrong with a message, and the codes that tell it to the other side.

    ProtocolError                 the peer erred: its bytes or its message
    +-- MalformedMessage          not decodable at all: opcode, length, msgpack, JSON, envelope
    +-- InvalidMessage            decodable, but a field is not what it must be

Every decoder of this package raises only these.
"""

from enum import Flag, StrEnum, auto
from typing import Self

__all__ = ["ErrorCode", "InvalidMessage", "MalformedMessage", "ProtocolError", "Side"]


class Side(Flag):
    """Where a code is sent: in an `error` message, in the answer to a request of the REST API, or in both."""

    SOCKET = auto()
    REST = auto()
    BOTH = SOCKET | REST


class ErrorCode(StrEnum):
    """The published table of `error.code`, one row a code. A code never changes its name or its meaning.

    PROTOCOL.md and the API's document show these rows. Their columns: the name, `status`, `side`, `meaning`, and
    `counterpart` where there is one.

    Attributes:
        status: of HTTP (RFC 9110, 15). A code that only the socket knows has one as well: it is what a request gets
            if the same refusal ever reaches one, and what answers an upgrade request that is refused with it.
        side: where the code is sent.
        meaning: when it is sent, for people, in Markdown.
        counterpart: the name of the code that the other side has for the same thing; "" if there is none. Both sides
            published their names before there was one table, so both names stay.
    """

    _value_: str
    status: int
    side: Side
    meaning: str
    counterpart: str

    def __new__(cls, name: str, status: int, side: Side, meaning: str, counterpart: str = "") -> Self:
        code = str.__new__(cls, name)
        code._value_ = name
        code.status = status
        code.side = side
        code.meaning = meaning
        code.counterpart = counterpart
        return code

    # The form of a message or a request

    MALFORMED_MESSAGE = (
        "malformed-message", 400, Side.SOCKET,
        "the bytes are no message: unknown opcode, wrong length, not msgpack or JSON, no `type`, `id` out of range",
        "bad-request",
    )  # fmt: skip
    BAD_REQUEST = (
        "bad-request", 400, Side.REST, "the request is no HTTP, its body no JSON, or a parameter is there twice",
        "malformed-message",
    )  # fmt: skip
    UNKNOWN_TYPE = "unknown-type", 400, Side.SOCKET, "the `type` is none of a client's"
    INVALID_FIELD = (
        "invalid-field", 400, Side.BOTH,
        "a field is missing, of another type or out of bounds, or a name has a character that may not stand in it; "
        "`field` names it, `message` says what was expected",
    )  # fmt: skip
    INVALID_MIDI = (
        "invalid-midi", 400, Side.SOCKET,
        "an event is no MIDI channel message; `field` names it, nothing of the message is played",
    )  # fmt: skip
    UNSUPPORTED_MEDIA_TYPE = (
        "unsupported-media-type",
        415,
        Side.REST,
        "the body is of a media type that is not taken here",
    )
    TOO_LARGE = "too-large", 413, Side.BOTH, "the body, or the message, is larger than the server takes"
    URI_TOO_LONG = "uri-too-long", 414, Side.REST, "the path with its query is longer than 8,190 bytes"
    HEADERS_TOO_LARGE = (
        "headers-too-large", 431, Side.REST, "there are more than 128 headers, or one is longer than 8,190 bytes",
    )  # fmt: skip
    TOO_SLOW = "too-slow", 408, Side.REST, "the body did not arrive in time"
    PRECONDITION_FAILED = (
        "precondition-failed", 412, Side.REST, "what is there is no version that `If-Match` names",
    )  # fmt: skip
    RANGE_NOT_SATISFIABLE = "range-not-satisfiable", 416, Side.REST, "the file ends before the range that was asked for"
    INVALID_FILE = (
        "invalid-file", 422, Side.REST, "the file is not what it must be; `message` says what is wrong, and where",
    )  # fmt: skip
    FILE_TOO_COSTLY = (
        "file-too-costly", 422, Side.REST, "the file takes more time or memory than the server gives to one",
    )  # fmt: skip
    NOT_FOUND = "not-found", 404, Side.BOTH, "there is nothing at this path, or nobody and nothing of this name"
    METHOD_NOT_ALLOWED = "method-not-allowed", 405, Side.REST, "the path has other methods; `Allow` names them"
    NOT_IMPLEMENTED = "not-implemented", 501, Side.REST, "the server knows no such method, at no path"
    HTTP_VERSION_NOT_SUPPORTED = "http-version-not-supported", 505, Side.REST, "the server speaks HTTP/1.1"
    UPGRADE_REQUIRED = (
        "upgrade-required", 426, Side.REST, "this path is a WebSocket's; `Sec-WebSocket-Version` says of which version",
    )  # fmt: skip
    CROSS_SITE = "cross-site", 403, Side.REST, "a page of another site made the request"
    RATE_LIMITED = (
        "rate-limited", 429, Side.BOTH, "too many control messages or requests; this one was not looked at",
    )  # fmt: skip
    QUOTA_EXCEEDED = "quota-exceeded", 429, Side.SOCKET, "note-ons were dropped; at most once per refill"

    # The login behind it

    LOGIN_REQUIRED = "login-required", 401, Side.REST, "only a login may do this, and the request shows none"
    WRONG_CREDENTIALS = "wrong-credentials", 401, Side.REST, "there is no such user, or the password is another one"
    LOCKED_OUT = (
        "locked-out", 429, Side.BOTH, "too many wrong passwords; `Retry-After` or `message` says how long to wait",
    )  # fmt: skip
    LOGIN_EXPIRED = (
        "login-expired", 401, Side.SOCKET, "the access token has expired; get a new one", "token-expired",
    )  # fmt: skip
    TOKEN_EXPIRED = (
        "token-expired", 401, Side.REST, "the access token has expired; get a new one", "login-expired",
    )  # fmt: skip
    LOGIN_INVALID = (
        "login-invalid", 401, Side.SOCKET,
        "the token or ticket is not good here, was used before, is another user's, or its login has ended",
        "invalid-token",
    )  # fmt: skip
    INVALID_TOKEN = (
        "invalid-token", 401, Side.REST, "the access token is not good here, or its login has ended", "login-invalid",
    )  # fmt: skip
    INVALID_REFRESH_TOKEN = (
        "invalid-refresh-token", 401, Side.REST,
        "the refresh token is missing, was used before, has expired, or its login has ended",
    )  # fmt: skip
    USER_BANNED = "user-banned", 403, Side.BOTH, "the account is banned from this server"
    NOT_PERMITTED = (
        "not-permitted", 403, Side.BOTH, "this needs an account or other roles, or nobody may do it to this room",
    )  # fmt: skip

    # Accounts

    TAKEN = "taken", 409, Side.BOTH, "another room or account has this already; `field` names it"
    LAST_LOGIN = "last-login", 409, Side.REST, "this is the account's only way to log in"
    UNKNOWN_PROVIDER = "unknown-provider", 404, Side.REST, "nobody logs in through this site here"
    INVALID_STATE = (
        "invalid-state", 400, Side.REST, "the login was begun elsewhere, too long ago, or has been finished already",
    )  # fmt: skip
    CONSENT_DENIED = "consent-denied", 403, Side.REST, "the user declined the login at the other site"
    CODE_REFUSED = "code-refused", 400, Side.REST, "the other site does not confirm the login"
    PROVIDER_UNAVAILABLE = "provider-unavailable", 503, Side.REST, "the other site cannot be reached now"
    PROVIDER_ANSWER = "provider-answer", 502, Side.REST, "the other site's answer makes no sense"
    LOGIN_AND_LINK = (
        "login-and-link", 409, Side.REST, "an account has this e-mail address: log in to it and link the other site",
    )  # fmt: skip
    IDENTITY_TAKEN = "identity-taken", 409, Side.REST, "the identity at the other site is another account's"
    ALREADY_LINKED = "already-linked", 409, Side.REST, "the account has an identity at that site already"

    # Sheet music

    UPLOAD_LIMIT = "upload-limit", 429, Side.REST, "you have uploaded as much as you may in a day"
    FAVORITE_LIMIT = "favorite-limit", 409, Side.REST, "you have as many favourites as you may"
    CHANGED = "changed", 409, Side.REST, "the content has been changed since you looked at it; look again"

    # Rooms

    NOT_IN_ROOM = "not-in-room", 409, Side.BOTH, "it needs a room, and you are in none, or not in this one"
    ALREADY_IN_ROOM = (
        "already-in-room", 409, Side.SOCKET,
        "join: you are in that room; resume: you have joined a room on this socket already",
    )  # fmt: skip
    ROOM_NOT_FOUND = "room-not-found", 404, Side.BOTH, "there is no such room"
    ROOM_FULL = "room-full", 409, Side.BOTH, "join: all seats are taken"
    ROOM_LIMIT = (
        "room-limit", 409, Side.BOTH,
        "the server, your account, or the guests of your network have as many rooms as they may",
    )  # fmt: skip
    SEAT_LIMIT = (
        "seat-limit", 409, Side.REST,
        "join: as many seats are reserved as may be, or one that was reserved was not taken; join over a socket",
    )  # fmt: skip
    WRONG_PASSWORD = "wrong-password", 403, Side.BOTH, "join: the room has a password, and it is another one"
    BANNED = "banned", 403, Side.BOTH, "join: the room's owner banned you"
    GUESTS_NOT_ALLOWED = "guests-not-allowed", 403, Side.BOTH, "join: only for accounts"
    BOTS_NOT_ALLOWED = "bots-not-allowed", 403, Side.SOCKET, "join: only for people"
    NOT_OWNER = "not-owner", 403, Side.BOTH, "only the owner, or for some things a moderator, may do this"
    ONLY_OWNER_CAN_PLAY = (
        "only-owner-can-play", 403, Side.SOCKET, "notes: the owner reserved the keys; at most once per refill",
    )  # fmt: skip
    CHAT_LIMIT = (
        "chat-limit", 409, Side.SOCKET,
        "chat: guests, or those of your network, have as much chat as may outlive a restart; say less, or leave a room",
    )  # fmt: skip
    ONLY_OWNER_CAN_CHAT = "only-owner-can-chat", 403, Side.SOCKET, "chat: the owner reserved the chat"
    NOTES_MUTED = "notes-muted", 403, Side.SOCKET, "notes: your keys are muted; at most once per refill"
    CHAT_MUTED = "chat-muted", 403, Side.BOTH, "you are muted: nothing that others would read is taken from you"
    USER_NOT_FOUND = (
        "user-not-found", 404, Side.SOCKET,
        "nobody in the room has this id, number or name; unban: nobody with this id is banned", "not-found",
    )  # fmt: skip
    AMBIGUOUS_USER = (
        "ambiguous-user", 409, Side.SOCKET,
        "several in the room have names that look like this one; `message` has their numbers and ids: name one of them",
    )  # fmt: skip
    BAN_LIMIT = "ban-limit", 409, Side.SOCKET, "ban: the room has as many bans as it may; end one first"
    MUTE_LIMIT = "mute-limit", 409, Side.SOCKET, "mute: the room has as many mutes as it may; end one first"
    UNKNOWN_COMMAND = "unknown-command", 400, Side.SOCKET, "chat: no such command; `/help` lists them"
    SESSION_NOT_FOUND = (
        "session-not-found", 404, Side.SOCKET,
        "resume: there is no such session, it is over, or it is of another account", "not-found",
    )  # fmt: skip
    REPLAY_NOT_ALLOWED = (
        "replay-not-allowed", 403, Side.SOCKET, "record-last: the room does not have `allow_replay`",
    )  # fmt: skip
    NOTHING_RECORDED = (
        "nothing-recorded", 409, Side.SOCKET, "record, record-last: no note was played, so there is nothing to keep",
    )  # fmt: skip
    RECORDING_LIMIT = (
        "recording-limit", 409, Side.SOCKET,
        "record, record-last: there are as many as may be, or the room is being recorded already",
    )  # fmt: skip
    PERFORMANCE_LIMIT = "performance-limit", 409, Side.SOCKET, "sheet-play: as many rooms play a sheet as may at once"

    # The server

    UNAVAILABLE = (
        "unavailable", 503, Side.BOTH,
        "the server cannot do this now, its database is away or too much waits; try again later",
    )  # fmt: skip
    BUSY = "busy", 503, Side.REST, "too much waits to be done; try again later", "unavailable"
    CONNECTION_LOST = (
        "connection-lost", 503, Side.SOCKET,
        "the socket that asked was lost before it could be given what it asked for; ask again",
    )  # fmt: skip
    STOPPING = "stopping", 503, Side.SOCKET, "the server goes down and takes nothing new"
    INTERNAL_ERROR = (
        "internal-error", 500, Side.BOTH, "the server's mistake; the message says nothing more, its log does",
    )  # fmt: skip


class ProtocolError(ValueError):
    """The peer's message cannot be accepted.

    Args:
        message: what is wrong, for people.
        code: one of the published table.
        field: dotted name of the offending field, when there is one.
    """

    def __init__(self, message: str, code: ErrorCode, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.field = field


class MalformedMessage(ProtocolError):
    """The bytes are no message of this protocol. `id_` is the message's, where there is one all the same."""

    def __init__(self, message: str, code: ErrorCode = ErrorCode.MALFORMED_MESSAGE, id_: int | None = None) -> None:
        super().__init__(message, code)
        self.id = id_


class InvalidMessage(ProtocolError):
    """The message's form is right, one of its fields is not."""

    def __init__(self, message: str, field: str | None = None, code: ErrorCode = ErrorCode.INVALID_FIELD) -> None:
        super().__init__(message, code, field)
