"""`rooms/active` and `rooms/{id}`: what rooms there are."""

from hashlib import blake2b
from http import HTTPStatus
from typing import Final

from aiohttp import web
from msgspec import Struct, json

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import RoomInfo, RoomSettings, RoomType
from rhythmd.bounded import BoundedDict
from rhythmd.hub.keeping.catalogue import Catalogue
from rhythmd.hub.rooms.registry import Registry
from rhythmd.hub.rooms.room import Room
from rhythmd.hub.rooms.timing import FIRST_MS
from rhythmd.rest.resources.inputs import ActiveRooms
from rhythmd.rest.serving.cached import CachedBody, CachedResponse, client_has
from rhythmd.rest.serving.call import Call, Nothing
from rhythmd.rest.serving.envelope import ApiError
from rhythmd.rows import StoredRoom

__all__ = ["RoomList", "RoomsResource", "info_of", "is_hidden"]

LISTED: Final = frozenset({RoomType.LOBBY, RoomType.PUBLIC})
CACHED_QUERIES: Final = 64
REVALIDATED: Final = {"Cache-Control": "no-cache"}


class RoomList(Struct, frozen=True):
    """One page of the rooms that can be found; `total` of them are on all pages."""

    rooms: list[RoomInfo]
    total: int
    page: int
    size: int


def is_hidden(settings: RoomSettings, owner: str | None, viewer: str | None) -> bool:
    """Whether a room is only there for its owner. To all others it is as if there were none with this name or id."""
    return settings.type is RoomType.PRIVATE and (viewer is None or viewer != owner)


def info_of(stored: StoredRoom) -> RoomInfo:
    """A kept room that nobody is in."""
    return RoomInfo(
        id=stored.id,
        name=stored.name,
        settings=stored.settings,
        has_password=stored.password_hash is not None,
        players=0,
        owner=None,
        playout_ms=stored.settings.playout_ms or FIRST_MS,
    )


class RoomsResource:
    """Live rooms and kept ones, to look at. Pages of the list are kept as bytes until a room changes."""

    def __init__(self, registry: Registry, catalogue: Catalogue) -> None:
        self._registry = registry
        self._catalogue = catalogue
        self._version = -1
        self._pages: BoundedDict[ActiveRooms, tuple[CachedBody, str]] = BoundedDict(CACHED_QUERIES)

    async def active(self, call: Call[ActiveRooms]) -> web.StreamResponse:
        """The rooms that can be found, the fullest first."""
        page, etag = self._page(call.input)
        if client_has(call.request, etag):
            return web.Response(status=HTTPStatus.NOT_MODIFIED, headers={"ETag": etag, **REVALIDATED})
        return CachedResponse(page)

    async def one(self, call: Call[Nothing]) -> RoomInfo:
        """One room by its id or name. A private one is only there for its owner."""
        live = self._registry.get(call.path("id"))
        stored = None if live else await self._catalogue.find(call.path("id"))
        viewer = call.principal.user_id if call.principal else None
        if live is not None:
            owner = live.keeper.owner_id
            info: RoomInfo | None = live.info()
        else:
            owner = stored.owner_id if stored else None
            info = info_of(stored) if stored else None
        if info is None or is_hidden(info.settings, owner, viewer):
            raise ApiError(ErrorCode.ROOM_NOT_FOUND, "there is no such room")
        return info

    def _page(self, query: ActiveRooms) -> tuple[CachedBody, str]:
        if self._version != self._registry.version:
            self._version = self._registry.version
            self._pages.clear()
        page = self._pages.get(query)
        if page is None:
            body = json.encode(self._select(query))
            etag = f'"{blake2b(body, digest_size=12).hexdigest()}"'
            headers = {"Content-Type": "application/json", "ETag": etag, **REVALIDATED}
            page = self._pages[query] = CachedBody(headers.items(), body), etag
        return page

    def _select(self, query: ActiveRooms) -> RoomList:
        text = query.text.casefold()
        rooms = sorted(
            (room for room in self._registry if _matches(room, query.type, text)),
            key=lambda room: (-len(room.members), room.name.casefold(), room.id),
        )
        start = query.page * query.size
        return RoomList([room.info() for room in rooms[start : start + query.size]], len(rooms), query.page, query.size)


def _matches(room: Room, kind: str | None, text: str) -> bool:
    if room.vacancy.empty_until is not None:  # it is there for those who come back, not to be found
        return False
    if room.settings.type not in LISTED or (kind is not None and room.settings.type != kind):
        return False
    return text in room.name.casefold()
