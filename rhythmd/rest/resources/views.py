"""Accounts, sessions and audit entries as the API shows them."""

from typing import Any

from msgspec import Struct

from rhythmd.auth.ranks import is_moderator
from rhythmd.auth.values import Grant, Login, Principal
from rhythmd.rows import Account, AuditEntry, LoginSession, Preferences, Privacy, Profile, Role

__all__ = [
    "AuditPage",
    "LoginView",
    "Me",
    "Person",
    "SessionList",
    "SessionView",
    "audit_view",
    "login_view",
    "me",
    "person",
    "session_view",
]


class Me(Struct, frozen=True, kw_only=True):
    """An account as its own user sees it. Times are Unix ms."""

    id: str
    usertag: str
    username: str
    nickname: str
    email: str | None
    email_verified: bool
    has_password: bool
    roles: list[Role]
    colour: str
    status_text: str
    profile: Profile
    settings: Preferences
    created: int
    muted_until: int | None


def me(account: Account) -> Me:
    return Me(
        id=account.id,
        usertag=account.usertag,
        username=account.username,
        nickname=account.nickname,
        email=account.email,
        email_verified=account.email_verified,
        has_password=account.password_hash is not None,
        roles=sorted(account.roles),
        colour=account.colour,
        status_text=account.status_text,
        profile=account.profile,
        settings=account.settings,
        created=account.created,
        muted_until=account.muted_until,
    )


class Person(Struct, frozen=True, kw_only=True):
    """An account as others see it. `profile` is None if its user keeps it from the caller."""

    id: str
    usertag: str
    username: str
    nickname: str
    roles: list[Role]
    colour: str
    status_text: str
    created: int
    profile: Profile | None


def person(account: Account, viewer: Principal | None) -> Person:
    """What `viewer` may see of an account."""
    return Person(
        id=account.id,
        usertag=account.usertag,
        username=account.username,
        nickname=account.nickname,
        roles=sorted(account.roles),
        colour=account.colour,
        status_text=account.status_text,
        created=account.created,
        profile=account.profile if _may_see_profile(account, viewer) else None,
    )


def _may_see_profile(account: Account, viewer: Principal | None) -> bool:
    if account.settings.privacy is Privacy.PUBLIC:
        return True
    if viewer is None or viewer.is_guest:
        return False
    return account.settings.privacy is Privacy.MEMBERS or viewer.user_id == account.id or is_moderator(viewer.roles)


class LoginView(Struct, frozen=True, kw_only=True):
    """A login. The tokens are None when they went into cookies. Times are Unix ms."""

    user: Me
    session: str
    access_expires: int
    refresh_expires: int
    access_token: str | None
    refresh_token: str | None


def login_view(login: Login, *, tokens: bool) -> LoginView:
    grant: Grant = login.grant
    return LoginView(
        user=me(login.account),
        session=grant.session_id,
        access_expires=grant.access_expires,
        refresh_expires=grant.refresh_expires,
        access_token=grant.access_token if tokens else None,
        refresh_token=grant.refresh_token if tokens else None,
    )


class SessionView(Struct, frozen=True, kw_only=True):
    """A login that has not ended. Times are Unix ms."""

    id: str
    created: int
    last_used: int
    expires: int
    user_agent: str
    address: str
    current: bool


class SessionList(Struct, frozen=True):
    """One page of logins."""

    sessions: list[SessionView]
    next: str | None


def session_view(session: LoginSession, current: str) -> SessionView:
    return SessionView(
        id=session.id,
        created=session.created,
        last_used=session.last_used,
        expires=session.expires,
        user_agent=session.user_agent,
        address=session.address,
        current=session.id == current,
    )


class AuditView(Struct, frozen=True, kw_only=True):
    """An entry of the audit: an act, its author, whom it was done to, and where it came from. `time` is Unix ms."""

    id: str
    time: int
    action: str
    actor_id: str | None
    target: str | None
    address: str
    user_agent: str
    details: dict[str, Any]


class AuditPage(Struct, frozen=True):
    """One page of the audit."""

    entries: list[AuditView]
    next: str | None


def audit_view(entry: AuditEntry) -> AuditView:
    return AuditView(
        id=entry.id,
        time=entry.time,
        action=entry.action,
        actor_id=entry.actor_id,
        target=entry.target,
        address=entry.address,
        user_agent=entry.user_agent,
        details=entry.details,
    )
