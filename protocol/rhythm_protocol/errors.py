"""What can be wrong with a message, and the codes that tell it to the other side.

    ProtocolError                 the peer erred: its bytes or its message
    +-- MalformedMessage          not decodable at all: opcode, length, msgpack, JSON, envelope
    +-- InvalidMessage            decodable, but a field is not what it must be

Every decoder of this package raises only these.
"""

from enum import StrEnum

__all__ = ["ErrorCode", "InvalidMessage", "MalformedMessage", "ProtocolError"]


class ErrorCode(StrEnum):
    """The published table of `error.code`; PROTOCOL.md says when each is sent."""

    MALFORMED_MESSAGE = "malformed-message"
    UNKNOWN_TYPE = "unknown-type"
    INVALID_FIELD = "invalid-field"
    INVALID_MIDI = "invalid-midi"
    RATE_LIMITED = "rate-limited"
    QUOTA_EXCEEDED = "quota-exceeded"
    NOT_IN_ROOM = "not-in-room"
    ALREADY_IN_ROOM = "already-in-room"
    ROOM_NOT_FOUND = "room-not-found"
    ROOM_FULL = "room-full"
    ROOM_LIMIT = "room-limit"
    WRONG_PASSWORD = "wrong-password"  # noqa: S105 - the name of an error
    BANNED = "banned"
    GUESTS_NOT_ALLOWED = "guests-not-allowed"
    BOTS_NOT_ALLOWED = "bots-not-allowed"
    NOT_OWNER = "not-owner"
    ONLY_OWNER_CAN_PLAY = "only-owner-can-play"
    ONLY_OWNER_CAN_CHAT = "only-owner-can-chat"
    NOTES_MUTED = "notes-muted"
    CHAT_MUTED = "chat-muted"
    USER_NOT_FOUND = "user-not-found"
    UNKNOWN_COMMAND = "unknown-command"
    LOGIN_EXPIRED = "login-expired"
    LOGIN_INVALID = "login-invalid"
    USER_BANNED = "user-banned"
    SESSION_NOT_FOUND = "session-not-found"
    REPLAY_NOT_ALLOWED = "replay-not-allowed"
    RECORDING_LIMIT = "recording-limit"
    UNAVAILABLE = "unavailable"
    STOPPING = "stopping"
    INTERNAL_ERROR = "internal-error"


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
    """The bytes are no message of this protocol."""

    def __init__(self, message: str, code: ErrorCode = ErrorCode.MALFORMED_MESSAGE) -> None:
        super().__init__(message, code)


class InvalidMessage(ProtocolError):
    """The message's form is right, one of its fields is not."""

    def __init__(self, message: str, field: str | None = None, code: ErrorCode = ErrorCode.INVALID_FIELD) -> None:
        super().__init__(message, code, field)
