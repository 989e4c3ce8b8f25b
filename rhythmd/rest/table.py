"""The table of routes: what the API has, who may use it, how it is counted and what can go wrong.

The paths, the checks before each handler and `/api/v1/openapi.json` are all made from these rows.
"""

from http import HTTPStatus
from typing import Any, Final

from msgspec import structs

from rhythm_protocol.errors import ErrorCode as Code
from rhythm_protocol.messages import RoomInfo
from rhythmd.auth.external import Callback
from rhythmd.auth.service import Auth
from rhythmd.avatars.service import AVATAR_BYTES, AVATAR_TYPES, Avatars
from rhythmd.config import Config
from rhythmd.hub.hub import Hub
from rhythmd.ports import Store
from rhythmd.rest.resources.avatars import WEBP, AvatarsResource
from rhythmd.rest.resources.inputs import (
    ActiveRooms,
    AuditQuery,
    Ban,
    CreateRoom,
    Credentials,
    GuestLogin,
    JoinRoom,
    Mute,
    NewPassword,
    OAuthBegin,
    PageQuery,
    PreferencesChange,
    ProfileChange,
    RecordingKey,
    Refresh,
    Register,
    Roles,
    RoomChange,
    SheetBatch,
    SheetBatchRejection,
    SheetChange,
    SheetDescribed,
    SheetDownload,
    SheetForm,
    SheetRejection,
    SheetSearch,
    SheetVerdict,
)
from rhythmd.rest.resources.login import GuestView, LoginResource, TicketView
from rhythmd.rest.resources.oauth import IdentityList, OAuthResource, ProviderList
from rhythmd.rest.resources.recordings import MIDI, RecordingList, RecordingsResource, RecordingView
from rhythmd.rest.resources.room_changes import RoomChangesResource, SeatView
from rhythmd.rest.resources.rooms import RoomList, RoomsResource
from rhythmd.rest.resources.sheets import MEDIA_TYPES, BatchView, SheetList, SheetsResource, SheetView
from rhythmd.rest.resources.users import AuditResource, ModerationResource, UsersResource
from rhythmd.rest.resources.views import AuditPage, LoginView, Me, Person, SessionList
from rhythmd.rest.serving.call import Nothing, Route, Who
from rhythmd.rest.serving.files import FILE_ERRORS, FILE_STATUSES
from rhythmd.rest.serving.rates import Rate
from rhythmd.rest.serving.source import PublicUrls
from rhythmd.rest.serving.uploads import Upload
from rhythmd.rows import Preferences
from rhythmd.sheets.library import SheetLibrary

__all__ = ["Table", "route_table"]

Table = tuple[Route[Any], ...]

V1: Final = "/api/v1"
NOT_MODIFIED: Final = (HTTPStatus.NOT_MODIFIED,)
STORED: Final = (Code.UNAVAILABLE, Code.BUSY)
FILE_REFUSED: Final = (Code.INVALID_FILE, Code.FILE_TOO_COSTLY, Code.BUSY)
"""What becomes of a file that a worker looks at, beside 200."""
UPLOADED: Final = (*FILE_REFUSED, Code.UPLOAD_LIMIT)
OAUTH: Final = (
    Code.UNKNOWN_PROVIDER, Code.INVALID_STATE, Code.CONSENT_DENIED, Code.CODE_REFUSED, Code.PROVIDER_UNAVAILABLE,
    Code.PROVIDER_ANSWER, Code.LOGIN_AND_LINK, Code.IDENTITY_TAKEN, Code.ALREADY_LINKED, Code.USER_BANNED,
)  # fmt: skip


def route_table(
    hub: Hub, auth: Auth, store: Store, library: SheetLibrary, avatars: Avatars, urls: PublicUrls, config: Config
) -> Table:
    """All rows. Of two that fit a path the first one counts."""
    sheets = SheetsResource(library, store.accounts, hub.archive)
    return (
        *_auth(LoginResource(auth, urls, config.rooms.ban_browser_days)),
        *_oauth(OAuthResource(auth, urls)),
        *_users(UsersResource(auth, avatars)),
        *_avatars(AvatarsResource(avatars)),
        *_moderation(ModerationResource(auth), AuditResource(store)),
        *_rooms(
            RoomsResource(hub.registry, hub.catalogue),
            RoomChangesResource(
                hub.registry, hub.catalogue, hub.sessions, auth, urls, config.rooms.max_players, hub.shares
            ),
        ),
        *_recordings(RecordingsResource(hub.archive, auth.auditor), sheets),
        *_sheets(sheets, Upload(limit=config.sheets.max_bytes)),
    )


def _auth(login: LoginResource) -> Table:
    return (
        Route(
            method="POST", path=f"{V1}/auth/register", handler=login.register, input=Register, answer=LoginView,
            status=HTTPStatus.CREATED, rate=Rate.REGISTRATION, errors=(Code.TAKEN, Code.USER_BANNED, *STORED),
        ),
        Route(
            method="POST", path=f"{V1}/auth/login", handler=login.login, input=Credentials, answer=LoginView,
            rate=Rate.AUTH, errors=(Code.WRONG_CREDENTIALS, Code.LOCKED_OUT, Code.USER_BANNED, *STORED),
        ),
        Route(method="POST", path=f"{V1}/auth/logout", handler=login.logout, input=Nothing, who=Who.VISITOR),
        Route(
            method="POST", path=f"{V1}/auth/refresh", handler=login.refresh, input=Refresh, answer=LoginView,
            rate=Rate.AUTH, errors=(Code.INVALID_REFRESH_TOKEN, Code.USER_BANNED, *STORED),
        ),
        Route(
            method="POST", path=f"{V1}/auth/guest", handler=login.guest, input=GuestLogin, answer=GuestView,
            rate=Rate.AUTH, errors=(Code.USER_BANNED,),
        ),
        Route(
            method="GET", path=f"{V1}/auth/sessions", handler=login.sessions, input=PageQuery, answer=SessionList,
            who=Who.MEMBER,
        ),
        Route(
            method="DELETE", path=f"{V1}/auth/sessions/{{id}}", handler=login.revoke_session, input=Nothing,
            who=Who.MEMBER, errors=(Code.NOT_FOUND,),
        ),
        Route(
            method="POST", path=f"{V1}/auth/password", handler=login.change_password, input=NewPassword,
            who=Who.MEMBER, rate=Rate.AUTH, errors=(Code.WRONG_CREDENTIALS, Code.LOCKED_OUT, Code.BUSY),
        ),
        Route(
            method="POST", path=f"{V1}/auth/ticket", handler=login.ticket, input=Nothing, answer=TicketView,
            who=Who.GUEST,
        ),
    )  # fmt: skip


def _oauth(oauth: OAuthResource) -> Table:
    return (
        Route(method="GET", path=f"{V1}/auth/providers", handler=oauth.providers, input=Nothing, answer=ProviderList),
        Route(
            method="GET", path=f"{V1}/auth/oauth/{{provider}}", handler=oauth.begin, input=OAuthBegin,
            status=HTTPStatus.FOUND, who=Who.VISITOR, rate=Rate.AUTH,
            errors=(Code.UNKNOWN_PROVIDER, Code.LOGIN_REQUIRED, Code.CROSS_SITE),
        ),
        Route(
            method="GET", path=f"{V1}/auth/oauth/{{provider}}/callback", handler=oauth.callback, input=Callback,
            status=HTTPStatus.FOUND, rate=Rate.AUTH, errors=(*OAUTH, Code.TAKEN, Code.NOT_FOUND, *STORED),
        ),
        Route(
            method="GET", path=f"{V1}/auth/identities", handler=oauth.identities, input=Nothing, answer=IdentityList,
            who=Who.MEMBER,
        ),
        Route(
            method="DELETE", path=f"{V1}/auth/identities/{{provider}}", handler=oauth.unlink, input=Nothing,
            who=Who.MEMBER, errors=(Code.NOT_FOUND, Code.LAST_LOGIN),
        ),
    )  # fmt: skip


def _users(users: UsersResource) -> Table:
    return (
        Route(
            method="GET", path=f"{V1}/users/profile", handler=users.profile, input=Nothing, answer=Me, who=Who.MEMBER
        ),
        Route(
            method="PATCH", path=f"{V1}/users/profile", handler=users.change_profile, input=ProfileChange, answer=Me,
            who=Who.MEMBER, errors=(Code.CHAT_MUTED, Code.NOT_FOUND,),
        ),
        Route(
            method="GET", path=f"{V1}/users/settings", handler=users.settings, input=Nothing, answer=Preferences,
            who=Who.MEMBER,
        ),
        Route(
            method="PATCH", path=f"{V1}/users/settings", handler=users.change_settings, input=PreferencesChange,
            answer=Preferences, who=Who.MEMBER, errors=(Code.NOT_FOUND,),
        ),
        Route(
            method="GET", path=f"{V1}/users/{{usertag}}", handler=users.one, input=Nothing, answer=Person,
            who=Who.VISITOR, errors=(Code.NOT_FOUND,),
        ),
    )  # fmt: skip


def _avatars(avatars: AvatarsResource) -> Table:
    return (
        Route(
            method="PUT", path=f"{V1}/users/avatar", handler=avatars.upload, input=Nothing, answer=Me,
            who=Who.MEMBER, rate=Rate.UPLOAD, upload=Upload(limit=AVATAR_BYTES, media_types=AVATAR_TYPES),
            errors=(Code.NOT_FOUND, *UPLOADED),
        ),
        Route(
            method="DELETE", path=f"{V1}/users/avatar", handler=avatars.remove, input=Nothing, answer=Me,
            who=Who.MEMBER, errors=(Code.NOT_FOUND,),
        ),
        Route(
            method="DELETE", path=f"{V1}/users/{{usertag}}/avatar", handler=avatars.take_down, input=Nothing,
            answer=Person, who=Who.MODERATOR, errors=(Code.NOT_FOUND, Code.BUSY),
        ),
        Route(
            method="GET", path=f"{V1}/avatars/{{hash}}", handler=avatars.file, input=Nothing, answer=(WEBP,),
            more=FILE_STATUSES, errors=FILE_ERRORS,
        ),
    )  # fmt: skip


def _moderation(moderation: ModerationResource, audit: AuditResource) -> Table:
    user = f"{V1}/users/{{usertag}}"
    return (
        Route(
            method="POST", path=f"{user}/ban", handler=moderation.ban, input=Ban, answer=Person, who=Who.MODERATOR,
            errors=(Code.NOT_FOUND, Code.BUSY),
        ),
        Route(
            method="DELETE", path=f"{user}/ban", handler=moderation.unban, input=Nothing, answer=Person,
            who=Who.MODERATOR, errors=(Code.NOT_FOUND, Code.BUSY),
        ),
        Route(
            method="POST", path=f"{user}/mute", handler=moderation.mute, input=Mute, answer=Person, who=Who.MODERATOR,
            errors=(Code.NOT_FOUND, Code.BUSY),
        ),
        Route(
            method="DELETE", path=f"{user}/mute", handler=moderation.unmute, input=Nothing, answer=Person,
            who=Who.MODERATOR, errors=(Code.NOT_FOUND, Code.BUSY),
        ),
        Route(
            method="PUT", path=f"{user}/roles", handler=moderation.set_roles, input=Roles, answer=Person,
            who=Who.ADMIN, errors=(Code.NOT_FOUND, Code.BUSY),
        ),
        Route(
            method="GET", path=f"{V1}/audit", handler=audit.page, input=AuditQuery, answer=AuditPage, who=Who.ADMIN
        ),
    )  # fmt: skip


def _rooms(rooms: RoomsResource, changes: RoomChangesResource) -> Table:
    room = f"{V1}/rooms/{{id}}"
    return (
        Route(
            method="GET", path=f"{V1}/rooms/active", handler=rooms.active, input=ActiveRooms, answer=RoomList,
            more=NOT_MODIFIED, default=ActiveRooms(), errors=(Code.PRECONDITION_FAILED,),
        ),
        Route(
            method="POST", path=f"{V1}/rooms/create", handler=changes.create, input=CreateRoom, answer=RoomInfo,
            status=HTTPStatus.CREATED, who=Who.MEMBER, errors=(Code.CHAT_MUTED, Code.TAKEN, Code.ROOM_LIMIT, Code.BUSY),
        ),
        Route(
            method="GET", path=room, handler=rooms.one, input=Nothing, answer=RoomInfo, who=Who.VISITOR,
            errors=(Code.ROOM_NOT_FOUND,),
        ),
        Route(
            method="PATCH", path=room, handler=changes.change, input=RoomChange, answer=RoomInfo, who=Who.MEMBER,
            errors=(Code.ROOM_NOT_FOUND, Code.NOT_OWNER, Code.CHAT_MUTED, Code.TAKEN, Code.BUSY),
        ),
        Route(
            method="DELETE", path=room, handler=changes.delete, input=Nothing, who=Who.MEMBER,
            errors=(Code.ROOM_NOT_FOUND, Code.NOT_OWNER, Code.BUSY),
        ),
        Route(
            method="POST", path=f"{room}/join", handler=changes.join, input=JoinRoom, answer=SeatView, who=Who.GUEST,
            errors=(
                Code.ROOM_NOT_FOUND, Code.ROOM_FULL, Code.WRONG_PASSWORD, Code.BANNED, Code.GUESTS_NOT_ALLOWED,
                Code.ROOM_LIMIT, Code.SEAT_LIMIT, Code.LOCKED_OUT,
            ),
        ),
        Route(
            method="POST", path=f"{room}/leave", handler=changes.leave, input=Nothing, who=Who.GUEST,
            errors=(Code.ROOM_NOT_FOUND, Code.NOT_IN_ROOM),
        ),
    )  # fmt: skip


def _recordings(recordings: RecordingsResource, sheets: SheetsResource) -> Table:
    recording = f"{V1}/recordings/{{id}}"
    return (
        Route(
            method="GET", path=f"{V1}/recordings", handler=recordings.mine, input=PageQuery, answer=RecordingList,
            who=Who.GUEST,
        ),
        Route(
            method="GET", path=recording, handler=recordings.one, input=RecordingKey, answer=RecordingView,
            who=Who.VISITOR, errors=(Code.NOT_FOUND,),
        ),
        Route(
            method="GET", path=f"{recording}/file", handler=recordings.file, input=RecordingKey, answer=(MIDI,),
            more=FILE_STATUSES, who=Who.VISITOR, errors=FILE_ERRORS,
        ),
        Route(
            method="DELETE", path=recording, handler=recordings.delete, input=Nothing, who=Who.GUEST,
            errors=(Code.NOT_FOUND, Code.NOT_OWNER, Code.BUSY),
        ),
        Route(
            method="POST", path=f"{recording}/sheet", handler=sheets.from_recording, input=SheetDescribed,
            default=SheetDescribed(), answer=SheetView, status=HTTPStatus.CREATED, who=Who.MEMBER, rate=Rate.UPLOAD,
            errors=(Code.NOT_FOUND, *UPLOADED, *STORED),
        ),
    )  # fmt: skip


def _sheets(sheets: SheetsResource, file: Upload) -> Table:
    library = f"{V1}/sheet_music"
    sheet = f"{library}/{{id}}"
    return (
        Route(
            method="GET", path=f"{library}/search", handler=sheets.search, input=SheetSearch, answer=SheetList,
            who=Who.VISITOR, errors=(Code.LOGIN_REQUIRED, *STORED),
        ),
        Route(
            method="POST", path=f"{library}/upload", handler=sheets.upload, input=SheetForm, upload=file,
            answer=SheetView, status=HTTPStatus.CREATED, who=Who.MEMBER, rate=Rate.UPLOAD, errors=(*UPLOADED, *STORED),
        ),
        Route(
            method="POST", path=f"{library}/approve", handler=sheets.approve_batch, input=SheetBatch, answer=BatchView,
            who=Who.MEMBER, errors=STORED,
        ),
        Route(
            method="POST", path=f"{library}/reject", handler=sheets.reject_batch, input=SheetBatchRejection,
            answer=BatchView, who=Who.MEMBER, errors=STORED,
        ),
        Route(
            method="GET", path=sheet, handler=sheets.one, input=Nothing, answer=SheetView, who=Who.VISITOR,
            errors=(Code.NOT_FOUND, *STORED),
        ),
        Route(
            method="PATCH", path=sheet, handler=sheets.change, input=SheetChange, answer=SheetView, who=Who.MEMBER,
            upload=structs.replace(file, is_required=False),
            errors=(Code.NOT_FOUND, Code.NOT_OWNER, Code.CHANGED, *UPLOADED, *STORED),
        ),
        Route(
            method="DELETE", path=sheet, handler=sheets.delete, input=Nothing, who=Who.MEMBER,
            errors=(Code.NOT_FOUND, Code.NOT_OWNER, *STORED),
        ),
        Route(
            method="PUT", path=f"{sheet}/favorite", handler=sheets.like, input=Nothing, answer=SheetView,
            who=Who.MEMBER, errors=(Code.NOT_FOUND, Code.FAVORITE_LIMIT, *STORED),
        ),
        Route(
            method="DELETE", path=f"{sheet}/favorite", handler=sheets.unlike, input=Nothing, answer=SheetView,
            more=(HTTPStatus.NO_CONTENT,), who=Who.MEMBER, errors=(Code.NOT_FOUND, *STORED),
        ),
        Route(
            method="GET", path=f"{sheet}/download", handler=sheets.download, input=SheetDownload,
            answer=MEDIA_TYPES, more=FILE_STATUSES, who=Who.VISITOR, errors=FILE_ERRORS,
        ),
        Route(
            method="POST", path=f"{sheet}/approve", handler=sheets.approve, input=SheetVerdict, answer=SheetView,
            default=SheetVerdict(), who=Who.MEMBER, errors=(Code.NOT_FOUND, Code.CHANGED, *STORED),
        ),
        Route(
            method="POST", path=f"{sheet}/reject", handler=sheets.reject, input=SheetRejection, answer=SheetView,
            who=Who.MEMBER, errors=(Code.NOT_FOUND, Code.CHANGED, *STORED),
        ),
    )  # fmt: skip
