"""The rows that stores keep, as frozen values. `rhythmd.ports` says what stores do with them.

- Times are Unix milliseconds of the caller's clock.
- Ids are the caller's, random and never used again, but for those of chat lines.
"""

from rhythmd.rows.accounts import (
    Account,
    AccountChanges,
    ExternalIdentity,
    LoginSession,
    Preferences,
    Privacy,
    Profile,
    Role,
    Rotation,
    RotationOutcome,
)
from rhythmd.rows.audit import (
    AuditEntry,
    AuditFilter,
)
from rhythmd.rows.common import (
    FOREVER,
    Page,
    changed_fields,
    fold,
)
from rhythmd.rows.rooms import (
    NewChatLine,
    Recording,
    Sanction,
    SanctionKind,
    StoredRoom,
    StoredRoomChanges,
)
from rhythmd.rows.sheets import (
    FACET_LIMIT,
    FACET_TAGS,
    Approval,
    Difficulty,
    ScoreFacts,
    Sheet,
    SheetCategory,
    SheetChanges,
    SheetFacets,
    SheetFile,
    SheetPrivacy,
    SheetQuery,
    SheetScope,
    SheetSort,
)

__all__ = [
    "FACET_LIMIT",
    "FACET_TAGS",
    "FOREVER",
    "Account",
    "AccountChanges",
    "Approval",
    "AuditEntry",
    "AuditFilter",
    "Difficulty",
    "ExternalIdentity",
    "LoginSession",
    "NewChatLine",
    "Page",
    "Preferences",
    "Privacy",
    "Profile",
    "Recording",
    "Role",
    "Rotation",
    "RotationOutcome",
    "Sanction",
    "SanctionKind",
    "ScoreFacts",
    "Sheet",
    "SheetCategory",
    "SheetChanges",
    "SheetFacets",
    "SheetFile",
    "SheetPrivacy",
    "SheetQuery",
    "SheetScope",
    "SheetSort",
    "StoredRoom",
    "StoredRoomChanges",
    "changed_fields",
    "fold",
]
