"""Rows to keep, with values for all that a test does not care about."""

import hashlib
import uuid
from typing import Final

from msgspec import structs

from rhythm_protocol.messages import ChatKind, RoomSettings
from rhythmd.rows import (
    Account,
    AuditEntry,
    ExternalIdentity,
    LoginSession,
    NewChatLine,
    Recording,
    Sanction,
    SanctionKind,
    ScoreFacts,
    Sheet,
    SheetCategory,
    SheetFile,
    StoredRoom,
)

__all__ = [
    "DAY",
    "NOW",
    "make_account",
    "make_entry",
    "make_identity",
    "make_line",
    "make_recording",
    "make_room",
    "make_sanction",
    "make_session",
    "make_sheet",
    "make_sheet_file",
    "token",
]

NOW: Final = 4_000_000_000_000  # in 2096: no TTL index finds these rows too old while a test runs
DAY: Final = 86_400_000


def _new_id() -> str:
    return uuid.uuid4().hex


def token(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def make_account(usertag: str | None = None, **fields: object) -> Account:
    user_id = _new_id()
    name = f"user-{user_id}" if usertag is None else usertag
    account = Account(id=user_id, usertag=name, username=name, nickname=name, created=NOW, updated=NOW)
    return structs.replace(account, **fields)


def make_identity(account: Account, provider: str = "github", subject: str | None = None) -> ExternalIdentity:
    return ExternalIdentity(
        provider=provider, subject=subject or _new_id(), user_id=account.id, name=account.usertag, created=NOW
    )


def make_session(account: Account, text: str | None = None, **fields: object) -> LoginSession:
    session = LoginSession(
        id=_new_id(),
        user_id=account.id,
        token_hash=token(text or _new_id()),
        created=NOW,
        last_used=NOW,
        expires=NOW + DAY,
    )
    return structs.replace(session, **fields)


def make_room(name: str | None = None, **fields: object) -> StoredRoom:
    room_id = _new_id()
    room = StoredRoom(
        id=room_id,
        name=f"room-{room_id}" if name is None else name,
        owner_id=None,
        settings=RoomSettings(),
        created=NOW,
        updated=NOW,
    )
    return structs.replace(room, **fields)


def make_sanction(room: StoredRoom, subject: str = "somebody", **fields: object) -> Sanction:
    sanction = Sanction(
        room_id=room.id, subject=subject, kind=SanctionKind.BAN, until=NOW + DAY, created=NOW, reason="too loud"
    )
    return structs.replace(sanction, **fields)


def make_line(content: str = "hello", **fields: object) -> NewChatLine:
    return structs.replace(NewChatLine(time=NOW, kind=ChatKind.TEXT, content=content), **fields)


def make_recording(**fields: object) -> Recording:
    recording = Recording(
        id=_new_id(),
        name="Evening",
        room_id="r",
        room="Salon",
        owner_id="u",
        created=NOW,
        expires=NOW + DAY,
        duration_ms=1_000,
        size=100,
        players=1,
        key_hash=token("key"),
    )
    return structs.replace(recording, **fields)


def make_sheet_file(content: str = "content", **fields: object) -> SheetFile:
    file = SheetFile(
        hash=token(content).hex(),
        id=_new_id(),
        extension=".abc",
        size=100,
        midi_size=50,
        facts=ScoreFacts(category=SheetCategory.ABC, title="Air", tempo=112.5, remarks=("no grace notes",)),
        created=NOW,
        used=NOW,
    )
    return structs.replace(file, **fields)


def make_sheet(file: SheetFile | None = None, **fields: object) -> Sheet:
    sheet = Sheet(
        id=_new_id(),
        hash=(file or make_sheet_file()).hash,
        size=100,
        file_name="air.abc",
        title="Air",
        creator_id="u1",
        creator="Anna",
        created=NOW,
        updated=NOW,
        category=SheetCategory.ABC,
    )
    return structs.replace(sheet, **fields)


def make_entry(action: str = "login", **fields: object) -> AuditEntry:
    entry = AuditEntry(id=_new_id(), time=NOW, expires=NOW + DAY, action=action)
    return structs.replace(entry, **fields)
