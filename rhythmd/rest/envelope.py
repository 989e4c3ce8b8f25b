"""The one shape of a REST error: `{"error": {"code", "message", "field"}}`."""

from enum import StrEnum
from http import HTTPStatus
from typing import Final

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from rhythmd.errors import RhythmdError
from rhythmd.telemetry import rest_log

__all__ = ["ApiError", "ApiErrorCode", "error_middleware"]


class ApiErrorCode(StrEnum):
    """Every `error.code` of the REST side."""

    BAD_REQUEST = "bad-request"
    INVALID_FIELD = "invalid-field"
    NOT_FOUND = "not-found"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    TOO_LARGE = "too-large"
    INTERNAL_ERROR = "internal-error"


STATUS: Final = {
    ApiErrorCode.BAD_REQUEST: HTTPStatus.BAD_REQUEST,
    ApiErrorCode.INVALID_FIELD: HTTPStatus.BAD_REQUEST,
    ApiErrorCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
    ApiErrorCode.METHOD_NOT_ALLOWED: HTTPStatus.METHOD_NOT_ALLOWED,
    ApiErrorCode.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ApiErrorCode.INTERNAL_ERROR: HTTPStatus.INTERNAL_SERVER_ERROR,
}


class ApiError(RhythmdError):
    """A request that is answered with an error."""

    def __init__(self, code: ApiErrorCode, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field

    def response(self) -> web.Response:
        body = {"error": {"code": self.code, "message": self.message, "field": self.field}}
        return web.Response(body=orjson.dumps(body), status=STATUS[self.code], content_type="application/json")


def _from_http(error: web.HTTPException) -> ApiError:
    """aiohttp's own refusals in our words."""
    for code, status in STATUS.items():
        if status == error.status and code is not ApiErrorCode.INVALID_FIELD:
            return ApiError(code, error.reason.lower())
    return ApiError(ApiErrorCode.BAD_REQUEST, error.reason.lower())


@web.middleware
async def error_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every failure into the envelope; what we did not expect is logged whole and shown to nobody."""
    try:
        return await handler(request)
    except ApiError as error:
        return error.response()
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST:
            raise
        response = _from_http(error).response()
        if "Allow" in error.headers:  # a 405 must have it (RFC 9110, 15.5.6)
            response.headers["Allow"] = error.headers["Allow"]
        return response
    except Exception:  # noqa: BLE001 - the one place where a request's failure ends
        rest_log.exception("%s %s failed", request.method, request.path)
        return ApiError(ApiErrorCode.INTERNAL_ERROR, "the server failed at this request").response()
