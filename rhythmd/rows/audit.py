"""Entries of the audit."""

from typing import Any

from msgspec import Struct, field

__all__ = [
    "AuditEntry",
    "AuditFilter",
]


class AuditEntry(Struct, frozen=True, kw_only=True):
    """One action: who did what to whom, from where. It is gone after `expires`."""

    id: str
    time: int
    expires: int
    action: str
    actor_id: str | None = None
    target: str | None = None
    address: str = ""
    user_agent: str = ""
    details: dict[str, Any] = field(default_factory=dict)


class AuditFilter(Struct, frozen=True, kw_only=True):
    """Entries that agree with all that is given; `since` is included, `until` is not."""

    action: str | None = None
    actor_id: str | None = None
    target: str | None = None
    since: int | None = None
    until: int | None = None
