"""Every `error.code` of the REST side, with the status that it is sent with."""

from enum import StrEnum
from http import HTTPStatus
from typing import Final

from rhythm_protocol.errors import ErrorCode
from rhythmd.auth.errors import AuthCode

__all__ = ["STATUS", "ApiErrorCode", "from_auth", "from_hub"]


class ApiErrorCode(StrEnum):
    """Codes that other parts of the server have too bear the same names."""

    # The request's form
    BAD_REQUEST = "bad-request"
    INVALID_FIELD = "invalid-field"
    UNSUPPORTED_MEDIA_TYPE = "unsupported-media-type"
    TOO_LARGE = "too-large"
    TOO_SLOW = "too-slow"
    NOT_FOUND = "not-found"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    CROSS_SITE = "cross-site"
    RATE_LIMITED = "rate-limited"
    # Who asks
    LOGIN_REQUIRED = "login-required"
    WRONG_CREDENTIALS = "wrong-credentials"
    LOCKED_OUT = "locked-out"
    INVALID_TOKEN = "invalid-token"  # noqa: S105 - the name of an error
    TOKEN_EXPIRED = "token-expired"  # noqa: S105 - the name of an error
    INVALID_REFRESH_TOKEN = "invalid-refresh-token"  # noqa: S105 - the name of an error
    INVALID_TICKET = "invalid-ticket"
    USER_BANNED = "user-banned"
    NOT_PERMITTED = "not-permitted"
    # Accounts
    TAKEN = "taken"
    LAST_LOGIN = "last-login"
    UNKNOWN_PROVIDER = "unknown-provider"
    INVALID_STATE = "invalid-state"
    CONSENT_DENIED = "consent-denied"
    CODE_REFUSED = "code-refused"
    PROVIDER_UNAVAILABLE = "provider-unavailable"
    PROVIDER_ANSWER = "provider-answer"
    LOGIN_AND_LINK = "login-and-link"
    IDENTITY_TAKEN = "identity-taken"
    ALREADY_LINKED = "already-linked"
    # Rooms
    ROOM_NOT_FOUND = "room-not-found"
    ROOM_FULL = "room-full"
    ROOM_LIMIT = "room-limit"
    WRONG_PASSWORD = "wrong-password"  # noqa: S105 - the name of an error
    BANNED = "banned"
    GUESTS_NOT_ALLOWED = "guests-not-allowed"
    BOTS_NOT_ALLOWED = "bots-not-allowed"
    NOT_IN_ROOM = "not-in-room"
    NOT_OWNER = "not-owner"
    # The server
    BUSY = "busy"
    UNAVAILABLE = "unavailable"
    STOPPING = "stopping"
    INTERNAL_ERROR = "internal-error"


STATUS: Final = {
    ApiErrorCode.BAD_REQUEST: HTTPStatus.BAD_REQUEST,
    ApiErrorCode.INVALID_FIELD: HTTPStatus.BAD_REQUEST,
    ApiErrorCode.UNSUPPORTED_MEDIA_TYPE: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    ApiErrorCode.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ApiErrorCode.TOO_SLOW: HTTPStatus.REQUEST_TIMEOUT,
    ApiErrorCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
    ApiErrorCode.METHOD_NOT_ALLOWED: HTTPStatus.METHOD_NOT_ALLOWED,
    ApiErrorCode.CROSS_SITE: HTTPStatus.FORBIDDEN,
    ApiErrorCode.RATE_LIMITED: HTTPStatus.TOO_MANY_REQUESTS,
    ApiErrorCode.LOGIN_REQUIRED: HTTPStatus.UNAUTHORIZED,
    ApiErrorCode.WRONG_CREDENTIALS: HTTPStatus.UNAUTHORIZED,
    ApiErrorCode.LOCKED_OUT: HTTPStatus.TOO_MANY_REQUESTS,
    ApiErrorCode.INVALID_TOKEN: HTTPStatus.UNAUTHORIZED,
    ApiErrorCode.TOKEN_EXPIRED: HTTPStatus.UNAUTHORIZED,
    ApiErrorCode.INVALID_REFRESH_TOKEN: HTTPStatus.UNAUTHORIZED,
    ApiErrorCode.INVALID_TICKET: HTTPStatus.UNAUTHORIZED,
    ApiErrorCode.USER_BANNED: HTTPStatus.FORBIDDEN,
    ApiErrorCode.NOT_PERMITTED: HTTPStatus.FORBIDDEN,
    ApiErrorCode.TAKEN: HTTPStatus.CONFLICT,
    ApiErrorCode.LAST_LOGIN: HTTPStatus.CONFLICT,
    ApiErrorCode.UNKNOWN_PROVIDER: HTTPStatus.NOT_FOUND,
    ApiErrorCode.INVALID_STATE: HTTPStatus.BAD_REQUEST,
    ApiErrorCode.CONSENT_DENIED: HTTPStatus.FORBIDDEN,
    ApiErrorCode.CODE_REFUSED: HTTPStatus.BAD_REQUEST,
    ApiErrorCode.PROVIDER_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    ApiErrorCode.PROVIDER_ANSWER: HTTPStatus.BAD_GATEWAY,
    ApiErrorCode.LOGIN_AND_LINK: HTTPStatus.CONFLICT,
    ApiErrorCode.IDENTITY_TAKEN: HTTPStatus.CONFLICT,
    ApiErrorCode.ALREADY_LINKED: HTTPStatus.CONFLICT,
    ApiErrorCode.ROOM_NOT_FOUND: HTTPStatus.NOT_FOUND,
    ApiErrorCode.ROOM_FULL: HTTPStatus.CONFLICT,
    ApiErrorCode.ROOM_LIMIT: HTTPStatus.CONFLICT,
    ApiErrorCode.WRONG_PASSWORD: HTTPStatus.FORBIDDEN,
    ApiErrorCode.BANNED: HTTPStatus.FORBIDDEN,
    ApiErrorCode.GUESTS_NOT_ALLOWED: HTTPStatus.FORBIDDEN,
    ApiErrorCode.BOTS_NOT_ALLOWED: HTTPStatus.FORBIDDEN,
    ApiErrorCode.NOT_IN_ROOM: HTTPStatus.CONFLICT,
    ApiErrorCode.NOT_OWNER: HTTPStatus.FORBIDDEN,
    ApiErrorCode.BUSY: HTTPStatus.SERVICE_UNAVAILABLE,
    ApiErrorCode.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    ApiErrorCode.STOPPING: HTTPStatus.SERVICE_UNAVAILABLE,
    ApiErrorCode.INTERNAL_ERROR: HTTPStatus.INTERNAL_SERVER_ERROR,
}


def from_auth(code: AuthCode) -> ApiErrorCode:
    """The same code here. An account's ban is told apart from a room's, as in the protocol."""
    return ApiErrorCode.USER_BANNED if code is AuthCode.BANNED else ApiErrorCode(code.value)


def from_hub(code: ErrorCode) -> ApiErrorCode:
    """The same code here; those that only messages have are a refusal without a name."""
    try:
        return ApiErrorCode(code.value)
    except ValueError:
        return ApiErrorCode.BAD_REQUEST
