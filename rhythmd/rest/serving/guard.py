"""The checks before every handler: the row of the table says how far each request gets."""

import asyncio
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import orjson
from aiohttp import hdrs, web
from msgspec import Struct

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.explain import explain
from rhythm_protocol.numbers import whole_numbers
from rhythmd.auth.auditor import Auditor
from rhythmd.auth.authenticator import Authenticator
from rhythmd.auth.errors import Banned, InvalidToken
from rhythmd.auth.ranks import Rank, rank_of
from rhythmd.auth.values import Principal
from rhythmd.config import LimitsConfig
from rhythmd.names.fields import cleaned
from rhythmd.rest.serving.call import Call, Input, InputT, Route, Who, as_json
from rhythmd.rest.serving.envelope import ApiError
from rhythmd.rest.serving.invitation import check_length, invite_body
from rhythmd.rest.serving.origins import Origins
from rhythmd.rest.serving.rates import ALLOWANCE, Rate, Rates, too_many
from rhythmd.rest.serving.source import RequestSource
from rhythmd.rest.serving.uploads import FORM, Upload, UploadReader, form_values

__all__ = ["Endpoint", "RequestGuard"]

JSON: Final = "application/json"
IDENTITY: Final = "identity"
_DECIMAL: Final = re.compile(r"[+-]?\d{1,20}\.\d{0,20}", re.ASCII)
QUERIED: Final = frozenset({"GET", "HEAD"})
RIGHTS: Final = {Who.MODERATOR: Rank.MODERATOR, Who.ADMIN: Rank.ADMIN}


class RequestGuard:
    """Lets a request through to its handler: checks its origin and login, counts it, reads what it brings.

    Args:
        authenticator: knows who shows a token.
        rates: counts requests.
        origins: knows other sites' pages.
        source: knows where requests come from.
        limits: of bodies.
        auditor: what it took during a call is written before the answer.
        forms: what the regular expressions of the inputs ask for, in words.
        uploads: reads files.
    """

    def __init__(
        self,
        authenticator: Authenticator,
        rates: Rates,
        origins: Origins,
        source: RequestSource,
        limits: LimitsConfig,
        auditor: Auditor,
        forms: Mapping[str, str],
        uploads: UploadReader,
    ) -> None:
        self._authenticator = authenticator
        self._rates = rates
        self._origins = origins
        self._source = source
        self._limits = limits
        self._forms = forms
        self._uploads = uploads
        self.settle = auditor.settle

    async def admit(self, route: Route[InputT], request: web.BaseRequest) -> Call[InputT]:
        """The call, if the request may have one. Raises ApiError, AuthError and StoreError."""
        self._origins.check(request)
        principal = None
        if route.who is Who.ANYONE:
            self._count(request, route.rate, None)
        else:
            principal = await self._identify(route, request)
        _check_encoding(request)
        if route.upload is not None and self._uploads.is_for(route.upload, request):
            return await self._with_file(route, route.upload, request, principal)
        given = self._query(route, request) if request.method in QUERIED else await self._body(route, request)
        return Call(request, given, principal, self._source)

    async def _invite(self, request: web.BaseRequest) -> None:
        """Everything but the body has been looked at: a client that waits to be asked for it may send it."""
        check_length(request, self._limits.body_bytes)
        await invite_body(request)

    async def _with_file(
        self, route: Route[InputT], upload: Upload, request: web.BaseRequest, principal: Principal | None
    ) -> Call[InputT]:
        """The call with what a form, or a file alone, brings."""
        file, fields = await self._uploads.read(upload, request)
        try:
            given = self._convert(form_values(fields, route.input), route.input, strict=False)
        except ApiError:
            if file is not None:
                file.content.close()
            raise
        return Call(request, given, principal, self._source, file)

    async def _identify(self, route: Route[InputT], request: web.BaseRequest) -> Principal | None:
        """The caller. The request is counted, whoever it is."""
        token = self._source.access_token(request)
        principal = None
        try:
            principal = await self._authenticator.by_token(token) if token else None
        except (InvalidToken, Banned):
            if route.who is not Who.VISITOR:  # which a logout is: a banned account may take its cookies back
                raise
        finally:
            self._count(request, route.rate, principal)
        _check_rights(route.who, principal)
        return principal

    def _count(self, request: web.BaseRequest, rate: Rate, principal: Principal | None) -> None:
        """By account, if there is one. A guest counts by address: new guests cost nothing."""
        if principal is None or principal.is_guest:
            allowance = self._rates.of_address(rate, self._source.network(request))
        else:
            allowance = self._rates.of_account(rate, principal.user_id)
        request[ALLOWANCE] = allowance
        if allowance.wait_s:
            raise too_many(allowance)

    async def _body(self, route: Route[InputT], request: web.BaseRequest) -> InputT:
        if route.may_be_empty and not request.body_exists:
            return self._convert({}, route.input)
        if request.content_type != JSON:
            allowed = f"{FORM}, {JSON}" if route.upload is not None else JSON
            raise ApiError(ErrorCode.UNSUPPORTED_MEDIA_TYPE, f"expected {allowed}", headers={hdrs.ACCEPT: allowed})
        await self._invite(request)
        return self._convert(await self._json(request), route.input)

    async def _json(self, request: web.BaseRequest) -> object:
        try:
            async with asyncio.timeout(self._limits.body_s):
                body = await request.read()
        except TimeoutError:
            message = f"the body must be here in {self._limits.body_s:g} s"
            raise ApiError(ErrorCode.TOO_SLOW, message, headers={"Connection": "close"}) from None
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            raise ApiError(ErrorCode.BAD_REQUEST, "the body is not JSON") from None

    def _query(self, route: Route[InputT], request: web.BaseRequest) -> InputT:
        if route.default is not None and not request.query_string:
            return route.default
        query = request.query
        if len(query) != len(set(query)):
            raise ApiError(ErrorCode.BAD_REQUEST, "a parameter is there twice")
        given = self._convert(dict(query), route.input, strict=False)
        for name, value in query.items():
            # What is lenient takes the word for nothing at all.
            if value.lower() == "null" and getattr(given, name, value) is None:
                raise ApiError(ErrorCode.INVALID_FIELD, "a parameter without a value is left out", name)
        return given

    def _convert(self, value: object, wanted: type[InputT], *, strict: bool = True) -> InputT:
        if isinstance(value, dict):
            value = _renamed(value, wanted)
        try:
            given = msgspec.convert(value, wanted, strict=strict)
        except msgspec.ValidationError as error:
            patient = _with_whole_numbers(value, error, strict=strict)
            if patient is not value:
                return self._convert(patient, wanted, strict=strict)
            message, field = explain(error, self._forms)
            allowed = _allowed_values(wanted, field)
            message = f"Expected one of: {', '.join(allowed)}" if allowed else message
            raise ApiError(ErrorCode.INVALID_FIELD, message, field) from None
        return cleaned(given)


def _with_whole_numbers(value: object, error: msgspec.ValidationError, *, strict: bool) -> object:
    """`value` with 2.0 as the integer 2 where an integer was asked for; itself if that changes nothing."""
    if not str(error).startswith("Expected `int"):
        return value
    if strict:
        try:
            whole = whole_numbers(value)
            return value if repr(whole) == repr(value) else whole
        except RecursionError:  # nested deeper than any input is
            return value
    _, field = explain(error, {})
    text = value.get(field) if isinstance(value, dict) else None
    if isinstance(value, dict) and isinstance(text, str) and "." in text and _DECIMAL.fullmatch(text):
        number = whole_numbers(float(text))
        return {**value, field: number} if isinstance(number, int) else value
    return value


def _renamed(given: dict[Any, Any], wanted: type[Struct]) -> dict[Any, Any]:
    """What was given, old names of fields replaced. A new name that is there, too, leaves the old one unknown."""
    aliases = wanted.aliases if issubclass(wanted, Input) else {}
    stale = [old for old, new in aliases.items() if old in given and new not in given]
    return {aliases[key] if key in stale else key: value for key, value in given.items()} if stale else given


def _allowed_values(wanted: type[Struct], name: str | None) -> list[str]:
    """What a field may be that has only some values; empty for another one."""
    described = msgspec.inspect.type_info(wanted)
    fields = described.fields if isinstance(described, msgspec.inspect.StructType) else ()
    allowed: list[str] = []
    for kind in (field.type for field in fields if field.encode_name == name):
        for part in kind.types if isinstance(kind, msgspec.inspect.UnionType) else (kind,):
            if isinstance(part, msgspec.inspect.EnumType):
                allowed += [str(member.value) for member in part.cls]
            elif isinstance(part, msgspec.inspect.LiteralType):
                allowed += [str(value) for value in part.values]
    return allowed


class Endpoint:
    """A row of the table as a handler: the guard, then the resource's method, then its answer as HTTP."""

    def __init__(self, route: Route[InputT], guard: RequestGuard) -> None:
        self._route = route
        self._guard = guard

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        route = self._route
        call = await self._guard.admit(route, request)
        try:
            answer = await route.handler(call)
        finally:
            call.close()
        await self._guard.settle()
        if isinstance(answer, Struct):
            return as_json(answer, route.status)
        return web.Response(status=204) if answer is None else answer


def _check_encoding(request: web.BaseRequest) -> None:
    """Refuse a compressed body (RFC 9110, 15.5.16): what a few bytes become is only known when it is too late."""
    if request.headers.get(hdrs.CONTENT_ENCODING, IDENTITY).lower() != IDENTITY:
        headers = {"Accept-Encoding": IDENTITY}
        raise ApiError(ErrorCode.UNSUPPORTED_MEDIA_TYPE, "bodies are not compressed here", headers=headers)


def _check_rights(who: Who, principal: Principal | None) -> None:
    if who is Who.VISITOR:
        return
    if principal is None:
        raise ApiError(ErrorCode.LOGIN_REQUIRED, "log in first")
    if who >= Who.MEMBER and principal.is_guest:
        raise ApiError(ErrorCode.NOT_PERMITTED, "this needs an account")
    if who in RIGHTS and rank_of(principal.roles) < RIGHTS[who]:
        raise ApiError(ErrorCode.NOT_PERMITTED, "your roles do not allow this")
