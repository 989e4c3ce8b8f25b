"""The table of routes as an OpenAPI 3.1 document."""

import inspect
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final

import msgspec

from rhythm_protocol.errors import ErrorCode, Side
from rhythm_protocol.values import RoomType
from rhythmd.rest.serving.call import Nothing, Route, Who
from rhythmd.rest.serving.envelope import ErrorEnvelope
from rhythmd.rest.serving.uploads import FILE_FIELD, FORM, Upload

__all__ = ["document"]

JSON: Final = "application/json"
INTRODUCTION: Final = """Play the piano together.

A request that changes something and carries a session's cookie must say which page it comes from, in `Origin`; a
program sends this server's own address there, or `Authorization: Bearer` with an access token instead of the cookie.
A path with its query has at most 8,190 bytes (`uri-too-long`)."""
REFERENCE: Final = "#/components/schemas/{name}"
FILE: Final = {"type": "string", "format": "binary"}
"""What generators of clients take as a file; OpenAPI 3.1 itself would have it without a type."""
ANY_FILE: Final = "application/octet-stream"
"""What a file is to generators that do not know its media type; without it some leave the answer out."""
CONDITIONS: Final = {HTTPStatus.NOT_MODIFIED: "If-None-Match", HTTPStatus.PARTIAL_CONTENT: "Range"}
NEW_SETTINGS: Final = "NewRoomSettings"
MOST_PLAYERS: Final = 65_535
HEADERS: Final[dict[str, str]] = {
    "X-Request-Id": "The request's id, as the server's log has it.",
    "X-RateLimit-Limit": "Requests of this kind in a minute; in an hour where accounts are registered.",
    "X-RateLimit-Remaining": "How many of them are left.",
    "X-RateLimit-Reset": "Seconds until all of them are.",
    "Retry-After": "Seconds to wait before the next try.",
    "WWW-Authenticate": "How to show a login.",
    "Accept": "The media types that are taken.",
    "Allow": "The methods of this path.",
    "ETag": "Which version this is, for `If-None-Match`.",
    "Content-Disposition": "The file's name.",
    "Content-Range": "Which part of the file this is.",
}
"""Of answers. The first four are on each that was counted; which others a status has, `MORE_HEADERS` says."""
ALWAYS: Final = tuple(HEADERS)[:4]
MORE_HEADERS: Final = {
    HTTPStatus.PARTIAL_CONTENT: ("Content-Range",),
    HTTPStatus.NOT_MODIFIED: ("ETag",),
    HTTPStatus.UNAUTHORIZED: ("WWW-Authenticate",),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: ("Accept",),
    HTTPStatus.TOO_MANY_REQUESTS: ("Retry-After",),
    HTTPStatus.SERVICE_UNAVAILABLE: ("Retry-After",),
}
WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
_VARIABLE: Final = re.compile(r"{(\w+)}")

Document = dict[str, Any]


def document(table: Sequence[Route[Any]], server: str = "/", most_players: int = MOST_PLAYERS) -> Document:
    """The whole document as it is sent.

    Args:
        table: of all routes.
        server: the address before all paths.
        most_players: that a room may be for.
    """
    types = {kind: None for route in table for kind in (route.answer, route.input) if isinstance(kind, type)}
    _, components = msgspec.json.schema_components([*types, ErrorEnvelope], ref_template=REFERENCE)
    components[ErrorCode.__name__] = _codes_of_this_side()
    _let_leave_out(table, components)
    if {"CreateRoom", "RoomChange"} <= components.keys():
        _narrow_settings(components, most_players)
    paths: dict[str, Document] = defaultdict(dict)
    for route in table:
        paths[route.path][route.method.lower()] = _operation(route, components)
    made: Document = _portable(
        {
            "openapi": "3.1.0",
            "info": {"title": "rhythmd", "version": version("rhythmd"), "description": INTRODUCTION},
            "servers": [{"url": server, "description": "The server that this document comes from."}],
            "paths": paths,
            "components": {
                "schemas": components,
                "headers": {
                    name: {"description": text, "schema": {"type": "string"}} for name, text in HEADERS.items()
                },
                "securitySchemes": {
                    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                    "cookie": {
                        "type": "apiKey",
                        "in": "cookie",
                        "name": "__Host-rhythm_access",
                        "description": "Through TLS; below a path prefix it is `__Secure-rhythm_access`.",
                    },
                    "local_cookie": {
                        "type": "apiKey",
                        "in": "cookie",
                        "name": "rhythm_access",
                        "description": "On this very machine, without TLS.",
                    },
                },
            },
        }
    )
    return made


def _let_leave_out(table: Sequence[Route[Any]], components: Document) -> None:
    """Tell the defaults of bodies in words: to generators of TypeScript a field with a default is never missing.

    What is in answers as well stays: there a field with a default is always there, indeed.
    """
    bodies = {route.input for route in table if route.method in WITH_BODY}
    answers = [route.answer for route in table if isinstance(route.answer, type)]
    answered = msgspec.json.schema_components(answers, ref_template=REFERENCE)[1]
    for name in {body.__name__ for body in bodies} - answered.keys():
        properties = components[name]["properties"]
        components[name]["properties"] = {key: _in_words(schema) for key, schema in properties.items()}


def _narrow_settings(components: Document, most_players: int) -> None:
    """Say of a new or changed room what only this server knows: lobbies are its own, and seats have a limit."""
    kinds = {"enum": [kind for kind in components["RoomType"]["enum"] if kind != RoomType.LOBBY]}
    known = components["RoomSettings"]
    made = {
        **known,
        "title": NEW_SETTINGS,
        "properties": {key: _in_words(it) for key, it in known["properties"].items()},
    }
    components[NEW_SETTINGS] = made
    settings = components["CreateRoom"]["properties"]["settings"]
    settings["$ref"] = REFERENCE.format(name=NEW_SETTINGS)
    for properties in (made["properties"], components["RoomChange"]["properties"]):
        properties["type"] = kinds
        properties["max_players"] = {**properties["max_players"], "maximum": most_players}


def _in_words(schema: Document) -> Document:
    default = schema.get("default")
    told = {} if default in (None, "", []) else {"description": f"By default {msgspec.json.encode(default).decode()}."}
    return {key: value for key, value in schema.items() if key != "default"} | told


def _portable(value: Any) -> Any:
    """`value` with patterns as JSON Schema writes them (ECMA-262): its `$` is Python's `\\Z`."""
    if isinstance(value, dict):
        return {
            key: item.replace("\\Z", "$") if key == "pattern" and isinstance(item, str) else _portable(item)
            for key, item in value.items()
        }
    return [_portable(item) for item in value] if isinstance(value, list) else value


def _operation(route: Route[Any], components: Document) -> Document:
    summary = inspect.getdoc(route.handler) or ""
    operation: Document = {
        "operationId": _operation_id(route),
        "tags": [route.path.split("/")[3]],
        "summary": summary.split("\n")[0],
        "description": f"{summary}\n\n{_alone(route)}Who may: {route.who.name.lower()}. Counted as: {route.rate}.",
        "parameters": [*_path_parameters(route), *_query_parameters(route, components), *_header_parameters(route)],
        "responses": _responses(route),
    }
    content = _body(route, components)
    if content:
        operation["requestBody"] = {"required": not route.may_be_empty, "content": content}
    if route.who is not Who.ANYONE:
        nobody: list[Document] = [{}] if route.who is Who.VISITOR else []
        operation["security"] = [*nobody, {"bearer": []}, {"cookie": []}, {"local_cookie": []}]
    return operation


def _body(route: Route[Any], components: Document) -> Document:
    """The ways in which a request may bring what it brings."""
    given = {JSON: {"schema": {"$ref": REFERENCE.format(name=route.input.__name__)}}}
    if route.upload is None:
        return given if route.method in WITH_BODY and route.input is not Nothing else {}
    form = {FORM: {"schema": _form(route.upload, components[route.input.__name__])}}
    return form | ({} if route.upload.is_required else given)


def _alone(route: Route[Any]) -> str:
    """How a file may come without a form, in words: generators of clients fail at a choice between media types."""
    if route.upload is None or not route.upload.media_types:
        return ""
    return f"The file may also be the whole body, as {', '.join(route.upload.media_types)}. "


def _form(upload: Upload, fields: Document) -> Document:
    required = [FILE_FIELD] if upload.is_required else []
    properties = {name: _without_null(schema) for name, schema in fields["properties"].items()}
    return {
        "type": "object",
        "properties": {FILE_FIELD: FILE, **properties},
        "required": [*required, *fields.get("required", ())],
        "additionalProperties": False,
    }


def _operation_id(route: Route[Any]) -> str:
    path = _VARIABLE.sub(lambda found: f"by_{found[1]}", route.path.removeprefix("/api/v1/"))
    return f"{route.method.lower()}_{path.replace('/', '_')}"


def _path_parameters(route: Route[Any]) -> list[Document]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in _VARIABLE.findall(route.path)
    ]


def _query_parameters(route: Route[Any], components: Document) -> list[Document]:
    if route.method != "GET":
        return []
    properties: Document = components[route.input.__name__]["properties"]
    required = components[route.input.__name__].get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _without_null(schema)}
        for name, schema in properties.items()
    ]


def _header_parameters(route: Route[Any]) -> list[Document]:
    """The headers that ask for less than everything."""
    asked = [name for status, name in CONDITIONS.items() if status in route.more]
    return [{"name": name, "in": "header", "required": False, "schema": {"type": "string"}} for name in asked]


def _without_null(schema: Document) -> Document:
    """In a query or a form what is null is left out."""
    options = [option for option in schema.get("anyOf", ()) if option != {"type": "null"}]
    if not options:
        return {key: value for key, value in schema.items() if key != "default" or value is not None}
    return options[0] if len(options) == 1 else {"anyOf": options}


def _responses(route: Route[Any]) -> Document:
    responses: Document = {str(int(status)): {"description": status.phrase} for status in route.more}
    if HTTPStatus.PARTIAL_CONTENT in route.more:
        responses["206"]["content"] = _content(route.answer)
    if route.answer is None and route.status is HTTPStatus.OK:
        responses["204"] = {"description": HTTPStatus.NO_CONTENT.phrase}
    elif route.answer is None:
        responses[str(int(route.status))] = {"description": route.status.phrase}
    else:
        responses[str(int(route.status))] = {"description": route.status.phrase, "content": _content(route.answer)}
    if HTTPStatus.NOT_MODIFIED in route.more:
        responses[str(int(route.status))]["headers"] = _headers(("ETag",))
    if isinstance(route.answer, tuple):
        responses[str(int(route.status))]["headers"] = _headers(("ETag", "Content-Disposition"))
    responses |= _errors(_codes(route))
    for status, response in responses.items():
        more = MORE_HEADERS.get(HTTPStatus(int(status)), ())
        response["headers"] = {**_headers((*ALWAYS, *more)), **response.get("headers", {})}
    return responses


def _headers(names: Iterable[str]) -> Document:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _content(answer: Any) -> Document:
    """What an answer holds: a struct as JSON, or a file of one of the media types that are named."""
    if isinstance(answer, tuple):
        return {media_type: {"schema": FILE} for media_type in (ANY_FILE, *answer)}
    return {JSON: {"schema": {"$ref": REFERENCE.format(name=answer.__name__)}}}


def _codes_of_this_side() -> Document:
    """The type of `error.code`: what the table has for the API, not what only the socket answers with."""
    codes = [code for code in ErrorCode if Side.REST in code.side]
    return {"title": ErrorCode.__name__, "enum": [code.value for code in codes], "description": _meanings(codes)}


def _meanings(codes: Iterable[ErrorCode]) -> str:
    return "\n".join(f"- `{code}`: {code.meaning}" for code in codes)


def _errors(codes: Iterable[ErrorCode]) -> Document:
    """A response for each status, with the codes that come with it."""
    by_status: dict[int, list[ErrorCode]] = defaultdict(list)
    for code in dict.fromkeys(codes):
        by_status[code.status].append(code)
    schema = {"$ref": REFERENCE.format(name=ErrorEnvelope.__name__)}
    return {
        str(status): {"description": _meanings(by_status[status]), "content": {JSON: {"schema": schema}}}
        for status in sorted(by_status)
    }


def _codes(route: Route[Any]) -> list[ErrorCode]:
    """What can go wrong: what the row says, and what follows from it."""
    codes = [ErrorCode.BAD_REQUEST, ErrorCode.INVALID_FIELD, ErrorCode.RATE_LIMITED]
    codes += [ErrorCode.URI_TOO_LONG, ErrorCode.HEADERS_TOO_LARGE]
    if route.method != "GET":
        codes += [ErrorCode.CROSS_SITE, ErrorCode.UNSUPPORTED_MEDIA_TYPE]
        codes += [ErrorCode.TOO_LARGE, ErrorCode.TOO_SLOW]
    if route.who is not Who.ANYONE:
        codes += [ErrorCode.USER_BANNED, ErrorCode.UNAVAILABLE]
    if route.who >= Who.GUEST:
        codes += [ErrorCode.LOGIN_REQUIRED, ErrorCode.INVALID_TOKEN, ErrorCode.TOKEN_EXPIRED]
    if route.who >= Who.MEMBER:
        codes.append(ErrorCode.NOT_PERMITTED)
    return [*codes, *route.errors, ErrorCode.INTERNAL_ERROR]
