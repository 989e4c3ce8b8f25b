"""The one shape of a REST error: `{"error": {"code", "message", "field", "request_id"}}`."""

from http import HTTPStatus
from math import ceil
from typing import Final

from aiohttp import web
from msgspec import Struct, json

from rhythm_protocol.errors import ErrorCode
from rhythmd.auth.errors import AuthError, Busy, LockedOut
from rhythmd.errors import FileTooCostly, Refused, RefusedFile, RhythmdError
from rhythmd.ports import Conflict, InvalidCursor, NotFound, StoreUnavailable, TooLarge

__all__ = ["ApiError", "ErrorEnvelope", "translate"]

RETRY_SOON_S: Final = 2


class ErrorDetails(Struct, frozen=True):
    """What is wrong: `code` is for programs and never changes, `message` is for people, `field` names the request's."""

    code: ErrorCode
    message: str
    field: str | None
    request_id: str


class ErrorEnvelope(Struct, frozen=True):
    """The body of every answer that is an error."""

    error: ErrorDetails


class ApiError(RhythmdError):
    """A request that is answered with an error.

    Args:
        code: says the status, too.
        message: for people; they see it.
        field: of the request that stands in the way.
        headers: of the answer.
    """

    def __init__(
        self, code: ErrorCode, message: str, field: str | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.headers = headers or {}

    def response(self, request_id: str) -> web.Response:
        return web.Response(body=self.body(request_id), status=self.code.status, headers=self.all_headers)

    @property
    def all_headers(self) -> dict[str, str]:
        """Of the answer, with those of its body."""
        headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
        if self.code.status == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = "Bearer"
        return headers | self.headers

    def body(self, request_id: str) -> bytes:
        """Of the answer."""
        return json.encode(ErrorEnvelope(ErrorDetails(self.code, self.message, self.field, request_id)))


def translate(error: Exception) -> ApiError:
    """Any failure as what is told of it. Of what nobody expected that is only that it happened."""
    match error:
        case ApiError():
            return error
        case AuthError():
            return _from_auth(error)
        case Refused() | RefusedFile() | FileTooCostly():
            return _from_refusal(error)
        case web.HTTPException() | web.RequestPayloadError():
            return _from_http(error)
        case StoreUnavailable():
            message = "the server cannot reach its database, try again later"
            return ApiError(ErrorCode.UNAVAILABLE, message, headers=_retry_after(RETRY_SOON_S))
        case InvalidCursor():
            return ApiError(ErrorCode.INVALID_FIELD, "this cursor was not given out here", "cursor")
        case Conflict():
            return ApiError(ErrorCode.TAKEN, f"this {error.field} is taken", error.field)
        case TooLarge():
            return ApiError(ErrorCode.TOO_LARGE, f"this may have at most {error.limit} bytes")
        case NotFound():
            return ApiError(ErrorCode.NOT_FOUND, "this is gone")
    return ApiError(ErrorCode.INTERNAL_ERROR, "the server failed at this request")


def _retry_after(seconds: float) -> dict[str, str]:
    return {"Retry-After": str(ceil(seconds))}


def _from_refusal(error: Refused | RefusedFile | FileTooCostly) -> ApiError:
    match error:
        case Refused():
            headers = _retry_after(RETRY_SOON_S) if error.code is ErrorCode.BUSY else {}
            return ApiError(error.code, error.message, error.field, headers)
        case RefusedFile():
            return ApiError(ErrorCode.INVALID_FILE, error.reason)
    return ApiError(ErrorCode.FILE_TOO_COSTLY, error.reason)


def _from_auth(error: AuthError) -> ApiError:
    headers = {}
    if isinstance(error, LockedOut):
        headers = _retry_after(error.retry_after_s)
    elif isinstance(error, Busy):
        headers = _retry_after(RETRY_SOON_S)
    return ApiError(error.code, error.message, error.field, headers)


def _from_http(error: web.HTTPException | web.RequestPayloadError) -> ApiError:
    """aiohttp's own refusals, of bodies, in our words."""
    headers = {"Connection": "close"}
    if isinstance(error, web.RequestPayloadError):
        return ApiError(ErrorCode.BAD_REQUEST, "the body broke off, or is not well-formed", headers=headers)
    is_large = error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    return ApiError(ErrorCode.TOO_LARGE if is_large else ErrorCode.BAD_REQUEST, error.reason.lower(), headers=headers)
