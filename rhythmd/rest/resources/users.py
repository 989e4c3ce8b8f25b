"""`users/…`: one's own account, others' profiles, and what moderators and admins do to them."""

from collections.abc import Callable

from msgspec import UNSET, UnsetType, structs

from rhythm_protocol.errors import ErrorCode
from rhythmd.auth.names import is_usertag
from rhythmd.auth.service import Auth
from rhythmd.avatars.service import Avatars
from rhythmd.clock import unix_ms
from rhythmd.names.rule import fit_line, fit_name
from rhythmd.ports import Store
from rhythmd.rest.resources.inputs import AuditQuery, Ban, Mute, PreferencesChange, ProfileChange, Roles
from rhythmd.rest.resources.views import AuditPage, Me, Person, audit_view, me, person
from rhythmd.rest.serving.call import Call, Input, InputT, Nothing
from rhythmd.rest.serving.envelope import ApiError
from rhythmd.rows import Account, AccountChanges, AuditFilter, Preferences, Profile

__all__ = ["AuditResource", "ModerationResource", "UsersResource", "require_unmuted", "usertag_of"]


def usertag_of(call: Call[InputT]) -> str:
    """The usertag in the path. What cannot be one is nobody's."""
    usertag = call.path("usertag")
    if not is_usertag(usertag):
        raise ApiError(ErrorCode.NOT_FOUND, "there is no such user")
    return usertag


def _given(change: Input, fields: tuple[str, ...]) -> dict[str, object]:
    """Those of `fields` that the request has."""
    return {name: value for name in fields if (value := getattr(change, name)) is not UNSET}


def _fit(rule: Callable[[str, str], str], given: str | UnsetType, field: str) -> str | UnsetType:
    """What is given, as the rule for it makes it. Raises Refused."""
    return UNSET if given is UNSET else rule(given, field)


def require_unmuted(account: Account | None) -> None:
    """Raise ApiError for one who may say nothing, and would give others something to read."""
    if account is not None and (account.muted_until or 0) > unix_ms():
        raise ApiError(ErrorCode.CHAT_MUTED, "you are muted")


class UsersResource:
    """One's own account, and others as they show themselves."""

    def __init__(self, auth: Auth, avatars: Avatars) -> None:
        self._public_accounts = auth.public_accounts
        self._avatars = avatars

    async def profile(self, call: Call[Nothing]) -> Me:
        """Your account."""
        return me(call.account)

    async def change_profile(self, call: Call[ProfileChange]) -> Me:
        """Change how others see you."""
        given = call.input
        username = _fit(fit_name, given.username, "username")
        nickname = _fit(fit_name, given.nickname, "nickname")
        status_text = _fit(fit_line, given.status_text, "status_text")

        before = call.account
        old = (before.username, before.nickname, before.status_text, before.profile.bio, before.profile.location)
        new = (username, nickname, status_text, given.bio, given.location)
        if any(text not in (UNSET, "", known) for text, known in zip(new, old, strict=True)):
            require_unmuted(before)

        def edit(account: Account) -> AccountChanges:
            return AccountChanges(
                updated=unix_ms(),
                username=username,
                nickname=nickname,
                colour=given.colour,
                status_text=status_text,
                profile=structs.replace(account.profile, **_given(given, Profile.__struct_fields__)),
            )

        return me(await self._avatars.change(call.account.id, edit))

    async def settings(self, call: Call[Nothing]) -> Preferences:
        """Your own settings."""
        return call.account.settings

    async def change_settings(self, call: Call[PreferencesChange]) -> Preferences:
        """Change your own settings."""
        given = _given(call.input, Preferences.__struct_fields__)
        settings = structs.replace(call.account.settings, **given)
        changed = await self._public_accounts.update(
            call.account.id, AccountChanges(updated=unix_ms(), settings=settings)
        )
        return changed.settings

    async def one(self, call: Call[Nothing]) -> Person:
        """What a user shows of themselves to you."""
        account = await self._public_accounts.find(usertag_of(call))
        if account is None:
            raise ApiError(ErrorCode.NOT_FOUND, "there is no such user")
        return person(account, call.principal)


class ModerationResource:
    """What moderators and admins do to users. All answers are the user as others see them."""

    def __init__(self, auth: Auth) -> None:
        self._moderation = auth.moderation

    async def ban(self, call: Call[Ban]) -> Person:
        """Close a user's account for a time, or for good. Their sockets close at once."""
        given = call.input
        account = await self._moderation.ban(call.known, usertag_of(call), given.seconds, given.reason, call.client)
        return person(account, call.principal)

    async def unban(self, call: Call[Nothing]) -> Person:
        """Open a user's account again."""
        return person(await self._moderation.unban(call.known, usertag_of(call), call.client), call.principal)

    async def mute(self, call: Call[Mute]) -> Person:
        """Take the chat from a user, everywhere, for a time or for good."""
        account = await self._moderation.mute(call.known, usertag_of(call), call.input.seconds, call.client)
        return person(account, call.principal)

    async def unmute(self, call: Call[Nothing]) -> Person:
        """Let a user chat again."""
        return person(await self._moderation.unmute(call.known, usertag_of(call), call.client), call.principal)

    async def set_roles(self, call: Call[Roles]) -> Person:
        """Give a user exactly these roles; they count at once."""
        account = await self._moderation.set_roles(call.known, usertag_of(call), call.input.roles, call.client)
        return person(account, call.principal)


class AuditResource:
    """The audit."""

    def __init__(self, store: Store) -> None:
        self._audit = store.audit

    async def page(self, call: Call[AuditQuery]) -> AuditPage:
        """The audit, newest first: each act, its author, whom it was done to, and where it came from."""
        given = call.input
        where = AuditFilter(
            action=given.action,
            actor_id=given.actor,
            target=given.target,
            since=given.since,
            until=given.until,
        )
        page = await self._audit.page(unix_ms(), given.limit, given.cursor, where)
        return AuditPage([audit_view(entry) for entry in page.items], page.next)
