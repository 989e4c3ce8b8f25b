"""`GET /api/v1/rooms/active` and `GET /api/v1/rooms/{id}`."""

from collections import OrderedDict
from hashlib import blake2b
from typing import Final

import msgspec
import orjson
from aiohttp import web

from rhythm_protocol.messages import RoomType
from rhythmd.hub.registry import Registry
from rhythmd.hub.room import Room
from rhythmd.rest.envelope import ApiError, ApiErrorCode

__all__ = ["RoomsResource"]

LISTED: Final = frozenset({RoomType.LOBBY, RoomType.PUBLIC})
PAGE_SIZE: Final = 20
MAX_PAGE_SIZE: Final = 100
CACHED_QUERIES: Final = 64


class _Query(msgspec.Struct, frozen=True):
    """What the list is filtered and cut by."""

    type: RoomType | None
    text: str
    page: int
    size: int


class RoomsResource:
    """Reads the hub's registry. Pages are kept as bytes until a room changes."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._version = -1
        self._pages: OrderedDict[_Query, tuple[bytes, str]] = OrderedDict()

    async def active(self, request: web.Request) -> web.Response:
        """The rooms that can be found: `?type=&text=&page=&size=`, the fullest first."""
        body, etag = self._page(_read_query(request))
        headers = {"ETag": etag, "Cache-Control": "no-cache"}
        if _is_known(request, etag):
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, content_type="application/json", headers=headers)

    async def one(self, request: web.Request) -> web.Response:
        """One room by its id, whoever knows it; private ones only say that they exist not."""
        room = self._registry.get(request.match_info["id"])
        if room is None or room.settings.type is RoomType.PRIVATE:
            raise ApiError(ApiErrorCode.NOT_FOUND, "there is no such room")
        return web.Response(body=_encode(room.info()), content_type="application/json")

    def _page(self, query: _Query) -> tuple[bytes, str]:
        if self._version != self._registry.version:
            self._version = self._registry.version
            self._pages.clear()
        page = self._pages.get(query)
        if page is None:
            body = self._render(query)
            page = self._pages[query] = body, f'"{blake2b(body, digest_size=12).hexdigest()}"'
            if len(self._pages) > CACHED_QUERIES:
                self._pages.popitem(last=False)
        return page

    def _render(self, query: _Query) -> bytes:
        rooms = sorted(
            (room for room in self._registry if _matches(room, query)),
            key=lambda room: (-len(room.members), room.name.casefold(), room.id),
        )
        start = query.page * query.size
        return _encode(
            {
                "rooms": [room.info() for room in rooms[start : start + query.size]],
                "total": len(rooms),
                "page": query.page,
                "size": query.size,
            }
        )


def _is_known(request: web.Request, etag: str) -> bool:
    """Whether the client has this version already (If-None-Match of RFC 9110, 13.1.2)."""
    return any(tag.value == "*" or f'"{tag.value}"' == etag for tag in request.if_none_match or ())


def _encode(value: object) -> bytes:
    return orjson.dumps(msgspec.to_builtins(value))


def _matches(room: Room, query: _Query) -> bool:
    settings = room.settings
    if settings.type not in LISTED or (query.type is not None and settings.type is not query.type):
        return False
    return query.text in room.name.casefold()


def _read_query(request: web.Request) -> _Query:
    values = request.query
    return _Query(
        type=_room_type(values.get("type")),
        text=values.get("text", "").casefold()[:50],
        page=_number(values.get("page", "0"), "page", 0, 10_000),
        size=_number(values.get("size", str(PAGE_SIZE)), "size", 1, MAX_PAGE_SIZE),
    )


def _room_type(text: str | None) -> RoomType | None:
    if text is None:
        return None
    if text not in LISTED:
        raise ApiError(ApiErrorCode.INVALID_FIELD, f"expected one of {', '.join(sorted(LISTED))}", "type")
    return RoomType(text)


def _number(text: str, field: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 9 and least <= int(text) <= most):
        raise ApiError(ApiErrorCode.INVALID_FIELD, f"expected a number from {least} to {most}", field)
    return int(text)
